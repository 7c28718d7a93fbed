"""Phase diagrams as a study for a page, and as plain values."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from caltrop.cli.arguments import running
from caltrop.cli.phase_settings import SETTINGS

if TYPE_CHECKING:
    from caltrop.rows import PhaseMap, Study
    from caltrop.solve.prevalence import Prevalence
    from caltrop.theory.phase import PhaseDiagram


@dataclass(frozen=True)
class Found:
    """One problem: its diagram, and its prevalence if it was solved."""

    name: str
    diagram: PhaseDiagram
    prevalence: Prevalence | None


def phase_study(found: Sequence[Found], *, seconds: float) -> Study:
    """Everything that the page shows."""
    from caltrop.record import provenance
    from caltrop.rows import Study
    from caltrop.theory.phase_maps import phase_maps

    maps: list[PhaseMap] = []
    notes: list[str] = []
    for one in found:
        known = SETTINGS[one.name]
        maps += phase_maps(one.diagram, group=known.heading, says=known.says)
        if one.prevalence is not None:
            maps.append(_solved_map(one.name, one.prevalence))
            notes += known.notes(one.name, one.prevalence.decays)
    return Study(
        rows=(),
        title="Phase diagrams of deep features models",
        maps=tuple(maps),
        notes=tuple(notes),
        provenance=provenance(seconds=seconds, argv=running.get()),
    )


def phase_json(found: Sequence[Found]) -> dict[str, Any]:
    """The same as plain values."""
    return {
        "diagrams": [
            {
                "problem": one.name,
                "thresholds": [
                    {"num_classes": classes, "depth": depth}
                    | {name: float(values[row, column]) for name, values in one.diagram.thresholds.items()}
                    for row, classes in enumerate(one.diagram.num_classes)
                    for column, depth in enumerate(one.diagram.depths)
                ],
                "points": list(one.diagram.rows()),
            }
            for one in found
        ],
        "prevalence": [
            {
                "problem": one.name,
                "num_classes": one.prevalence.problem.num_classes,
                "depth": one.prevalence.problem.depth,
                "method": one.prevalence.method,
                "seconds": one.prevalence.seconds,
                "cells": list(one.prevalence.rows()),
            }
            for one in found
            if one.prevalence is not None
        ],
    }


def _solved_map(name: str, found: Prevalence) -> PhaseMap:
    from caltrop.theory import DeepUfmCrossEntropy
    from caltrop.theory.thresholds import collapse_thresholds

    known, model = SETTINGS[name], found.problem
    lines = {}
    if isinstance(model, DeepUfmCrossEntropy):
        limits = collapse_thresholds(model.num_classes, model.depth)
        lines = {"ties": limits.ties, "stable": limits.stable}
    says = known.solved.format(
        starts=found.cells[0][0].starts,
        scale=f"{known.options['scale']:g}",
        steps=f"{known.steps(found.decays) or 0:,}",
    )
    return found.phase_map(lines=lines, group=known.heading, says=says)
