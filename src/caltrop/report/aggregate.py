"""Many rows as few: seeds, near steps and near layers as one row each, by mean, least and largest.

Nothing is dropped, and `Aggregated.told` says in sentences for the reader what was gathered. Works on columns, so
that a million rows take a second; everything behind it sees what a page can draw.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, fields
from typing import Any

import numpy as np
from jaxtyping import Int64

from caltrop.report.gathered import Gathered
from caltrop.report.numbers import step_number
from caltrop.report.scales import step_scale
from caltrop.rows import Row, Rows

# charts are at most 344 units wide: more steps than this could not be told apart
MOST_STEPS = 100
FEWEST_STEPS = 12
MOST_LAYERS = 16
# points on all charts of a page together: about 3 MB, and what still scrolls smoothly
MOST_POINTS = 24_000
_SERIES = ("origin", "split", "measure")
_COLUMNS = tuple(column.name for column in fields(Row))


@dataclass(frozen=True)
class Aggregated:
    """The rows to draw, and what they gather.

    `seeds` and `cases` count what was gathered into one (0 for nothing); `steps` and `layers` are sentences about
    groups, empty where there are none; `groups` names the group of each layer.
    """

    rows: tuple[Row, ...]
    seeds: int = 0
    cases: int = 0
    steps: str = ""
    layers: str = ""
    groups: Mapping[str, str] = field(default_factory=dict)

    def told(self, table: bool = False) -> tuple[str, ...]:
        """What a reader must know, in sentences: beside charts, or beside a table of last steps."""
        seeds = f"Line: mean over {self.seeds} seeds; band or whisker: least to largest."
        if table:
            seeds = f"Mean over {self.seeds} seeds, with the least and the largest of them."
        cases = f"The {self.cases} cases of the sweep are shown as one: mean, least and largest of them."
        steps = "" if table else self.steps
        return tuple(filter(None, (seeds if self.seeds else "", cases if self.cases else "", steps, self.layers)))


def aggregate(rows: Sequence[Row], *, by_case: bool = False, clock: str | None = None) -> Aggregated:
    """Seeds as one, and cases too unless `by_case`; steps and layers only where there are too many to draw.

    Rows come back as they are where each of them stands alone.
    """
    table = Rows.of(rows)
    if len(table) == 0:
        return Aggregated(())
    fixed = [table.codes(column) for column in (*_SERIES, *(["case"] if by_case else []))]
    for most in (None, 9, 3):
        layers = _LayerGroups.of(table, most)
        series = len(np.unique(_combined([*fixed, layers.codes])))
        if layers.fits and series * FEWEST_STEPS <= MOST_POINTS:
            break
    steps, told_steps = _step_groups(table, max(2, MOST_POINTS // series), clock)
    summed = _Summed.of(table, _combined([*fixed, layers.codes, steps]), layers.names if layers.told else None)
    if len(summed.starts) - 1 == len(table):
        return Aggregated(tuple(rows))
    seeds, cases = summed.total("seed"), summed.total("case")
    return Aggregated(
        tuple(summed.rows(by_case)),
        seeds if seeds > 1 else 0,
        cases if cases > 1 and not by_case else 0,
        told_steps,
        layers.told,
        layers.names if layers.told else {},
    )


def ends(rows: Sequence[Row]) -> Rows:
    """The last row of every origin, seed, case, split, layer and measure."""
    table = Rows.of(rows)
    if len(table) == 0:
        return table
    series = _combined([table.codes(column) for column in (*_SERIES, "layer", "case", "seed")])
    steps = np.where(np.isnan(table.steps), -math.inf, table.steps)
    order = np.lexsort((steps, series))
    is_last = np.append(series[order][1:] != series[order][:-1], True)
    kept = np.zeros(len(table), dtype=bool)
    kept[order[is_last]] = True
    return table[kept]


@dataclass(frozen=True)
class _LayerGroups:
    """A number for each row and a name for each layer; `fits` is False where there are more than can be drawn."""

    codes: Int64[np.ndarray, "rows"]
    names: dict[str, str]
    told: str
    fits: bool

    @classmethod
    def of(cls, table: Rows, most: int | None) -> _LayerGroups:
        """All layers for themselves, or `most` groups of neighbours, in which the last layer stands alone."""
        named = [layer for layer in table.distinct("layer") if layer]
        names = {layer: layer for layer in table.distinct("layer")}
        if most is None or len(named) <= most:
            return cls(table.codes("layer").astype(np.int64), names, "", most is not None or len(named) <= MOST_LAYERS)
        parts: dict[int, list[str]] = {}
        for place, layer in enumerate(named[:-1]):
            parts.setdefault(place * (most - 1) // (len(named) - 1), []).append(layer)
        for part in parts.values():
            names.update(dict.fromkeys(part, _spanning(part[0], part[-1])))
        codes, first = np.unique(table.codes("layer"), return_index=True)
        titles = list(dict.fromkeys(names.values()))
        by_code = np.zeros(int(codes.max()) + 1, dtype=np.int64)
        for code, place in zip(codes.tolist(), first.tolist(), strict=True):
            by_code[code] = titles.index(names[table[place].layer])
        told = f"{len(named)} layers are drawn in {most} groups of neighbours (the last layer alone)."
        return cls(by_code[table.codes("layer")], names, told, True)


@dataclass(frozen=True)
class _Summed:
    """Rows sorted into groups: `order` lists them group by group, `starts` where each group begins, and the end."""

    table: Rows
    order: Int64[np.ndarray, "rows"]
    starts: Int64[np.ndarray, "ends"]
    inverse: Int64[np.ndarray, "rows"]
    titles: Mapping[str, str] | None

    @classmethod
    def of(cls, table: Rows, keys: Int64[np.ndarray, "rows"], titles: Mapping[str, str] | None) -> _Summed:
        _, inverse, counts = np.unique(keys, return_inverse=True, return_counts=True)
        starts = np.concatenate([[0], np.cumsum(counts)]).astype(np.int64)
        return cls(table, np.argsort(inverse, kind="stable"), starts, inverse.astype(np.int64), titles)

    def distinct(self, column: str) -> Int64[np.ndarray, "groups"]:
        """How many different entries of `column` each group holds; no seed is no entry."""
        codes = self.table.codes(column).astype(np.int64)
        span = int(codes.max()) + 1
        pairs = np.unique(self.inverse * span + codes)
        if column == "seed":
            pairs = pairs[~np.isin(pairs % span, self._unseeded())]
        return np.bincount(pairs // span, minlength=len(self.starts) - 1).astype(np.int64)

    def total(self, column: str) -> int:
        """How many different entries of `column` all rows hold; no seed is no entry."""
        return sum(column != "seed" or entry is not None for entry in self.table.distinct(column))

    def rows(self, by_case: bool) -> Iterator[Row]:
        """One row for each group, in the order of the groups' first rows."""
        values = self.table.values[self.order]
        finite = np.isfinite(values)
        counts = self._over(np.add, finite.astype(np.int64))
        means = self._over(np.add, np.where(finite, values, 0.0)) / np.maximum(counts, 1)
        least = self._over(np.minimum, np.where(finite, values, math.inf))
        largest = self._over(np.maximum, np.where(finite, values, -math.inf))
        steps = self.table.steps[self.order]
        since = self._over(np.minimum, steps)
        until = self._over(np.maximum, steps)
        resolutions = self.table.numbers("resolution")[self.order]
        resolution = self._over(np.fmax, resolutions)
        same = {column: self._same(column) for column in ("note", "reason", "at_collapse", "case")}
        of = self._of(by_case)
        firsts = self.order[self.starts[:-1]]
        chosen = np.zeros(len(self.table), dtype=bool)
        chosen[firsts] = True
        for group, row in zip(np.argsort(firsts, kind="stable").tolist(), self.table[chosen], strict=True):
            size, count = int(self.starts[group + 1] - self.starts[group]), int(counts[group])
            if size == 1 and not of[group]:
                yield _with(row, layer=self._title(row.layer))
                continue
            # the mean of equal numbers may differ from them in the last bit
            mean = min(max(float(means[group]), float(least[group])), float(largest[group])) if count else row.value
            reason = None if count else row.reason if same["reason"][group] else f"{row.reason} (and other reasons)"
            yield Gathered(
                layer=self._title(row.layer),
                measure=row.measure,
                symbol=row.symbol,
                value=mean,
                origin=row.origin,
                case=row.case if same["case"][group] else None,
                split=row.split,
                step=_whole(float(until[group])),
                resolution=None if math.isnan(resolution[group]) else float(resolution[group]),
                at_collapse=row.at_collapse if same["at_collapse"][group] else None,
                reason=reason,
                note=_note(size, count, row.note if same["note"][group] else None),
                least=float(least[group]) if count else math.nan,
                largest=float(largest[group]) if count else math.nan,
                count=count,
                of=of[group] or f"{size} numbers",
                since=_whole(float(since[group])),
            )

    def _of(self, by_case: bool) -> list[str]:
        """What each group holds: `3 seeds × 10 steps`; empty where that is one thing of each kind there is."""
        kinds = ["seed", *([] if by_case else ["case"]), *([] if self.titles is None else ["layer"]), "step"]
        totals = {column: self.total(column) for column in kinds}
        several = {column: self.distinct(column) for column in kinds if totals[column] > 1}
        out = []
        for group, size in enumerate(np.diff(self.starts).tolist()):
            parts, product = [], 1
            for column, counts in several.items():
                count = int(counts[group])
                if column == "seed" and 0 < count < totals[column]:
                    parts.append(f"{count} of {totals[column]} seeds")
                elif count > 1:
                    parts.append(f"{count} {column}s")
                product *= max(1, count)
            told = " × ".join(parts)
            out.append(told if product == size or not told else f"{size} numbers of {told}")
        return out

    def _same(self, column: str) -> np.ndarray:
        codes = self.table.codes(column)[self.order]
        same: np.ndarray = self._over(np.minimum, codes) == self._over(np.maximum, codes)
        return same

    def _over(self, quantity: np.ufunc, numbers: np.ndarray) -> Any:
        return quantity.reduceat(numbers, self.starts[:-1])

    def _unseeded(self) -> list[int]:
        seeds = self.table.codes("seed")
        codes, places = np.unique(seeds, return_index=True)
        return [
            code for code, place in zip(codes.tolist(), places.tolist(), strict=True) if self.table[place].seed is None
        ]

    def _title(self, layer: str) -> str:
        return layer if self.titles is None else self.titles[layer]


