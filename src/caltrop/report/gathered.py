"""A row that stands for several: their mean, how far they reach, and what they are."""

from __future__ import annotations

import math
from dataclasses import dataclass

from caltrop.report.numbers import number, step_number
from caltrop.rows import Row


@dataclass(frozen=True)
class Gathered(Row):
    """A row that stands for `count` finite numbers: `value` is their mean, `least` and `largest` how far they reach.

    `of` says what they are ("3 seeds"). Where it stands for several steps, `step` is the last of them and `since`
    the first. Numbers that are not finite are not averaged in; `note` counts them.
    """

    least: float = math.nan
    largest: float = math.nan
    count: int = 1
    of: str = ""
    since: int | float | None = None

    @property
    def ends(self) -> tuple[float, float]:
        """Least and largest."""
        return self.least, self.largest

    def says(self) -> str:
        """`mean 0.0157, 0.0149 to 0.0166, 3 seeds`; a single number alone, and what it is one of."""
        return f"{'mean ' if self.least < self.largest else ''}{number(self.value)}, {self.told()}"

    def told(self) -> str:
        """What stands beside the mean: `0.0149 to 0.0166, 3 seeds`."""
        if not self.least < self.largest:
            return self.of
        return f"{number(self.least)} to {number(self.largest)}, {self.of}"


def when(row: Row, clock: str | None) -> str:
    """`epoch 120`, `epoch 101 to 120` of a row that stands for several steps, or nothing where there is no step."""
    if row.step is None:
        return ""
    since = row.since if isinstance(row, Gathered) and row.since not in (None, row.step) else None
    first = "" if since is None else f"{step_number(since)} to "
    return f"{clock or 'step'} {first}{step_number(row.step)}"
