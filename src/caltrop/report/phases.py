"""The section of phase maps: a heading for each group, a card for each map, one set of colours for all of a group."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence

from caltrop.report.hover import Hover
from caltrop.report.markup import anchor_name, esc, prose
from caltrop.report.numbers import brief, typeset
from caltrop.report.palette import CLASS_COLOURS
from caltrop.report.phase_map import NOTHING, drawn_lines, phase_map
from caltrop.report.series import listed
from caltrop.rows import MapLine, PhaseMap

_NOTHING_CLASS = "none"
_LOOKS = 4


def phase_section(maps: Sequence[PhaseMap], hover: Hover) -> str:
    """All maps, group by group; empty where there is none."""
    groups: dict[str, list[PhaseMap]] = {}
    for one in maps:
        groups.setdefault(one.group, []).append(one)
    anchors: Counter[str] = Counter()
    return "".join(_group(name, members, hover, anchors) for name, members in groups.items())


def category_colours(maps: Sequence[PhaseMap]) -> dict[str, str]:
    """The CSS class of each category, by first appearance from the lowest row up; zero is grey."""
    names = dict.fromkeys(name for one in maps for line in one.categories for name in line if name)
    coloured = [name for name in names if name != NOTHING]
    colours = {name: f"k{place % CLASS_COLOURS}" for place, name in enumerate(coloured)}
    return {**colours, **({NOTHING: _NOTHING_CLASS} if NOTHING in names else {})}


def line_looks(maps: Sequence[PhaseMap]) -> dict[str, str]:
    """The CSS class of each line, the same in all of the maps."""
    names = dict.fromkeys(line.name for one in maps for line in one.lines)
    return {name: f"mark{place % _LOOKS}" for place, name in enumerate(names)}


def map_sentence(one: PhaseMap) -> str:
    """What a map shows, in one sentence of numbers."""
    if one.categories:
        counts = Counter(name for line in one.categories for name in line if name)
        total = len(one.rows) * len(one.columns)
        shares = [f"{name} in {count}" for name, count in counts.most_common()]
        return f"Of {total} points, {listed(shares)}." if shares else f"None of {total} points has a name."
    assert one.shown is not None
    values = [value for line in one.numbers[one.shown] for value in line if value == value]
    if not values:
        return f"No point has a number for {one.shown}."
    low, high = typeset(brief(min(values))), typeset(brief(max(values)))
    return f"The {one.shown} lies between {low} and {high}." if low != high else f"The {one.shown} is {low} everywhere."


def _group(name: str, maps: Sequence[PhaseMap], hover: Hover, anchors: Counter[str]) -> str:
    colours, looks = category_colours(maps), line_looks(maps)
    heading = f'<h3 class="group">{esc(name)}</h3>' if name else ""
    # what several maps of a group say stands above them, once
    ((commonest, times),) = Counter(one.says for one in maps).most_common(1)
    shared = commonest if times > 1 else ""
    lede = f'<p class="lede">{prose(shared)}</p>' if shared else ""
    cards = "".join(_card(one, colours, looks, hover, anchors, is_told=one.says == shared) for one in maps)
    return f'{heading}{lede}<div class="plots">{cards}</div>'


def _card(
    one: PhaseMap,
    colours: Mapping[str, str],
    looks: Mapping[str, str],
    hover: Hover,
    anchors: Counter[str],
    *,
    is_told: bool,
) -> str:
    anchor = anchor_name("map", f"{one.group} {one.title}")
    anchors[anchor] += 1
    here = anchor if anchors[anchor] == 1 else f"{anchor}-{anchors[anchor]}"
    sentence = map_sentence(one)
    drawing = phase_map(one, colours, looks, f"{one.title}: {sentence}")
    says = "" if is_told or not one.says else f"<p>{prose(one.says)}</p>"
    return (
        f'<article class="card" id="{esc(here)}"><h4>{esc(one.title)}</h4>{says}<figure><figcaption>{esc(sentence)}'
        f"{_key(one, colours, looks)}</figcaption>{hover.take(drawing)}</figure></article>"
    )


def _key(one: PhaseMap, colours: Mapping[str, str], looks: Mapping[str, str]) -> str:
    """Which colour stands for which category, and which line for which threshold."""
    there = {name for line in one.categories for name in line}
    items = [
        f'<span><svg class="chart swatch {css}" viewBox="0 0 10 10" width="10" aria-hidden="true">'
        f'<path class="region" d="M0 0h10v10h-10z"/></svg> {esc(name)}</span>'
        for name, css in colours.items()
        if name in there
    ]
    items += [
        f'<span><svg class="chart swatch" viewBox="0 0 34 8" width="34" aria-hidden="true">'
        f'<path class="{css}" d="M2 4H32"/></svg> {_line_name(line)}</span>'
        for css, line in drawn_lines(one, looks)
    ]
    return f'<span class="origins">{"".join(items)}</span>' if items else ""


def _line_name(line: MapLine) -> str:
    return f"<b>{esc(line.name)}</b>{esc(f': {line.says}' if line.says else '')}"