def _step_groups(table: Rows, most: int, clock: str | None) -> tuple[Int64[np.ndarray, "rows"], str]:
    """A group number for each row; rows without a step are a group of their own, number 0."""
    steps = table.steps
    known = ~np.isnan(steps)
    distinct = np.unique(steps[known])
    most = min(MOST_STEPS, most)
    if len(distinct) <= most:
        return np.where(known, np.searchsorted(distinct, steps) + 1, 0), ""
    # as wide as they look on the axis, so that early steps on a logarithmic one are not thrown together; the first
    # and the last stand alone, since sentences speak of them
    axis = step_scale(distinct[[0, 1, -1]].tolist(), 0.0, 1.0)
    places = np.array([axis.at(step) for step in distinct.tolist()])
    groups = np.minimum((places * (most - 2)).astype(np.int64), most - 3) + 1
    groups[0], groups[-1] = 0, most - 1
    _, groups = np.unique(groups, return_inverse=True)
    told = (
        f"{len(distinct)} steps ({clock or 'step'} {step_number(distinct[0])} to {step_number(distinct[-1])}) are "
        f"shown as {int(groups[-1]) + 1} groups: mean, least and largest of each."
    )
    return np.where(known, groups[np.minimum(np.searchsorted(distinct, steps), len(distinct) - 1)] + 1, 0), told


