"""What every table says about a row: the same strings on the page, in a notebook, in a terminal."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from caltrop.report.numbers import number, spread
from caltrop.report.series import layer_name, moment, steps_of, variant
from caltrop.rows import Row


@dataclass(frozen=True)
class Cells:
    """One row as strings; empty where a row says nothing."""

    symbol: str
    measure: str
    value: str
    half_width: str
    resolution: str
    at_collapse: str
    remark: str


def cells(row: Row) -> Cells:
    """A missing value is "–" and its reason stands in the remark; it is never 0."""
    return Cells(
        symbol=row.symbol,
        measure=row.measure,
        value=number(row.value, row.half_width),
        half_width=spread(row.half_width) if math.isfinite(row.value) else "",
        resolution=spread(row.resolution),
        at_collapse="" if row.at_collapse is None else number(row.at_collapse),
        remark=remark(row),
    )


def remark(row: Row) -> str:
    """Reason and note; a missing value without a reason says that too."""
    reason = row.reason or ("no reason recorded" if not math.isfinite(row.value) else None)
    return "; ".join(part for part in (reason, row.note) if part)


def groups(rows: Iterable[Row]) -> dict[str, list[Row]]:
    """Rows by heading (`fc:input · train`), in the order given."""
    found: dict[str, list[Row]] = {}
    for row in rows:
        parts = [layer_name(row.layer), "" if row.split == "all" else row.split, variant(row)]
        found.setdefault(" · ".join(filter(None, parts)), []).append(row)
    return found


def which_step(rows: Sequence[Row], lasts: Sequence[Row], clock: str | None = None) -> str:
    """`epoch 120, the last of 14` — or that there is one look only, or that series end at different steps."""
    steps = steps_of(rows)
    if not steps:
        return "a single look"
    ends = steps_of(lasts)
    if len(ends) > 1:
        return f"last step of each series, {moment(clock, ends[0])} to {moment(clock, ends[-1])}"
    here = moment(clock, ends[0])
    here = here if len(steps) == 1 else f"{here}, the last of {len(steps)}"
    return f"{here}; and what has no {clock or 'step'}" if any(row.step is None for row in lasts) else here
