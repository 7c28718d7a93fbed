"""One measure over layers at the last step: a line for each layer, a marker for each split, values beside."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace

from caltrop.report.curves import below_resolution, extent
from caltrop.report.drawing import WIDTH, Drawing, line, marks, path, svg, text
from caltrop.report.gathered import when
from caltrop.report.legend import Legend
from caltrop.report.markup import coordinate, shorten
from caltrop.report.numbers import MISSING, brief, tick, typeset
from caltrop.report.palette import MARKERS
from caltrop.report.scales import Scale, value_scale
from caltrop.report.series import layer_name, layers_of, named, reach, splits_of, spoken, variant
from caltrop.rows import Row

_NAMES, _VALUE, _LINE, _HEAD, _FOOT = 122.0, 50.0, 19.0, 20.0, 20.0
_SPLIT_MARKERS = (MARKERS[0], MARKERS[2], MARKERS[1], MARKERS[3])


def profile(rows: Sequence[Row], legend: Legend, clock: str | None, label: str) -> Drawing:
    """The last rows of one measure; `legend` fixes colours, markers and lines across charts."""
    splits = splits_of(rows)
    columns = len(splits) if len(splits) <= 2 else 0
    own = layers_of(rows)
    height = _HEAD + _LINE * len(own)
    across = value_scale(*extent(rows), _NAMES + 6, WIDTH - 8 - _VALUE * columns)
    body = _frame(across, rows, height, labelled=columns > 0)
    body += _heads(splits, columns)
    points: list[tuple[float, float, str, str]] = []
    for index, layer in enumerate(own):
        y = _HEAD + _LINE * (index + 0.5)
        here = [row for row in rows if row.layer == layer]
        body += _name(here[0], legend, y)
        body += _row(here, across, y, splits, legend)
        body += _values(here, y, splits[:columns])
        points += [_hover(row, across, y, clock) for row in here if not math.isnan(row.value)]
    return Drawing(svg(body, height + _FOOT, label, "profile"), tuple(points))


def _frame(across: Scale, rows: Sequence[Row], bottom: float, labelled: bool) -> list[str]:
    ticks = across.ticks(3)
    grid = "".join(f"M{coordinate(across.at(value))} {coordinate(_HEAD)}V{coordinate(bottom)}" for value in ticks)
    body = [path(grid, "grid")]
    body += [text(across.at(value), bottom + 14, typeset(tick(value)), anchor="middle") for value in ticks]
    ideals = sorted({row.at_collapse for row in rows if row.at_collapse is not None})
    body += [
        path(f"M{coordinate(across.at(value))} {coordinate(_HEAD - 4)}V{coordinate(bottom)}", "ideal")
        for value in ideals
        if math.isfinite(value)
    ]
    if labelled and ideals and math.isfinite(ideals[0]):
        words = f"exact collapse: {typeset(brief(ideals[-1]))}"
        wide = 5.8 * len(words)
        left = min(max(_NAMES, across.at(ideals[-1]) - wide / 2), across.end + 8 - wide)
        body.append(text(max(left, _NAMES - 20), 11, words, "halo"))
    return body


def _heads(splits: Sequence[str], columns: int) -> list[str]:
    """Names of the splits with their markers: over the value columns, or in one line where there are many."""
    if not columns:
        names = [shorten(split, 12) for split in splits[:4]]
        return [text(6 + 84 * index, 11, name, "head") + _key(84.0 * index, index) for index, name in enumerate(names)]
    body = []
    for index, split in enumerate(splits[:columns]):
        right = WIDTH - _VALUE * (columns - 1 - index)
        name = "value" if splits == ("all",) else shorten(split, 7)
        body.append(text(right, 11, name, "head", "end"))
        if len(splits) > 1:
            body.append(_key(right - 6.3 * len(name) - 8, index))
    return body


def _key(x: float, index: int) -> str:
    return path(marks([(x, 7.0)], _SPLIT_MARKERS[index % 4]), f"split{index % 4}")


def _name(row: Row, legend: Legend, y: float) -> list[str]:
    """The layer's name after a piece of its line in the curves, which makes this chart their legend."""
    last = legend.place(row.layer) == named(legend.layers) - 1
    look = legend.style(replace(row, origin="trained"))
    return [
        f'<g class="{look.colour} key">',
        path(line([(1.0, y), (9.0, y), (17.0, y)]), look.line, look.dashes),
        "</g>",
        text(22, y + 4, shorten(layer_name(row.layer), 16), "strong" if last else "name"),
    ]


def _row(rows: Sequence[Row], across: Scale, y: float, splits: Sequence[str], legend: Legend) -> list[str]:
    body = [path(line([(across.start - 4, y), (across.end + 4, y)]), "rule")]
    for row in rows:
        if math.isnan(row.value):
            continue
        index = splits.index(row.split) % 4
        kind = legend.style(row).line
        if not kind.startswith("line"):
            # no marker: a mark would look measured on a network
            body.append(path(f"M{coordinate(across.at(row.value))} {coordinate(y - 8)}v16", kind.split()[0]))
            continue
        ends = reach(row)
        if ends is not None and ends[1] > ends[0] and math.isfinite(row.value):
            body.append(path(line([(across.at(end), y) for end in ends]), f"whisker split{index}"))
        if below_resolution(row) and row.resolution is not None:
            body.append(path(f"M{coordinate(across.at(row.resolution))} {coordinate(y - 7)}v14", "resolution"))
        kind = "open" if below_resolution(row) else ""
        body.append(path(marks([(across.at(row.value), y)], _SPLIT_MARKERS[index]), f"split{index} {kind}".strip()))
    return body


def _values(rows: Sequence[Row], y: float, splits: Sequence[str]) -> list[str]:
    body = []
    for index, split in enumerate(splits):
        here = [row for row in rows if row.split == split]
        here = [row for row in here if row.origin == here[0].origin]
        # several seeds or origins share a place: the column can hold one number, the markers show all
        words = typeset(brief(here[0].value)) if len(here) == 1 else "" if here else MISSING
        right = WIDTH - _VALUE * (len(splits) - 1 - index)
        body.append(text(right, y + 4, words, "value", "end"))
    return body


def _hover(row: Row, across: Scale, y: float, clock: str | None) -> tuple[float, float, str, str]:
    where = " · ".join(filter(None, [row.split, layer_name(row.layer), variant(row), when(row, clock)]))
    return across.at(row.value), y, where, typeset(spoken(row))
