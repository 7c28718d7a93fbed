"""How a series is drawn, the same on the whole page: colour and marker say where, the line says which origin."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from caltrop.report.markup import esc
from caltrop.report.palette import CLASS_COLOURS, dash, marker
from caltrop.report.series import named
from caltrop.rows import Row

# words for the key, and the CSS class of the line; an origin that is not listed is drawn like a trained one
_LINES = {"trained": "line", "solved": "solved", "closed form": "theory"}
_CALLED = {"closed form": "closed form (theory)"}


@dataclass(frozen=True)
class Style:
    """One series' look: `colour` and `line` are CSS classes, `marker` and `dashes` path commands and lengths."""

    colour: str
    line: str
    marker: str
    dashes: str = ""


@dataclass(frozen=True)
class Legend:
    """What a page tells apart: layers by colour and marker; origins by line, where there are several.

    `groups` maps layers that are drawn in groups to the group's name. Where `cases` are given, colour and marker
    tell those apart instead, as in a chart of one layer.
    """

    layers: tuple[str, ...]
    origins: tuple[str, ...] = ("trained",)
    groups: Mapping[str, str] = field(default_factory=dict)
    cases: tuple[str | None, ...] = ()

    def place(self, layer: str) -> int:
        """The layer's number among the colours."""
        return self.layers.index(self.groups.get(layer, layer))

    def style(self, row: Row) -> Style:
        """How the series of this row is drawn."""
        line = _LINES.get(row.origin, "line") if len(self.origins) > 1 else "line"
        if len(self.cases) > 1:
            place = self.cases.index(row.case)
            return Style(f"k{place % CLASS_COLOURS}", line, marker(place))
        place, count = self.place(row.layer), named(self.layers)
        last = " last" if place >= count - 1 else ""
        # dashes tell layers apart only where they are not needed for origins
        return Style(f"l{place}", line + last, marker(place), dash(place, count) if len(self.origins) == 1 else "")


def origin_key(legend: Legend, origins: Sequence[str]) -> str:
    """Which line stands for which origin, as HTML; empty where there is only one."""
    if len(origins) < 2:
        return ""
    items = "".join(
        f"<span>{_sample(legend, origin)} {esc(_CALLED.get(origin, origin))}</span>"
        for origin in sorted(origins, key=_rank)
    )
    return f'<span class="origins">{items}</span>'


def case_key(legend: Legend) -> str:
    """Which colour stands for which case, as HTML; empty where colours stand for layers."""
    if len(legend.cases) < 2:
        return ""
    items = "".join(
        f'<span><svg class="chart swatch k{place % CLASS_COLOURS}" viewBox="0 0 10 8" width="10" aria-hidden="true">'
        f'<path class="dots" d="M5 4{marker(place)}"/></svg> {esc(case or "")}</span>'
        for place, case in enumerate(legend.cases)
    )
    return f'<span class="origins">{items}</span>'


def _sample(legend: Legend, origin: str) -> str:
    last = max(0, named(legend.layers) - 1)
    return (
        f'<svg class="chart swatch l{last}" viewBox="0 0 34 8" width="34" aria-hidden="true"><g class="l{last}">'
        f'<path class="{_LINES.get(origin, "line")} last" d="M2 4L17 4L32 4"/></g></svg>'
    )


def _rank(origin: str) -> int:
    return list(_LINES).index(origin) if origin in _LINES else len(_LINES)
