"""The charts a paper asks for: measured beside predicted, along steps or along a field of the configuration."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from caltrop.report.aggregate import Aggregated, aggregate, ends
from caltrop.report.curves import curves, footnotes
from caltrop.report.glossary import entry
from caltrop.report.hover import Hover
from caltrop.report.legend import Legend, case_key, origin_key
from caltrop.report.markup import anchor_name, esc
from caltrop.report.palette import CLASS_COLOURS
from caltrop.report.sentences import curve_sentence
from caltrop.report.series import all_series, layer_name, unseeded
from caltrop.rows import Chart, Row, Rows, Study


@dataclass(frozen=True)
class Plot:
    """A chart with the few rows that it draws; `anchor` is its place on the page, `left_out` what it cannot place."""

    chart: Chart
    anchor: str
    few: Aggregated
    left_out: str = ""

    @property
    def cases(self) -> tuple[str | None, ...]:
        """The cases that are drawn apart, if several are."""
        # a closed form of no case holds for all of them, and is none itself
        found = tuple(
            dict.fromkeys(
                row.case
                for row in self.few.rows
                if row.origin == "trained" or row.step is not None or row.case is not None
            )
        )
        return found if len(found) > 1 else ()


def plots(study: Study, table: Rows) -> tuple[Plot, ...]:
    """The charts of the study that have rows; those without any are left out."""
    names: dict[str, int] = {}
    out = []
    for chart in study.charts:
        picked = table.where(measure=chart.measure, layer=chart.layer)
        picked = picked.where(split=chart.splits) if chart.splits else picked
        if chart.about:
            picked = picked.where(
                case={case for case in picked.distinct("case") if (case or "").startswith(chart.about)}
            )
        if len(picked) == 0:
            continue
        name = anchor_name("figure", chart.measure)
        names[name] = names.get(name, 0) + 1
        here = name if names[name] == 1 else f"{name}-{names[name]}"
        if chart.across == "step":
            apart = len(picked.distinct("case")) <= CLASS_COLOURS
            out.append(Plot(chart, here, aggregate(picked, by_case=apart, clock=study.clock)))
        else:
            out.append(Plot(chart, here, *_along_cases(picked, chart.across, study.cases)))
    return tuple(out)


def figure_section(drawn: Sequence[Plot], legend: Legend, clock: str | None, hover: Hover) -> str:
    """All charts; empty where there is none."""
    if not drawn:
        return ""
    told = dict.fromkeys(sentence for plot in drawn for sentence in plot.few.told())
    lede = f'<p class="lede">{esc(" ".join(told))}</p>' if told else ""
    return f'{lede}<div class="plots">{"".join(_card(plot, legend, clock, hover) for plot in drawn)}</div>'


def _card(plot: Plot, legend: Legend, clock: str | None, hover: Hover) -> str:
    chart, title = plot.chart, entry(plot.chart.measure).title
    head = f'<article class="card" id="{esc(plot.anchor)}"><h3>{esc(chart.says or title)}</h3>'
    head += f'<p class="name">{esc(chart.measure)} · {esc(layer_name(chart.layer))}</p>'
    legend = replace(legend, cases=plot.cases)
    series = all_series(unseeded(plot.few.rows))
    along = clock or "step" if chart.across == "step" else chart.across
    left_out = f'<span class="aside">{esc(plot.left_out)}</span>' if plot.left_out else ""
    if not any(one.rows[0].step is not None and one.finite for one in series):
        return f"{head}<p>No number here has a place along {esc(along)}.{left_out}</p></article>"
    sentence = curve_sentence(series, along)
    svg = hover.take(curves(series, legend, along, sentence))
    foot = footnotes(series)
    aside = f'<span class="aside">{esc(foot)}</span>' if foot else ""
    keys = origin_key(legend, tuple(dict.fromkeys(one.last.origin for one in series))) + case_key(legend)
    return f"{head}<figure><figcaption>{esc(sentence)}{aside}{left_out}{keys}</figcaption>{svg}</figure></article>"


def _along_cases(picked: Rows, field: str, cases: Mapping[str, Mapping[str, Any]]) -> tuple[Aggregated, str]:
    """The last row of every case, placed at the case's value of `field`; and which cases have no number there."""
    placed: list[Rows] = []
    lost: list[str] = []
    for case, rows in ends(picked).split_by("case").items():
        value = cases.get(case or "", {}).get(field)
        if _is_number(value):
            placed.append(rows.with_columns(step=value))
        elif case is None and not len(rows.where(origin="trained")):
            # what was computed for no case holds for all of them
            placed.append(rows.with_columns(step=None))
        else:
            lost.append(case or "rows without a case")
    few = aggregate(Rows.joined(placed), clock=field)
    words = f"Not drawn, since {field} has no number there: {', '.join(lost)}." if lost else ""
    return replace(few, rows=tuple(_caseless(row) for row in few.rows), cases=0), words


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)


def _caseless(row: Row) -> Row:
    return row if row.case is None else replace(row, case=None)
