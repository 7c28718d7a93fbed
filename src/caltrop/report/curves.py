"""One measure over steps: a panel for each split on a common axis, a line for each layer."""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence
from dataclasses import dataclass

from caltrop.report.drawing import WIDTH, Drawing, line, marks, path, svg, text
from caltrop.report.gathered import Gathered, when
from caltrop.report.legend import Legend
from caltrop.report.markup import coordinate, shorten
from caltrop.report.numbers import brief, tick, typeset
from caltrop.report.palette import MARKERS
from caltrop.report.scales import Scale, step_scale, value_scale
from caltrop.report.sentences import closed, focus, is_rounded
from caltrop.report.series import Series, layer_name, reach, splits_of, spoken, steps_of, variant
from caltrop.rows import Row

_LEFT, _GAP, _RIGHT = 43.0, 11.0, 5.0
_NEGLIGIBLE = 1e-3  # a closed form smaller than that share of the least measured value stands on the edge
_HAIR = 1.5  # a ribbon thinner than its line cannot be seen
_TITLE, _PLOT, _FOOT = 18.0, 118.0, 34.0
_MOST_MARKERS = 30  # on one line; more would touch each other


@dataclass(frozen=True)
class Panel:
    """Where one split is drawn: its axes, and how series look."""

    across: Scale
    up: Scale
    legend: Legend
    clock: str | None

    def point(self, row: Row) -> tuple[float, float]:
        return self.across.at(_step(row)), self.up.at(row.value)


