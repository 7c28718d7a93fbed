"""One phase map: a coloured cell for each pair of values, names where they have room, thresholds across."""

from __future__ import annotations

import itertools
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from caltrop.report.drawing import WIDTH, Drawing, path, svg, text
from caltrop.report.markup import coordinate, esc
from caltrop.report.numbers import number, tick, typeset
from caltrop.report.scales import Scale
from caltrop.rows import MapLine, PhaseMap

# what is drawn without a colour of its own: nothing is learned there
NOTHING = "zero"

_LEFT, _RIGHT, _TOP, _FOOT = 40.0, 6.0, 6.0, 36.0
_TALL, _LOW, _HIGH = 184.0, 13.0, 34.0
_LETTER = 6.2  # of a bold letter at 11 pixels
_LABELS_UP_TO = 6  # columns that are labelled one by one
_FULL = 0.9  # the shade of a share of 1; words are read on it
_LOG_FROM = 2.5  # the ratio of ends from which an axis of positive values is logarithmic


@dataclass(frozen=True)
class _Frame:
    """Edges of columns, left to right, and of rows, from the lowest up; `across` puts values between them."""

    columns: tuple[float, ...]
    rows: tuple[float, ...]
    across: Scale

    def middle(self, row: int, column: int) -> tuple[float, float]:
        return (self.columns[column] + self.columns[column + 1]) / 2, (self.rows[row] + self.rows[row + 1]) / 2


def phase_map(one: PhaseMap, colours: Mapping[str, str], looks: Mapping[str, str], label: str) -> Drawing:
    """The SVG of a map; `colours` has the CSS class of each category, `looks` that of each line."""
    frame = _frame(one)
    cells = _regions(one, frame, colours) if one.categories else _shades(one, frame)
    body = [*cells, *_lines(one, frame, looks), *_names(one, frame), *_axes(one, frame)]
    points = tuple(
        (*frame.middle(row, column), _where(one, row, column), _value(one, row, column))
        for row in range(len(one.rows))
        for column in range(len(one.columns))
    )
    return Drawing(svg(body, frame.rows[0] + _FOOT, label, "phases"), points)


def drawn_lines(one: PhaseMap, looks: Mapping[str, str]) -> tuple[tuple[str, MapLine], ...]:
    """The lines that cross the map, each with its CSS class; those that coincide are one line with several names."""
    across = _frame(one).across
    together: dict[tuple[float, ...], list[MapLine]] = {}
    for line in one.lines:
        together.setdefault(line.places, []).append(line)
    return tuple(
        (
            looks[lines[0].name],
            MapLine(
                ", ".join(line.name for line in lines), places, "; ".join(line.says for line in lines if line.says)
            ),
        )
        for places, lines in together.items()
        if any(_is_inside(at, across) for at in places)
    )


def _frame(one: PhaseMap) -> _Frame:
    height = min(_HIGH, max(_LOW, _TALL / len(one.rows)))
    bottom = _TOP + height * len(one.rows)
    edges, kind = _edges(one.columns)
    across = Scale(edges[0], edges[-1], _LEFT, WIDTH - _RIGHT, kind)
    return _Frame(
        columns=tuple(across.at(edge) for edge in edges),
        rows=tuple(bottom - height * place for place in range(len(one.rows) + 1)),
        across=across,
    )


def _edges(values: Sequence[float]) -> tuple[tuple[float, ...], str]:
    """Where cells end: half-way between values, by ratio where these span one."""
    is_log = values[0] > 0 and (len(values) == 1 or values[-1] / values[0] >= _LOG_FROM)
    bent = [math.log10(value) if is_log else value for value in values]
    inner = [(low + high) / 2 for low, high in itertools.pairwise(bent)]
    first = inner[0] - bent[0] if inner else 0.5
    last = bent[-1] - inner[-1] if inner else 0.5
    edges = [bent[0] - first, *inner, bent[-1] + last]
    return tuple(10**edge if is_log else edge for edge in edges), "log" if is_log else "linear"


