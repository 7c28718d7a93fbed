"""A record: what a run was to compute, and what is there."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

from caltrop.record.cell import CellRecord, Planned
from caltrop.rows import Chart, Row, Rows, Study, Verdict

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
    def cases(self) -> dict[str, dict[str, Any]]:
        """The configuration of each case that has a name."""
        return {planned.case: planned.config for planned in self.planned if planned.case is not None}

    def study(self, verdicts: Iterable[Verdict] = ()) -> Study:
        """What a page shows: all rows, and the pictures and values per class of the first cell alone.

        Neither says which seed or case it belongs to, so those of several cells would be taken for one.
        """
        shown = self.cells[:1]
        told = []
        if len(self.cells) > 1 and any(cell.pictures or cell.per_class for cell in shown):
            told.append(f"Class means and values of single classes are those of {self.called(shown[0].key)}.")
        return Study(
            rows=self.rows,
            per_class=tuple(entry for cell in shown for entry in cell.per_class),
            pictures=tuple(picture for cell in shown for picture in cell.pictures),
            title=self.title,
            clock=next((cell.clock for cell in self.cells if cell.clock is not None), None),
            notes=(*self._notes(), *told),
            provenance=self._provenance(),
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
        try:
            import pandas
        except ImportError as error:
            raise ImportError("to_pandas needs pandas: pip install pandas") from error
        frame = pandas.DataFrame([vars(row) for row in self.rows], columns=list(Row.__dataclass_fields__))
        known = {
            measure: {(row.case, row.seed, row.step): row.value for row in self.rows.where(measure=measure, layer="")}
            for measure in _CONDITIONS
        }
        for measure, values in known.items():
            found = [
                values.get((row.case, row.seed, row.step), math.nan) if row.origin == "trained" else math.nan
                for row in self.rows
            ]
            frame[measure] = found
        return frame

    def _notes(self) -> tuple[str, ...]:
        """Each note once, with the runs that it comes from where not all of them say it."""
        owners: dict[str, list[str]] = {}
        for cell in self.cells:
            called = ", ".join(filter(None, [cell.case, None if cell.seed is None else f"seed {cell.seed}"]))
            for note in dict.fromkeys(cell.notes):
                owners.setdefault(note, []).append(called)
        failed = [f"{self.called(key)} failed: {reason}" for key, reason in self.failures.items()]
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

    def _provenance(self) -> dict[str, Any]:
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
