"""Cosines between centred class means as a matrix: orange where two classes point the same way, blue where opposed."""

from __future__ import annotations

import math

from caltrop.report.drawing import WIDTH, path, svg, text
from caltrop.report.gallery import Shot
from caltrop.report.markup import coordinate
from caltrop.report.numbers import brief, typeset

MARGIN = 22.0
SIDE = WIDTH - MARGIN - 2
NUMBERS_UP_TO = 12
_LEVELS = 24
_BAR = 14.0


def matrix(shot: Shot, label: str) -> str:
    """The SVG of one picture; the page's script redraws the group `cells` by the same rules."""
    body = ['<g class="cells">', *_cells(shot), "</g>", *_legend(len(shot.source.labels))]
    return svg(body, MARGIN + SIDE + 46, label, "matrix")


def matrix_sentence(shot: Shot) -> str:
    """The range of the off-diagonal cosines, and what exact collapse would make of them."""
    count = len(shot.source.labels)
    others = [
        value
        for row, values in enumerate(shot.source.cosines)
        for column, value in enumerate(values)
        if row != column and math.isfinite(value)
    ]
    if not others:
        return "No two class means have a direction to compare."
    low, high = typeset(f"{min(others):.2f}"), typeset(f"{max(others):.2f}")
    ideal = typeset(brief(-1 / (count - 1)))
    if count == 2:
        return "Two centred class means always point in opposite directions: this cosine is −1 in any network."
    if low == high:
        return f"The cosine between any two different classes is {low}; exact collapse would make it {ideal}."
    return (
        f"Cosines between different classes lie between {low} and {high}; "
        f"exact collapse would make all of them {ideal}."
    )


def short_cosine(value: float) -> str:
    """Two decimals without the leading zero, so that twelve fit beside each other on a phone."""
    if math.isnan(value):
        return "–"
    if abs(value) >= 0.995:
        return "1" if value > 0 else "−1"
    return typeset(f"{value:.2f}".replace("0.", ".", 1)) if abs(value) >= 0.005 else "0"


def _cells(shot: Shot) -> list[str]:
    count = len(shot.labels)
    side = SIDE / count
    levels: dict[int, list[str]] = {}
    numbers, names = [], []
    for row, values in enumerate(shot.cosines):
        y = MARGIN + row * side
        for column, value in enumerate(values):
            x = MARGIN + column * side
            levels.setdefault(_level(value), []).append(f"M{coordinate(x)} {coordinate(y)}{_square(side)}")
            if count <= NUMBERS_UP_TO:
                numbers.append(text(x + side / 2, y + side / 2 + 4, short_cosine(value), "cell", "middle"))
    every = next(every for every in (1, 2, 5, 10) if count <= every * NUMBERS_UP_TO)
    for index in range(0, count, every):
        middle = MARGIN + (index + 0.5) * side
        names.append(text(MARGIN - 5, middle + 4, str(shot.labels[index]), anchor="end"))
        names.append(text(middle, MARGIN - 6, str(shot.labels[index]), anchor="middle"))
    return [*(_tone("".join(levels[level]), level) for level in sorted(levels)), *numbers, *names]


def _level(value: float) -> int:
    """Signed step of the colour scale; the power lifts the small cosines that matter near collapse."""
    if math.isnan(value):
        return 0
    return round(math.copysign(_LEVELS * min(1.0, abs(value)) ** 0.7, value))


def _tone(commands: str, level: int) -> str:
    sign = "warm" if level > 0 else "cold"
    strength = f"{abs(level) / _LEVELS:.2f}"
    return f'<path class="{sign}" fill-opacity="{strength}" d="{commands}"/>'


def _square(side: float) -> str:
    # a hair of background between cells, as long as cells are large enough to have one
    inner = coordinate(side - 1) if side > 8 else f"{side:.2f}"
    return f"h{inner}v{inner}h-{inner}z"


def _legend(count: int) -> list[str]:
    top = MARGIN + SIDE + 10
    pieces = 64
    width = SIDE / pieces
    tones: dict[int, list[str]] = {}
    for piece in range(pieces):
        start = f"M{coordinate(MARGIN + piece * width)} {coordinate(top)}"
        commands = f"{start}h{coordinate(width)}v{_BAR:.0f}h-{coordinate(width)}z"
        tones.setdefault(_level((piece + 0.5) / pieces * 2 - 1), []).append(commands)
    body = [_tone("".join(commands), level) for level, commands in tones.items()]
    body += [text(MARGIN, top + 28, "−1"), text(MARGIN + SIDE, top + 28, "1", anchor="end")]
    if count > 1:
        ideal = -1 / (count - 1)
        x = MARGIN + (ideal + 1) / 2 * SIDE
        body.append(path(f"M{coordinate(x)} {coordinate(top - 3)}v{_BAR + 6:.0f}", "ideal"))
        body.append(
            text(
                x if count > 2 else x + 24,
                top + 28,
                f"exact collapse: {typeset(brief(ideal))}",
                anchor="middle" if count > 2 else "start",
            )
        )
    return body
