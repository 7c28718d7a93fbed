"""Phase diagrams as maps for a page: one for each number of classes, over penalties and depths."""

from __future__ import annotations

import numpy as np

from caltrop.rows import MapLine, PhaseMap
from caltrop.theory.phase import PhaseDiagram

PENALTY, DEPTH = "penalty λ", "depth L"
BEST = "least loss"

# where each threshold is, seen from the penalties below it
LINE_SAYS = {
    "exists": "below it, collapse (DNC) exists",
    "ties": "below it, collapse is better than zero",
    "stable": "below it, collapse is a local minimum",
}


def phase_maps(diagram: PhaseDiagram, *, group: str = "", says: str = "") -> tuple[PhaseMap, ...]:
    """A map of winners for each number of classes; cells also hold the loss of every family there is.

    `group` and `says` are the maps' heading and caption. The thresholds of the diagram are lines.

    Raises ValueError for depths or penalties that do not increase.
    """
    best = diagram.best
    maps = []
    for place, classes in enumerate(diagram.num_classes):
        there = {name: values[place] for name, values in zip(diagram.families, diagram.values, strict=True)}
        numbers = {BEST: best[place], **{name: values for name, values in there.items() if not np.isnan(values).all()}}
        maps.append(
            PhaseMap(
                title=f"{classes} classes",
                group=group,
                says=says,
                across=PENALTY,
                up=DEPTH,
                columns=diagram.decays,
                rows=tuple(map(float, diagram.depths)),
                categories=tuple(
                    tuple(diagram.winner(classes, depth, decay) for decay in diagram.decays) for depth in diagram.depths
                ),
                numbers={name: tuple(map(tuple, values.tolist())) for name, values in numbers.items()},
                lines=tuple(
                    MapLine(name, tuple(map(float, places[place])), LINE_SAYS.get(name, ""))
                    for name, places in diagram.thresholds.items()
                ),
            )
        )
    return tuple(maps)
