"""Many rows as few: seeds, near steps and near layers drawn as one, with how far they reach.

Nothing is dropped: a gathered row stands for all its rows, by mean, least and largest, and says how many there
are. What was gathered is told in sentences for the reader.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Int64

from caltrop.report.numbers import number, step_number
from caltrop.rows import Row, Rows

# a chart 344 units wide shows no more steps than this, and a page of more points no longer scrolls smoothly
MOST_STEPS = 100
FEWEST_STEPS = 12
MOST_LAYERS = 16
LAYER_GROUPS = 9
MOST_POINTS = 24_000


@dataclass(frozen=True)
class Gathered(Row):
    """A row that stands for `count` rows: `value` is their mean, `least` and `largest` how far they reach.

    `of` says what was gathered ("3 seeds"). Rows without a finite value are not averaged in; the note counts them.
    """

    least: float = math.nan
    largest: float = math.nan
    count: int = 1
    of: str = ""

    def reach(self) -> str:
        """`mean of 3 seeds, 0.0149 to 0.0166`."""
        return f"mean of {self.of}, {number(self.least)} to {number(self.largest)}"


def gathered(rows: Sequence[Row], *, by_case: bool = True) -> tuple[tuple[Row, ...], tuple[str, ...]]:
    """The rows to draw, and sentences that say what was gathered; rows that stand alone come back as they are.

    Seeds are gathered always. Cases are too unless `by_case`. Steps and layers only where there are too many to draw.
    """
    table = Rows.of(rows)
    if len(table) == 0:
        return (), ()
    layers, layer_names, told_layers = _layer_groups(table)
    keys = [table.codes("origin"), table.codes("split"), layers, table.codes("measure")]
    keys += [table.codes("case")] if by_case else []
    series = len(np.unique(_combined(keys)))
    steps, told_steps = _step_groups(table, series)
    groups, inverse, counts = np.unique(_combined([*keys, steps]), return_inverse=True, return_counts=True)
    if len(groups) == len(table):
        return tuple(rows), ()
    seeds, cases = len(table.distinct("seed")), len(table.distinct("case"))
    told = _told(seeds, cases, by_case, told_steps, told_layers)
    of = [f"{seeds} seeds"] if seeds > 1 else []
    of += [f"{cases} cases"] if cases > 1 and not by_case else []
    order = np.argsort(inverse, kind="stable")
    starts = np.concatenate([[0], np.cumsum(counts)])
    firsts = order[starts[:-1]]
    return tuple(_rows(table, order, starts, firsts, layer_names, " and ".join(of), told_layers)), told


def _rows(
    table: Rows,
    order: Int64[np.ndarray, "rows"],
    starts: Int64[np.ndarray, "ends"],
    firsts: Int64[np.ndarray, "groups"],
    layer_names: Sequence[str],
    of: str,
    told_layers: str,
) -> list[Row]:
    values = table.values[order]
    finite = np.isfinite(values)
    sums = np.add.reduceat(np.where(finite, values, 0.0), starts[:-1])
    numbers = np.add.reduceat(finite.astype(np.int64), starts[:-1])
    least = np.minimum.reduceat(np.where(finite, values, math.inf), starts[:-1])
    largest = np.maximum.reduceat(np.where(finite, values, -math.inf), starts[:-1])
    # in the order of their first rows, so that layers and splits keep their order
    out = []
    for group in np.argsort(firsts, kind="stable").tolist():
        count = int(starts[group + 1] - starts[group])
        # the last row of a group gives its step: a group of steps stands where it ends
        row = table[int(order[starts[group + 1] - 1])]
        good = int(numbers[group])
        name = layer_names[int(table.codes("layer")[firsts[group]])] if told_layers else row.layer
        if count == 1:
            out.append(row if name == row.layer else _renamed(row, name))
            continue
        out.append(
            Gathered(
                layer=name,
                measure=row.measure,
                symbol=row.symbol,
                value=float(sums[group] / good) if good else row.value,
                origin=row.origin,
                case=row.case,
                split=row.split,
                step=row.step,
                at_collapse=row.at_collapse,
                reason=None if good else row.reason,
                note=f"{count - good} of {count} are not finite" if 0 < good < count else row.note,
                least=float(least[group]) if good else math.nan,
                largest=float(largest[group]) if good else math.nan,
                count=count,
                of=of if of and not told_layers else f"{count} rows",
            )
        )
    return out


def _renamed(row: Row, layer: str) -> Row:
    return Row(**{**{name: getattr(row, name) for name in Row.__dataclass_fields__}, "layer": layer})


def _combined(codes: Sequence[np.ndarray]) -> Int64[np.ndarray, "rows"]:
    """One number for each combination of codes."""
    key = np.zeros(len(codes[0]), dtype=np.int64)
    for code in codes:
        key = key * (int(code.max(initial=0)) + 1) + code
    return key


def _step_groups(table: Rows, series: int) -> tuple[np.ndarray, str]:
    """A group number for each row; rows without a step are a group of their own."""
    steps = table.steps
    distinct = np.unique(steps[~np.isnan(steps)])
    most = int(min(MOST_STEPS, max(FEWEST_STEPS, MOST_POINTS // max(1, series))))
    place = np.searchsorted(distinct, np.where(np.isnan(steps), -math.inf, steps))
    if len(distinct) <= most:
        return np.where(np.isnan(steps), 0, place + 1), ""
    # the first and the last step stand alone: they are what sentences speak of
    groups = np.concatenate([[0], 1 + np.arange(len(distinct) - 2) * (most - 2) // (len(distinct) - 2), [most - 1]])
    told = (
        f"{len(distinct):,} steps ({step_number(distinct[0])} to {step_number(distinct[-1])}) are drawn as {most} "
        "groups: mean, least and largest of each, at its last step."
    )
    return np.where(np.isnan(steps), 0, groups[np.minimum(place, len(distinct) - 1)] + 1), told


def _layer_groups(table: Rows) -> tuple[np.ndarray, list[str], str]:
    """A group number for each row, the group's name for each layer code, and what to tell; the last stands alone."""
    codes = table.codes("layer")
    names = {layer: layer for layer in table.distinct("layer")}
    named = [layer for layer in names if layer]
    if len(named) > MOST_LAYERS:
        front = named[:-1]
        for group in range(LAYER_GROUPS - 1):
            part = [layer for i, layer in enumerate(front) if i * (LAYER_GROUPS - 1) // len(front) == group]
            title = part[0] if len(part) == 1 else f"{part[0]} … {part[-1]}"
            names.update(dict.fromkeys(part, title))
    titles = list(dict.fromkeys(names.values()))
    by_code = [""] * (int(codes.max()) + 1)
    first = {layer: int(codes[place]) for place, layer in _first_places(table)}
    for layer, code in first.items():
        by_code[code] = names[layer]
    numbers = np.array([titles.index(name) if name in titles else 0 for name in by_code])
    told = ""
    if len(named) > MOST_LAYERS:
        told = f"{len(named)} layers are drawn in {LAYER_GROUPS} groups of neighbours: mean, least and largest of each."
    return numbers[codes], by_code, told


def _first_places(table: Rows) -> list[tuple[int, str]]:
    _, places = np.unique(table.codes("layer"), return_index=True)
    return [(int(place), table[int(place)].layer) for place in places]


def _told(seeds: int, cases: int, by_case: bool, steps: str, layers: str) -> tuple[str, ...]:
    told = []
    if seeds > 1:
        told.append(f"Lines are means over {seeds} seeds; bands and whiskers reach from the least to the largest.")
    if cases > 1 and not by_case:
        told.append(f"Cards of single measures show means over {cases} cases, with the least and the largest.")
    return (*told, *filter(None, [steps, layers]))
