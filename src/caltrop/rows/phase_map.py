"""A phase map: what wins, or how much there is of something, in each cell of two axes."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any, TypeVar

from caltrop.rows.strict import jsonable

T = TypeVar("T")


@dataclass(frozen=True)
class MapLine:
    """A line over a map: where it crosses each of the map's rows, as a value of the axis along the columns.

    NaN where it does not cross a row. `says` is what it divides, in a few words.
    """

    name: str
    places: tuple[float, ...]
    says: str = ""


@dataclass(frozen=True)
class PhaseMap:
    """Cells over two axes: a category in each, numbers in each, or both.

    title, says, group
        What is mapped, a caption, and the heading under which maps stand together.
    across, up
        Names of the axes along columns and along rows.
    columns, rows
        Values of the axes, strictly increasing.
    categories
        A name for each cell, [rows][columns]; empty where cells have none.
    numbers
        By name, a number for each cell, [rows][columns]; NaN where there is none.
    shown
        The one of `numbers` that shades cells where there are no categories, a share in [0, 1].
    between
        The two of `numbers` that bound the shown one, such as an interval's ends.
    lines
        Thresholds, drawn over the cells.

    Raises ValueError where parts do not fit together.
    """

    title: str
    across: str
    up: str
    columns: tuple[float, ...]
    rows: tuple[float, ...]
    categories: tuple[tuple[str, ...], ...] = ()
    numbers: Mapping[str, tuple[tuple[float, ...], ...]] = field(default_factory=dict)
    shown: str | None = None
    between: tuple[str, str] | None = None
    lines: tuple[MapLine, ...] = ()
    says: str = ""
    group: str = ""

    def __post_init__(self) -> None:
        for axis, values in ((self.across, self.columns), (self.up, self.rows)):
            finite = all(map(math.isfinite, values))
            if not (values and finite and all(low < high for low, high in pairwise(values))):
                raise self._wrong(f"its axis {axis} does not increase from value to value")
        grids: list[tuple[str, Sequence[Sequence[object]]]] = list(self.numbers.items())
        grids += [("categories", self.categories)] if self.categories else []
        for name, grid in grids:
            if len(grid) != len(self.rows) or any(len(line) != len(self.columns) for line in grid):
                raise self._wrong(f"{name} has not {len(self.rows)} rows of {len(self.columns)}")
        for line in self.lines:
            if len(line.places) != len(self.rows):
                raise self._wrong(f"the line '{line.name}' has not a place for each of {len(self.rows)} rows")
        missing = {self.shown, *(self.between or ())} - {None, *self.numbers}
        if missing:
            raise self._wrong(f"there is no number '{next(iter(missing))}'")
        if self.shown is not None and not all(
            math.isnan(share) or 0 <= share <= 1 for line in self.numbers[self.shown] for share in line
        ):
            raise self._wrong(f"'{self.shown}' is no share in [0, 1]")
        if not self.categories and self.shown is None:
            raise self._wrong("it has neither categories nor a number to show")

    def as_dict(self) -> dict[str, Any]:
        """Strict JSON: what is not finite is null."""
        return {
            "title": self.title,
            "group": self.group,
            "says": self.says,
            "across": self.across,
            "up": self.up,
            "columns": jsonable(self.columns),
            "rows": jsonable(self.rows),
            "categories": jsonable(self.categories),
            "numbers": jsonable(self.numbers),
            "shown": self.shown,
            "between": jsonable(self.between),
            "lines": [{"name": line.name, "places": jsonable(line.places), "says": line.says} for line in self.lines],
        }

    @classmethod
    def from_dict(cls, entry: Mapping[str, Any]) -> PhaseMap:
        """The inverse of `as_dict`; ValueError where parts do not fit together."""
        between = entry.get("between")
        return cls(
            title=str(entry["title"]),
            across=str(entry["across"]),
            up=str(entry["up"]),
            columns=tuple(map(_number, entry["columns"])),
            rows=tuple(map(_number, entry["rows"])),
            categories=_grid(entry.get("categories", ()), str),
            numbers={str(name): _grid(grid, _number) for name, grid in entry.get("numbers", {}).items()},
            shown=entry.get("shown"),
            between=None if between is None else (str(between[0]), str(between[1])),
            lines=tuple(
                MapLine(str(line["name"]), tuple(map(_number, line["places"])), str(line.get("says", "")))
                for line in entry.get("lines", ())
            ),
            says=str(entry.get("says", "")),
            group=str(entry.get("group", "")),
        )

    def _wrong(self, why: str) -> ValueError:
        return ValueError(f"the map '{self.title}' cannot be: {why}.")


def _grid(lines: Iterable[Iterable[Any]], read: Callable[[Any], T]) -> tuple[tuple[T, ...], ...]:
    return tuple(tuple(map(read, line)) for line in lines)


def _number(value: Any) -> float:
    return math.nan if value is None else float(value)
