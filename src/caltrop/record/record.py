"""A record: what a run was to compute, and what is there."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import numpy as np
from jaxtyping import Float64

from caltrop.record.cell import CellRecord, Condition, Planned
from caltrop.rows import Chart, Rows, Study, Verdict

# columns that say whether a trained row may speak of missing collapse
_CONDITIONS = ("training_error", "weight_decay_time")


@dataclass(frozen=True)
class Record:
    """A run of an experiment: configuration, plan, and the cells that are finished, in the order of the plan.

    `failures` says, by key, why a planned cell is not there; `damaged` names files of the run that could not be
    read, or do not belong to it.
    """

    experiment: str
    scale: str
    title: str
    config: dict[str, Any]
    planned: tuple[Planned, ...]
    cells: tuple[CellRecord, ...] = ()
    charts: tuple[Chart, ...] = ()
    failures: dict[str, str] = field(default_factory=dict)
    damaged: dict[str, str] = field(default_factory=dict)

    @cached_property
    def rows(self) -> Rows:
        """All rows of all cells, in the order of the plan."""
        return Rows.joined(cell.rows for cell in self.cells)

    @property
    def missing(self) -> tuple[Planned, ...]:
        """Planned cells that are not there."""
        there = {cell.key for cell in self.cells}
        return tuple(planned for planned in self.planned if planned.key not in there)

    @property
    def is_complete(self) -> bool:
        """Whether every planned cell is there."""
        return not self.missing

    @property
    def status(self) -> str:
        """ "complete", or how many of the cells are there, and how many failed."""
        if self.is_complete:
            return "complete"
        failed = sum(planned.key in self.failures for planned in self.missing)
        told = f", {failed} failed" if failed else ""
        return f"{len(self.cells)} of {len(self.planned)} cells{told}"

    @property
    def preconditions(self) -> dict[str, dict[str, Condition]]:
        """By the key of each cell, the facts that decide whether claims may be judged."""
        return {cell.key: cell.preconditions for cell in self.cells}

    @property
    def cases(self) -> dict[str, dict[str, Any]]:
        """The configuration of each case that has a name."""
        return {planned.case: planned.config for planned in self.planned if planned.case is not None}

    def study(self, verdicts: Iterable[Verdict] = ()) -> Study:
        """What a page shows: all rows, and the pictures and values per class of the first cell that has any.

        Neither says which seed or case it belongs to, so those of several cells would be taken for one.
        """
        shown = [cell for cell in self.cells if cell.pictures or cell.per_class][:1]
        told = []
        if len(self.cells) > 1 and shown:
            told.append(f"Class means and values of single classes are those of {self.called(shown[0].key)}.")
        return Study(
            rows=self.rows,
            per_class=tuple(entry for cell in shown for entry in cell.per_class),
            pictures=tuple(picture for cell in shown for picture in cell.pictures),
            title=self.title,
            clock=next((cell.clock for cell in self.cells if cell.clock is not None), None),
            notes=(*self.notes, *told),
            provenance=self.provenance,
            verdicts=tuple(verdicts),
            charts=self.charts,
            cases=self.cases,
        )

    def to_pandas(self) -> Any:
        """The rows as a data frame; training error and weight-decay time stand beside each trained row.

        These two are joined from the rows of the same seed, case and step, NaN where there are none.

        Raises:
            ImportError: pandas is not installed.
        """
        frame = self.rows.to_pandas()
        return frame.assign(**{measure: _beside(self.rows, measure) for measure in _CONDITIONS})

    @property
    def notes(self) -> tuple[str, ...]:
        """Each note once, with the runs that it comes from where not all of them say it."""
        owners: dict[str, list[str]] = {}
        for cell in self.cells:
            called = ", ".join(filter(None, [cell.case, None if cell.seed is None else f"seed {cell.seed}"]))
            for note in dict.fromkeys(cell.notes):
                owners.setdefault(note, []).append(called)
        unread = set(self.damaged.values())
        failed = [
            f"{self.called(key)} {'cannot be read' if reason in unread else 'failed'}: {reason}"
            for key, reason in self.failures.items()
        ]
        told = [
            note if len(who) == len(self.cells) or not any(who) else f"{'; '.join(who)}: {note}"
            for note, who in owners.items()
        ]
        return (*failed, *told)

    def called(self, key: str) -> str:
        """How a cell is called in sentences: its case and its seed, else its key."""
        for planned in self.planned:
            if planned.key == key:
                parts = [planned.case, None if planned.seed is None else f"seed {planned.seed}"]
                return ", ".join(filter(None, parts)) or "The run"
        return key

    @property
    def provenance(self) -> dict[str, Any]:
        """What all cells share once, and by cell what differs."""
        shared, different = _shared([cell.provenance for cell in self.cells])
        cells = {
            self.called(cell.key): ", ".join(
                f"{name} {cell.provenance[name]}" for name in different if cell.provenance.get(name) is not None
            )
            for cell in self.cells
        }
        return {
            "experiment": self.experiment,
            "scale": self.scale,
            "status": self.status,
            **shared,
            **({"runs": cells} if different else {}),
            "config": self.config,
        }


def _shared(entries: list[Mapping[str, Any]]) -> tuple[dict[str, Any], list[str]]:
    names = list(dict.fromkeys(name for entry in entries for name in entry))
    same = {name: entries[0].get(name) for name in names if all(e.get(name) == entries[0].get(name) for e in entries)}
    return same, [name for name in names if name not in same]


def _beside(rows: Rows, measure: str) -> Float64[np.ndarray, "rows"]:
    """For each trained row the value of `measure` of the same case, seed and step; NaN where there is none."""
    place = np.zeros(len(rows), dtype=np.int64)
    for column in ("case", "seed", "step"):
        entries, codes = rows.coded(column)
        # by equality: 2 and 2.0 are one step
        number = {entry: place for place, entry in enumerate(dict.fromkeys(entries))}
        place = place * max(1, len(number)) + np.array([number[entry] for entry in entries], dtype=np.int64)[codes]
    places, place = np.unique(place, return_inverse=True)
    known = np.full(len(places), math.nan)
    is_known = rows.holds(measure=measure, layer="", split="train")
    known[place[is_known]] = rows.values[is_known]
    return np.where(rows.holds(origin="trained"), known[place], math.nan)