def _spanning(first: str, last: str) -> str:
    """`blocks.3 … 5`: both ends of a group of layers, the second without the modules that it shares with the first."""
    if first == last:
        return first
    here, there = first.split("."), last.split(".")
    shared = next(place for place, name in enumerate(there) if here[place : place + 1] != [name])
    return f"{first} … {'.'.join(there[shared:])}"


def _combined(codes: Sequence[np.ndarray]) -> Int64[np.ndarray, "rows"]:
    """One number for each combination of codes."""
    key = np.zeros(len(codes[0]), dtype=np.int64)
    span = 1
    for code in codes:
        width = int(code.max(initial=0)) + 1
        if span * width > 2**62:
            _, key = np.unique(key, return_inverse=True)
            span = int(key.max()) + 1
        key, span = key * width + code, span * width
    return key


def _with(row: Row, **changed: Any) -> Row:
    if all(getattr(row, name) == value for name, value in changed.items()):
        return row
    return Row(**{**{column: getattr(row, column) for column in _COLUMNS}, **changed})


def _note(size: int, count: int, note: str | None) -> str | None:
    missing = f"{size - count} of {size} have no finite value" if 0 < count < size else None
    return "; ".join(filter(None, [missing, note])) or None


def _whole(step: float) -> int | float | None:
    if math.isnan(step):
        return None
    return int(step) if step == int(step) else step
