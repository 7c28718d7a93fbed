"""One measure over steps: a panel for each split on a common axis, a line for each layer."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from caltrop.report.drawing import WIDTH, Drawing, line, marks, path, svg, text
from caltrop.report.markup import coordinate, shorten
from caltrop.report.numbers import brief, tick, typeset, with_spread
from caltrop.report.palette import MARKERS, dash, marker
from caltrop.report.scales import Scale, step_scale, value_scale
from caltrop.report.sentences import focus
from caltrop.report.series import Series, layer_name, moment, splits_of, steps_of, variant
from caltrop.rows import Row

_LEFT, _GAP, _RIGHT = 43.0, 11.0, 5.0
_TITLE, _PLOT, _FOOT = 18.0, 118.0, 34.0


@dataclass(frozen=True)
class Panel:
    """Where one split is drawn: its axes, and the layers that have a colour."""

    across: Scale
    up: Scale
    layers: tuple[str, ...]
    clock: str | None

    def point(self, row: Row) -> tuple[float, float]:
        return self.across.at(_step(row)), self.up.at(row.value)


def curves(series: Sequence[Series], layers: tuple[str, ...], clock: str | None, label: str) -> Drawing:
    """All series of one measure; `layers` fixes colours and markers across charts."""
    rows = [row for one in series for row in one.rows]
    splits = splits_of(rows)
    columns = min(2, len(splits))
    width = (WIDTH - _LEFT - _RIGHT - (columns - 1) * _GAP) / columns
    body: list[str] = []
    points: list[tuple[float, float, str, str]] = []
    for index, split in enumerate(splits):
        left = _LEFT + (index % columns) * (width + _GAP)
        top = (index // columns) * (_TITLE + _PLOT + _FOOT) + _TITLE
        panel = _panel(rows, left, width, top, layers, clock)
        shown = [one for one in series if one.split == split]
        body += [text(left, top - 6, shorten(split, 20), "head")] if splits != ("all",) else []
        body += _frame(panel, names=index % columns == 0)
        body += _ideals(panel, series, labelled=index == 0)
        for one in shown:
            body += _series(panel, one)
            points += [_hover(panel, row) for row in one.rows if not math.isnan(row.value)]
    height = math.ceil(len(splits) / columns) * (_TITLE + _PLOT + _FOOT)
    return Drawing(svg(body, height, label, "curves"), tuple(points))


def footnotes(series: Sequence[Series]) -> str:
    """What unusual marks mean, only where they occur."""
    rows = [row for one in series for row in one.rows]
    scale = _up(rows, 0.0, 1.0)
    notes = []
    if any(below_resolution(row) for row in rows):
        notes.append("Hollow points lie below the dotted line: what the stored numbers of the features can resolve.")
    if scale.kind == "log" and any(row.value == 0 for row in rows):
        notes.append("Values of exactly 0 stand on the lower edge (▽).")
    if any(math.isinf(row.value) for row in rows):
        notes.append("Infinite values stand on the upper edge (△).")
    return " ".join(notes)


def below_resolution(row: Row) -> bool:
    """Whether the storage format of the features could have produced the value by itself."""
    return row.resolution is not None and row.value < row.resolution


def _panel(
    rows: Sequence[Row], left: float, width: float, top: float, layers: tuple[str, ...], clock: str | None
) -> Panel:
    across = step_scale(steps_of(rows) or (0,), left + 5, left + width - 5)
    return Panel(across, _up(rows, top + _PLOT, top), layers, clock)


def _up(rows: Sequence[Row], start: float, end: float) -> Scale:
    ideals = [row.at_collapse for row in rows if row.at_collapse is not None]
    resolutions = [row.resolution for row in rows if row.resolution is not None and below_resolution(row)]
    return value_scale([row.value for row in rows], [*ideals, *resolutions], start, end)


def _frame(panel: Panel, names: bool) -> list[str]:
    across, up = panel.across, panel.up
    left, right = coordinate(across.start - 5), coordinate(across.end + 5)
    ticks = up.ticks(5)
    grid = "".join(f"M{left} {coordinate(up.at(value))}H{right}" for value in ticks)
    body = [path(grid, "grid"), path(f"M{left} {coordinate(up.start)}H{right}", "axis")]
    if names:
        body += [text(across.start - 10, up.at(value) + 4, typeset(tick(value)), anchor="end") for value in ticks]
    steps = across.ticks(4)
    notches = "".join(f"M{coordinate(across.at(step))} {coordinate(up.start)}v4" for step in steps)
    body.append(path(notches, "axis"))
    body += [text(across.at(step), up.start + 15, typeset(tick(step)), anchor="middle") for step in steps]
    middle = (across.start + across.end) / 2
    body.append(text(middle, up.start + 28, panel.clock or "step", anchor="middle"))
    return body


def _ideals(panel: Panel, series: Sequence[Series], labelled: bool) -> list[str]:
    """The value at exact collapse as a dashed line; several where it differs between layers."""
    main = focus(series)
    named = None if main is None else main.last.at_collapse
    values = {row.at_collapse for one in series for row in one.rows if row.at_collapse is not None}
    left, right = panel.across.start - 5, panel.across.end + 5
    body = [
        path(f"M{coordinate(left)} {coordinate(panel.up.at(value))}H{coordinate(right)}", "ideal")
        for value in sorted(values)
        if math.isfinite(value)
    ]
    if labelled and named is not None and math.isfinite(named):
        height = panel.up.at(named)
        below_axis = panel.up.kind == "log" and named <= 0
        near_top = height - panel.up.end < 16
        prefix = "↓ " if below_axis else ""
        words = f"{prefix}exact collapse: {typeset(brief(named))}"
        body.append(text(left + 3, height + (13 if near_top else -5), words, "halo"))
    return body


def _series(panel: Panel, series: Series) -> list[str]:
    place = panel.layers.index(series.layer)
    shape, last = marker(place), place == len(panel.layers) - 1
    finite = series.finite
    hollow = [panel.point(row) for row in finite if below_resolution(row)]
    on_floor = [row for row in finite if panel.up.kind == "log" and row.value <= 0]
    solid = [panel.point(row) for row in finite if not below_resolution(row) and row not in on_floor]
    infinite = [panel.point(row) for row in series.rows if math.isinf(row.value)]
    course = line([panel.point(row) if math.isfinite(row.value) else None for row in series.rows])
    edge = marks([panel.point(row) for row in on_floor], MARKERS[4]) + marks(infinite, MARKERS[3])
    inside = [
        path(_band(panel, finite), "band"),
        path(_resolution(panel, series), "resolution"),
        path(course, "line last" if last else "line", dash(place, len(panel.layers))),
        path(marks(solid, shape), "dots"),
        path(marks(hollow, shape) + edge, "hollow"),
    ]
    return [f'<g class="l{place}">', *inside, "</g>"]


def _band(panel: Panel, rows: Sequence[Row]) -> str:
    """The 95 % half width around the line, closed like a ribbon."""
    wide = [row for row in rows if row.half_width is not None and math.isfinite(row.half_width)]
    if not any(row.half_width for row in wide):
        return ""
    upper = [(panel.across.at(_step(row)), panel.up.at(row.value + (row.half_width or 0))) for row in wide]
    lower = [(panel.across.at(_step(row)), panel.up.at(row.value - (row.half_width or 0))) for row in wide]
    if len(wide) == 1:
        return f"{line([*upper, *lower])}"
    return line([*upper, *reversed(lower)]) + "z"


def _resolution(panel: Panel, series: Series) -> str:
    if not any(below_resolution(row) for row in series.rows):
        return ""
    known = [(panel.across.at(_step(row)), row.resolution) for row in series.rows if row.resolution is not None]
    return line([(x, panel.up.at(resolution)) for x, resolution in known])


def _hover(panel: Panel, row: Row) -> tuple[float, float, str, str]:
    x, y = panel.point(row)
    where = " · ".join(filter(None, [row.split, layer_name(row.layer), variant(row), moment(panel.clock, row.step)]))
    return x, y, where, typeset(with_spread(row.value, row.half_width))


def _step(row: Row) -> float:
    return 0.0 if row.step is None else float(row.step)