def curves(series: Sequence[Series], legend: Legend, clock: str | None, label: str) -> Drawing:
    """All series of one measure; `legend` fixes colours, markers and lines across charts."""
    rows = [row for one in series for row in one.rows]
    splits = splits_of(rows)
    columns = min(2, len(splits))
    width = (WIDTH - _LEFT - _RIGHT - (columns - 1) * _GAP) / columns
    body: list[str] = []
    points: list[tuple[float, float, str, str]] = []
    panels: dict[str, Panel] = {}
    for index, split in enumerate(splits):
        left = _LEFT + (index % columns) * (width + _GAP)
        top = (index // columns) * (_TITLE + _PLOT + _FOOT) + _TITLE
        panel = _panel(rows, left, width, top, legend, clock)
        panels[split] = panel
        shown = [one for one in series if one.split == split]
        body += [text(left, top - 6, shorten(split, 20), "head")] if splits != ("all",) else []
        body += _frame(panel, names=index % columns == 0)
        body += _ideals(panel, series)
        for one in shown:
            body += _series(panel, one)
            points += [_hover(panel, row) for row in one.rows if not math.isnan(row.value)]
    body += _labels(panels, series)
    height = math.ceil(len(splits) / columns) * (_TITLE + _PLOT + _FOOT)
    return Drawing(svg(body, height, label, "curves"), tuple(points))


def footnotes(series: Sequence[Series]) -> str:
    """What unusual marks mean, only where they occur."""
    rows = [row for one in series if not one.is_level for row in one.rows]
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


def _panel(rows: Sequence[Row], left: float, width: float, top: float, legend: Legend, clock: str | None) -> Panel:
    across = step_scale(steps_of(rows), left + 5, left + width - 5)
    return Panel(across, _up(rows, top + _PLOT, top), legend, clock)


def extent(rows: Sequence[Row]) -> tuple[list[float], list[float]]:
    """The values that fix a chart's axis, and those that it should also show."""
    ideals = [row.at_collapse for row in rows if row.at_collapse is not None]
    resolutions = [row.resolution for row in rows if row.resolution is not None and below_resolution(row)]
    values = [row.value for row in rows if row.origin != "closed form"]
    values += [end for row in rows if isinstance(row, Gathered) and row.origin != "closed form" for end in row.ends]
    theory = [row.value for row in rows if row.origin == "closed form" and _within_reach(row.value, values)]
    return values or theory, [*theory, *ideals, *resolutions]


def _up(rows: Sequence[Row], start: float, end: float) -> Scale:
    return value_scale(*extent(rows), start, end)


def _within_reach(theory: float, values: Sequence[float]) -> bool:
    """Whether the axis should be stretched to a closed form: not to one that is 0 but for rounding."""
    positive = [abs(value) for value in values if math.isfinite(value) and value != 0]
    return not positive or abs(theory) > min(positive) * _NEGLIGIBLE


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


def _ideals(panel: Panel, series: Sequence[Series]) -> list[str]:
    """The value at exact collapse as a dashed line; several where it differs between layers."""
    values = {row.at_collapse for one in series for row in one.rows if row.at_collapse is not None}
    left, right = panel.across.start - 5, panel.across.end + 5
    return [
        path(f"M{coordinate(left)} {coordinate(panel.up.at(value))}H{coordinate(right)}", "ideal")
        for value in sorted(values)
        if math.isfinite(value)
    ]


def _labels(panels: dict[str, Panel], series: Sequence[Series]) -> list[str]:
    """Words beside the lines across: the value at exact collapse, and what theory gives, for the last layer."""
    taken: list[tuple[float, float]] = []
    body = []
    for words, value, splits in _wanted(panels, series):
        wide = 6.0 * len(words)
        places: list[tuple[int, int, float, float]] = []
        for split in splits:
            panel = panels[split]
            drawn = [spot for one in series if one.split == split and not one.is_level for spot in _sampled(panel, one)]
            for x in (panel.across.start - 2, panel.across.end + 2 - wide):
                for y in (panel.up.at(value) - 5, panel.up.at(value) + 13):
                    if panel.up.end + 6 <= y <= panel.up.start - 1:
                        spots = [*drawn, *taken]
                        covered = sum(x - 4 < px < x + wide + 4 and y - 13 < py < y + 4 for px, py in spots)
                        places.append((covered, len(places), x, y))
        _, _, x, y = min(places)
        # words over words are worse than words over any curve
        taken += [(x + share * wide / 4, y - up) for share in range(5) for up in (0.0, 5.0, 10.0)] * 20
        body.append(text(x, y, words, "halo"))
    return body


def _wanted(panels: dict[str, Panel], series: Sequence[Series]) -> list[tuple[str, float, tuple[str, ...]]]:
    """What stands beside a line across: words, the line's value, and in which splits it is drawn."""
    main = focus(series)
    wanted: list[tuple[str, float, tuple[str, ...]]] = []
    ideal = None if main is None else main.last.at_collapse
    if ideal is not None and math.isfinite(ideal):
        below_axis = any(panel.up.kind == "log" for panel in panels.values()) and ideal <= 0
        wanted.append((f"{'↓ ' if below_axis else ''}exact collapse: {typeset(brief(ideal))}", ideal, tuple(panels)))
    # several lines of theory say their values on hover
    if main is None or main.last.case is not None:
        return wanted
    levels = [one for one in series if one.is_level and one.finite and one.last.origin == "closed form"]
    levels = [one for one in levels if one.layer == main.layer and not is_rounded(one.last.value, ideal)]
    if levels:
        value = levels[0].last.value
        wanted.append(
            (f"theory: {closed(value)}", value, tuple(one.split for one in levels if one.last.value == value))
        )
    return wanted


def _sampled(panel: Panel, series: Series) -> list[tuple[float, float]]:
    """Places on the drawn line, close enough together to see what a label would cover."""
    ends = [panel.point(row) for row in series.finite]
    shares = [index / 12 for index in range(13)]
    return ends[:1] + [
        (ax + share * (bx - ax), ay + share * (by - ay))
        for (ax, ay), (bx, by) in itertools.pairwise(ends)
        for share in shares
    ]


def _series(panel: Panel, series: Series) -> list[str]:
    look = panel.legend.style(series.last)
    finite = series.finite
    if series.is_level:
        return _level(panel, series)
    hollow = marks([panel.point(row) for row in finite if below_resolution(row)], look.marker)
    hollow += marks([panel.point(row) for row in finite if panel.up.kind == "log" and row.value <= 0], MARKERS[4])
    hollow += marks([panel.point(row) for row in series.rows if math.isinf(row.value)], MARKERS[3])
    course = line([panel.point(row) if math.isfinite(row.value) else None for row in series.rows])
    kind = look.line
    if len(finite) > _MOST_MARKERS:
        kind = kind.replace("line", "course")
    # the style sheet gives markers to the lines of layers; cases, and a point alone on a line without, need their own
    marked = kind.startswith(("line", "solved")) and len(finite) <= _MOST_MARKERS
    dots = marked if look.colour.startswith("k") else len(finite) == 1 and not marked
    # hollow marks lie over the line's own filled ones
    return [
        f'<g class="{look.colour}">',
        path(_band(panel, finite), "band"),
        path(_resolution(panel, series), "resolution"),
        path(course, kind, look.dashes),
        path(marks([panel.point(row) for row in finite], look.marker) if dots else "", "dots"),
        path(hollow, "hollow"),
        "</g>",
    ]


def _level(panel: Panel, series: Series) -> list[str]:
    """A number that holds along all steps, as a line across the panel, with the band that it reaches over."""
    if not series.finite:
        return []
    look = panel.legend.style(series.last)
    left, right = coordinate(panel.across.start - 5), coordinate(panel.across.end + 5)
    y = coordinate(panel.up.at(series.last.value))
    band = ""
    if isinstance(series.last, Gathered):
        low, high = panel.up.at(series.last.least), panel.up.at(series.last.largest)
        if low - high >= _HAIR:
            band = f"M{left} {coordinate(low)}H{right}V{coordinate(high)}H{left}z"
    kind = "level" if look.line.startswith("line") else look.line
    return [f'<g class="{look.colour}">', path(band, "band"), path(f"M{left} {y}H{right}", kind), "</g>"]


def _band(panel: Panel, rows: Sequence[Row]) -> str:
    """How far each point reaches, closed like a ribbon around the line."""
    ends = [(panel.across.at(_step(row)), found) for row in rows if (found := reach(row)) is not None]
    if not any(high > low for _, (low, high) in ends):
        return ""
    upper = [(x, panel.up.at(high)) for x, (_, high) in ends]
    lower = [(x, panel.up.at(low)) for x, (low, _) in ends]
    if len(ends) == 1:
        return line([*upper, *lower])
    if max(below[1] - above[1] for above, below in zip(upper, lower, strict=True)) < _HAIR:
        return ""
    return line([*upper, *reversed(lower)]) + "z"


def _resolution(panel: Panel, series: Series) -> str:
    if not any(below_resolution(row) for row in series.rows):
        return ""
    known = [(panel.across.at(_step(row)), row.resolution) for row in series.rows if row.resolution is not None]
    return line([(x, panel.up.at(resolution)) for x, resolution in known])


def _hover(panel: Panel, row: Row) -> tuple[float, float, str, str]:
    x, y = panel.point(row)
    if row.step is None:
        x = panel.across.end
    where = " · ".join(filter(None, [row.split, layer_name(row.layer), variant(row), when(row, panel.clock)]))
    return x, y, where, typeset(spoken(row))


def _step(row: Row) -> float:
    return 0.0 if row.step is None else float(row.step)
