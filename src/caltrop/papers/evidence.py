"""What a claim is judged from: rows, the configuration of each case, and what was noted about each run."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from caltrop.record import Record
from caltrop.rows import Rows

Condition = float | int | str | bool | None


@dataclass(frozen=True)
class Evidence:
    """The measured side of a claim.

    `cases` maps a row's `case` to its configuration; `conditions` maps what a run is called ("seed 1") to what
    was noted about it (training error at the end, weight-decay time, contradictory labels, …); `missing` says
    which planned runs are not there, and why.
    """

    rows: Rows
    cases: Mapping[str | None, Mapping[str, Any]] = field(default_factory=dict)
    conditions: Mapping[str, Mapping[str, Condition]] = field(default_factory=dict)
    missing: tuple[str, ...] = ()

    @classmethod
    def of(cls, record: Record) -> Evidence:
        """The evidence that a record holds."""
        return cls(
            rows=record.rows,
            cases={cell.case: cell.config for cell in record.cells},
            conditions={called(cell.case, cell.seed): cell.preconditions for cell in record.cells},
            missing=tuple(
                f"{called(planned.case, planned.seed)}: {record.failures.get(planned.key, 'not run yet')}"
                for planned in record.missing
            ),
        )

    def about(self, cases: str) -> Evidence:
        """What there is of the cases whose name starts so; everything where `cases` is empty."""
        if not cases:
            return self
        kept = {case: config for case, config in self.cases.items() if (case or "").startswith(cases)}
        return Evidence(
            rows=self.rows.where(case=set(kept)),
            cases=kept,
            conditions={run: held for run, held in self.conditions.items() if run.startswith(cases)},
            missing=tuple(run for run in self.missing if run.startswith(cases)),
        )

    def unmet(self, name: str, good: Any, told: str) -> str | None:
        """A sentence naming the runs whose condition `name` is not recorded, or fails `good`; None if all hold.

        `told` is a sentence's end with {value}: "training error is {value}".
        """
        if not self.conditions:
            return "nothing was run"
        bad = []
        for run, conditions in self.conditions.items():
            value = conditions.get(name)
            if value is None:
                bad.append(f"{run}: {name} is not recorded")
            elif not good(value):
                shown = f"{value:.4g}" if isinstance(value, float) else str(value)
                bad.append(f"{run}: {told.format(value=shown)}")
        return "; ".join(bad) or None


def called(case: str | None, seed: int | None) -> str:
    """How a run is called in sentences: its case and its seed."""
    parts = [case, None if seed is None else f"seed {seed}"]
    return ", ".join(part for part in parts if part) or "the run"
