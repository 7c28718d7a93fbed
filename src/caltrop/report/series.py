"""Rows in the order a page reads them: series over steps, last rows, layers, splits."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Any

from caltrop.report.gathered import Gathered
from caltrop.report.glossary import place
from caltrop.report.numbers import step_number, with_spread
from caltrop.rows import Row, Rows

WHOLE = "whole network"


@dataclass(frozen=True)
class Series:
    """The rows of one measure at one layer, in the order of their steps; never empty."""

    rows: tuple[Row, ...]

    @property
    def layer(self) -> str:
        return self.rows[0].layer

    @property
    def split(self) -> str:
        return self.rows[0].split

    @property
    def measure(self) -> str:
        return self.rows[0].measure

    @property
    def last(self) -> Row:
        return self.rows[-1]

    @property
    def is_level(self) -> bool:
        """Whether it is one number without a step, which holds along all steps: what a closed form gives."""
        return len(self.rows) == 1 and self.rows[0].step is None

    @property
    def finite(self) -> tuple[Row, ...]:
        """The rows that hold a number."""
        return tuple(row for row in self.rows if math.isfinite(row.value))


def all_series(rows: Iterable[Row]) -> tuple[Series, ...]:
    """One series for each origin, seed, case, split, layer and measure, in order of first appearance."""
    groups: dict[tuple[object, ...], list[Row]] = {}
    for row in rows:
        groups.setdefault((row.origin, row.seed, row.case, row.split, row.layer, row.measure), []).append(row)
    return tuple(Series(tuple(sorted(group, key=step_order))) for group in groups.values())


def last_rows(rows: Iterable[Row]) -> tuple[Row, ...]:
    """The last row of every series, by split, then layer, then the glossary's order of measures."""
    lasts = [series.last for series in all_series(rows)]
    splits, layers = splits_of(lasts), layers_of(lasts)
    measures = measures_of(lasts)
    return tuple(
        sorted(
            lasts,
            key=lambda row: (splits.index(row.split), layers.index(row.layer), measures.index(row.measure)),
        )
    )


def distinct(rows: Iterable[Row], column: str) -> tuple[Any, ...]:
    """What a column holds, each entry once, in order of first appearance."""
    if isinstance(rows, Rows):
        return rows.distinct(column)
    return tuple(dict.fromkeys(getattr(row, column) for row in rows))


def layers_of(rows: Iterable[Row]) -> tuple[str, ...]:
    """Layers in order of first appearance (order of execution); whole-network rows come last."""
    layers = distinct(rows, "layer")
    return tuple([layer for layer in layers if layer] + [layer for layer in layers if not layer])


def splits_of(rows: Iterable[Row]) -> tuple[str, ...]:
    """Splits in order of first appearance."""
    return distinct(rows, "split")


def measures_of(rows: Iterable[Row]) -> tuple[str, ...]:
    """Measures in the glossary's order; unknown ones behind, in order of first appearance."""
    return tuple(sorted(distinct(rows, "measure"), key=place))


def steps_of(rows: Iterable[Row]) -> tuple[int | float, ...]:
    """Distinct steps, ascending; empty for a single look."""
    return tuple(sorted({step for step in distinct(rows, "step") if step is not None}))


def step_order(row: Row) -> float:
    """Rows without a step stand before all others."""
    return -math.inf if row.step is None else float(row.step)


def named(layers: Sequence[str]) -> int:
    """How many of `layers` are layers, not the network as a whole (which `layers_of` puts last)."""
    return sum(bool(layer) for layer in layers)


def layer_name(layer: str) -> str:
    """How a layer is called in prose."""
    return layer or WHOLE


def moment(clock: str | None, step: int | float | None) -> str:
    """`epoch 120`, `step 3`, or nothing where no step was given."""
    if step is None:
        return ""
    return f"{clock or 'step'} {step_number(step)}"


def reach(row: Row) -> tuple[float, float] | None:
    """How far the row reaches: least and largest of what it gathers, else its 95 % half-width; None where unknown."""
    if isinstance(row, Gathered):
        return row.ends
    if row.half_width is None or not math.isfinite(row.half_width):
        return None
    return row.value - row.half_width, row.value + row.half_width


def spoken(row: Row) -> str:
    """The value with its half-width, or what a gathered row stands for."""
    return row.says() if isinstance(row, Gathered) else with_spread(row.value, row.half_width)


def listed(names: Sequence[str], most: int = 8) -> str:
    """`a, b and c`; long lists by their ends."""
    if len(names) > most:
        return f"{names[0]}, {names[1]}, … {names[-1]}"
    return names[0] if len(names) == 1 else f"{', '.join(names[:-1])} and {names[-1]}" if names else ""


def unseeded(rows: Iterable[Row]) -> tuple[Row, ...]:
    """The same rows without their seed where there is only one: it tells nothing apart."""
    rows = tuple(rows)
    if len({row.seed for row in rows if row.seed is not None}) > 1:
        return rows
    return tuple(replace(row, seed=None) for row in rows)


def variant(row: Row) -> str:
    """What tells apart two series of one layer and split: origin, case and seed, where they are not the usual ones."""
    parts = [part for part in ("" if row.origin == "trained" else row.origin, row.case or "") if part]
    return ", ".join(parts if row.seed is None else [*parts, f"seed {row.seed}"])