def _regions(one: PhaseMap, frame: _Frame, colours: Mapping[str, str]) -> list[str]:
    """Runs of equal cells as one shape, and a hair between different ones."""
    shapes: dict[str, list[str]] = {}
    for row, line in enumerate(one.categories):
        for name, first, stop in _runs(line):
            shapes.setdefault(name, []).append(_box(frame, row, first, stop))
    body = [
        f'<g class="{colours[name]}">{path("".join(boxes), "region")}</g>'
        for name, boxes in sorted(shapes.items())
        if name in colours
    ]
    return [*body, path(_borders(one, frame), "border")]


def _borders(one: PhaseMap, frame: _Frame) -> str:
    drawn = []
    for row, line in enumerate(one.categories):
        low, high = coordinate(frame.rows[row]), coordinate(frame.rows[row + 1])
        drawn += [
            f"M{coordinate(frame.columns[column])} {low}V{high}"
            for column in range(1, len(line))
            if line[column - 1] != line[column]
        ]
        if row + 1 < len(one.categories):
            above = one.categories[row + 1]
            drawn += [
                f"M{coordinate(frame.columns[column])} {high}H{coordinate(frame.columns[column + 1])}"
                for column in range(len(line))
                if line[column] != above[column]
            ]
    return "".join(drawn)


def _shades(one: PhaseMap, frame: _Frame) -> list[str]:
    """Cells by the shown share, which is written into them where it has room."""
    assert one.shown is not None
    shares = one.numbers[one.shown]
    body = []
    words = []
    for row, column in itertools.product(range(len(one.rows)), range(len(one.columns))):
        share = shares[row][column]
        if not math.isnan(share):
            box = _box(frame, row, column, column + 1, gap=0.5)
            body.append(f'<path class="cold" fill-opacity="{_FULL * share:.3f}" d="{box}"/>')
        x, y = frame.middle(row, column)
        wide = frame.columns[column + 1] - frame.columns[column]
        # without zeros before the point, as there is little room
        interval = _interval(one, row, column).replace("0.", ".")
        tall = frame.rows[row] - frame.rows[row + 1]
        below = [(interval, "cell")] if interval and tall >= 28 and wide >= _LETTER * len(interval) else []
        said = [(_share(share), "cell strong"), *below]
        if wide >= _LETTER * len(said[0][0]):
            words += [
                text(x, y + 4 + 13 * (place - (len(said) - 1) / 2), word, kind, "middle")
                for place, (word, kind) in enumerate(said)
            ]
    left, right, top, bottom = _outline(frame)
    return [path(f"M{left} {top}H{right}V{bottom}H{left}z", "axis"), *body, *words]


def _lines(one: PhaseMap, frame: _Frame, looks: Mapping[str, str]) -> list[str]:
    """Steps from row to row, on a wider stroke of the card's colour so that they stand out from any cell."""
    body = []
    for css, line in drawn_lines(one, looks):
        steps = _steps(line, frame)
        body += [path(steps, "under"), path(steps, css)]
    return body


def _steps(line: MapLine, frame: _Frame) -> str:
    drawn = []
    is_open = False
    for row, at in enumerate(line.places):
        if not _is_inside(at, frame.across):
            is_open = False
            continue
        x = coordinate(frame.across.at(at))
        start = "" if is_open else f"M{x} {coordinate(frame.rows[row])}"
        drawn.append(f"{start}H{x}V{coordinate(frame.rows[row + 1])}")
        is_open = True
    return "".join(drawn)


