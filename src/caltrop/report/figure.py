"""The charts a paper asks for: measured beside predicted, along steps or along a field of the configuration."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from caltrop.report.curves import curves, footnotes
from caltrop.report.glossary import entry
from caltrop.report.hover import Hover
from caltrop.report.markup import esc
from caltrop.report.sentences import curve_sentence
from caltrop.report.series import Series, all_series, last_rows, layer_name
from caltrop.rows import Chart, Row, Study


def figure_section(study: Study, rows: Sequence[Row], layers: tuple[str, ...], hover: Hover) -> str:
    """All charts of the study that have rows, drawn from `rows`; empty where none has."""
    cards = [_card(number, chart, study, rows, layers, hover) for number, chart in enumerate(study.charts)]
    return f'<div class="cards">{"".join(cards)}</div>' if any(cards) else ""


def chart_anchors(charts: Sequence[Chart], rows: Sequence[Row]) -> dict[tuple[str, str], str]:
    """Where each (layer, measure) of the paper's charts is drawn."""
    found: dict[tuple[str, str], str] = {}
    for number, chart in enumerate(charts):
        if _picked(chart, rows):
            found.setdefault((chart.layer, chart.measure), f"chart-{number}")
    return found


def _card(number: int, chart: Chart, study: Study, rows: Sequence[Row], layers: tuple[str, ...], hover: Hover) -> str:
    picked = _picked(chart, rows)
    if not picked:
        return ""
    along_steps = chart.across == "step"
    series = all_series(picked) if along_steps else _along_cases(picked, chart.across, study.cases)
    title = entry(chart.measure).title
    head = f'<article class="card" id="chart-{number}"><h4>{esc(chart.says or title)}</h4>'
    place = f'<p class="name">{esc(title)} · {esc(layer_name(chart.layer))}</p>'
    if not any(one.rows[0].step is not None and one.finite for one in series):
        what = "at any step" if along_steps else f"with a number for {chart.across}"
        return f"{head}{place}<p>There is no value {esc(what)} to draw.</p></article>"
    clock = study.clock if along_steps else chart.across
    sentence = curve_sentence(series, clock)
    svg = hover.take(curves(series, layers, clock, sentence))
    foot = footnotes(series)
    aside = f'<span class="aside">{esc(foot)}</span>' if foot else ""
    return f"{head}{place}<figure><figcaption>{esc(sentence)}{aside}</figcaption>{svg}</figure></article>"


def _picked(chart: Chart, rows: Sequence[Row]) -> list[Row]:
    return [
        row
        for row in rows
        if row.measure == chart.measure and row.layer == chart.layer and (not chart.splits or row.split in chart.splits)
    ]


def _along_cases(rows: Sequence[Row], field: str, cases: Mapping[str, Mapping[str, Any]]) -> tuple[Series, ...]:
    """The last row of every case, placed at the case's value of `field`; cases without a number are left out."""
    placed = []
    for row in last_rows(rows):
        value = cases.get(row.case or "", {}).get(field)
        if isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value):
            placed.append(replace(row, step=value, case=None))
    return all_series(placed)
