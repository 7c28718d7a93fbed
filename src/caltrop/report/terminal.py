"""Rows as plain text for terminals."""

from __future__ import annotations

import textwrap
from collections import Counter
from collections.abc import Iterable
from dataclasses import replace

from caltrop.report.series import last_rows, unseeded
from caltrop.report.tables import Cells, cells, groups, which_step
from caltrop.rows import Row

_WIDTH = 110
_LEAST_REMARK = 24
_OFTEN = 3
_BETWEEN = "; "
_HEADS = Cells("", "measure", "value", "± 95 %", "resolution", "at collapse", "remark")


def text_table(rows: Iterable[Row]) -> str:
    """The last step of `rows` as an aligned table: one block for each layer and split, one line a measure.

    Lines are at most 110 characters unless names leave no room for remarks, which wrap below themselves.
    A value has the digits that its half width supports; a missing one is "–" with its reason behind it.
    """
    rows = unseeded(rows)
    if not rows:
        return "No rows.\n"
    lasts = last_rows(rows)
    blocks = dict(_without_repeats(heading, [cells(row) for row in group]) for heading, group in groups(lasts).items())
    widths = _widths([one for block in blocks.values() for one in block])
    lines = [f"Shown: {which_step(rows, lasts)}."]
    for heading, block in blocks.items():
        lines += ["", heading, *_line(_HEADS, widths)]
        for one in block:
            lines += _line(one, widths)
    return "\n".join(lines) + "\n"


def _without_repeats(heading: str, block: list[Cells]) -> tuple[str, list[Cells]]:
    """Remarks that most rows of a block repeat, such as how its features were read, go to the heading."""
    parts = [one.remark.split(_BETWEEN) if one.remark else [] for one in block]
    times = Counter(part for row in parts for part in row)
    shared = [part for part, count in times.items() if count >= _OFTEN and 2 * count > len(block)]
    kept = [
        replace(one, remark=_BETWEEN.join(part for part in row if part not in shared))
        for one, row in zip(block, parts, strict=True)
    ]
    return _BETWEEN.join([heading, *shared]), kept


def _columns(one: Cells) -> tuple[str, ...]:
    return one.symbol, one.measure, one.value, one.half_width, one.at_collapse


def _widths(block: list[Cells]) -> tuple[int, ...]:
    """Widths of the columns before the remark; one that is empty in every row disappears."""
    table = [_columns(one) for one in block]
    used = [any(column) for column in zip(*table, strict=True)]
    with_heads = zip(*[_columns(_HEADS), *table], strict=True)
    return tuple(max(map(len, column)) if kept else 0 for kept, column in zip(used, with_heads, strict=True))


def _line(one: Cells, widths: tuple[int, ...]) -> list[str]:
    parts = []
    for index, (content, width) in enumerate(zip(_columns(one), widths, strict=True)):
        if width:
            parts.append(content.ljust(width) if index < 2 else content.rjust(width))
    front = "  " + "  ".join(parts)
    room = max(_LEAST_REMARK, _WIDTH - len(front) - 2)
    remark = textwrap.wrap(one.remark, room) or [""]
    indent = " " * (len(front) + 2)
    return [f"{front}  {remark[0]}".rstrip(), *(indent + more for more in remark[1:])]