def _names(one: PhaseMap, frame: _Frame) -> list[str]:
    """Each category by name where it is widest, between the lines, if there is room."""
    widest: dict[str, list[tuple[float, int, float]]] = {}
    for row, line in enumerate(one.categories):
        places = [each.places[row] for each in one.lines]
        cuts = [frame.across.at(place) for place in places if _is_inside(place, frame.across)]
        for name, first, stop in _runs(line):
            left, right = frame.columns[first], frame.columns[stop]
            edges = [left, *sorted(cut for cut in cuts if left < cut < right), right]
            for low, high in itertools.pairwise(edges):
                widest.setdefault(name, []).append((high - low, row, (low + high) / 2))
    body = []
    for name, runs in sorted(widest.items()):
        most = max(wide for wide, _, _ in runs)
        if most < _LETTER * len(name) + 6:
            continue
        # of rows that are about as wide the middle one, away from the region's ends
        wide = [run for run in runs if run[0] >= 0.85 * most]
        _, row, x = wide[len(wide) // 2]
        body.append(text(x, (frame.rows[row] + frame.rows[row + 1]) / 2 + 4, name, "halo strong", "middle"))
    return body


def _axes(one: PhaseMap, frame: _Frame) -> list[str]:
    left, right, top, bottom = _outline(frame)
    body = [path(f"M{left} {bottom}H{right}M{left} {top}V{bottom}", "axis")]
    marked = one.columns if len(one.columns) <= _LABELS_UP_TO else frame.across.ticks(6)
    notches = "".join(f"M{coordinate(frame.across.at(value))} {bottom}v4" for value in marked)
    body.append(path(notches, "axis"))
    low = frame.rows[0]
    body += [text(frame.across.at(value), low + 16, typeset(tick(value)), anchor="middle") for value in marked]
    body.append(text((_LEFT + WIDTH - _RIGHT) / 2, low + 31, one.across, anchor="middle"))
    every = math.ceil(len(one.rows) * 12 / (low - frame.rows[-1]))
    for row in range(0, len(one.rows), every):
        body.append(
            text(_LEFT - 5, frame.middle(row, 0)[1] + 4, typeset(tick(one.rows[row])), anchor="end"),
        )
    middle = (frame.rows[0] + frame.rows[-1]) / 2
    turn = f'transform="rotate(-90 10 {coordinate(middle)})"'
    body.append(f'<text x="10" y="{coordinate(middle)}" text-anchor="middle" {turn}>{esc(one.up)}</text>')
    return body


def _where(one: PhaseMap, row: int, column: int) -> str:
    return f"{one.up} = {tick(one.rows[row])} · {one.across} = {typeset(f'{one.columns[column]:.3g}')}"


def _value(one: PhaseMap, row: int, column: int) -> str:
    said = [one.categories[row][column]] if one.categories else []
    for name, grid in one.numbers.items():
        value = grid[row][column]
        bound = one.between or ()
        # a count of nothing is not worth a line
        if name in bound or math.isnan(value) or (value == 0 and name != one.shown):
            continue
        interval = _interval(one, row, column) if name == one.shown else ""
        said.append(f"{name}: {number(value)}{f' ({interval})' if interval else ''}")
    return typeset("\n".join(said))


def _interval(one: PhaseMap, row: int, column: int) -> str:
    if one.between is None:
        return ""
    low, high = (one.numbers[name][row][column] for name in one.between)
    return "" if math.isnan(low) or math.isnan(high) else f"{_share(low)}–{_share(high)}"


def _share(value: float) -> str:
    return "–" if math.isnan(value) else str(round(value)) if value in (0, 1) else f"{value:.2f}"


def _runs(line: Sequence[str]) -> list[tuple[str, int, int]]:
    """Names of neighbouring equal cells, with the first column and the one after the last."""
    found = []
    stop = 0
    for name, cells in itertools.groupby(line):
        first, stop = stop, stop + len(list(cells))
        found.append((name, first, stop))
    return found


def _box(frame: _Frame, row: int, first: int, stop: int, gap: float = 0.0) -> str:
    left, right = coordinate(frame.columns[first] + gap), coordinate(frame.columns[stop] - gap)
    low, high = coordinate(frame.rows[row] - gap), coordinate(frame.rows[row + 1] + gap)
    return f"M{left} {low}H{right}V{high}H{left}z"


def _outline(frame: _Frame) -> tuple[str, str, str, str]:
    """Left, right, top and bottom as coordinates."""
    edges = frame.columns[0], frame.columns[-1], frame.rows[-1], frame.rows[0]
    left, right, top, bottom = map(coordinate, edges)
    return left, right, top, bottom


def _is_inside(place: float, across: Scale) -> bool:
    return across.low < place < across.high
