"""Rows as an HTML fragment for notebooks: no script, no style sheet, colours inherited from the notebook."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence

from caltrop.report.drawing import line
from caltrop.report.glossary import entry
from caltrop.report.markup import esc
from caltrop.report.numbers import typeset
from caltrop.report.scales import Scale, value_scale
from caltrop.report.series import Series, all_series, last_rows, unseeded
from caltrop.report.tables import cells, groups, which_step
from caltrop.rows import Row

_RULE = "border-top:1px solid rgba(128,128,128,.3)"
_CELL = f"padding:2px 10px 2px 0;text-align:left;vertical-align:top;{_RULE}"
_NUMBER = f"padding:2px 10px 2px 0;text-align:right;white-space:nowrap;font-variant-numeric:tabular-nums;{_RULE}"
_HEADS = ("measure", "symbol", "value", "± 95 %", "at collapse", "remark")


def html_table(rows: Iterable[Row], verdict: str | None = None) -> str:
    """The last step of `rows` as a table, with a sparkline over steps where there are several.

    `verdict` is one sentence of plain text that stands above the table.
    """
    rows = unseeded(rows)
    if not rows:
        return "<p>No rows.</p>"
    lasts = last_rows(rows)
    courses = {_key(series.last): series for series in all_series(rows)}
    sparks = any(len(series.finite) > 1 for series in courses.values())
    heads = [*_HEADS[:2], "course", *_HEADS[2:]] if sparks else list(_HEADS)
    body = [f"<tr>{''.join(_head(name) for name in heads)}</tr>"]
    for heading, group in groups(lasts).items():
        body.append(
            f'<tr><th colspan="{len(heads)}" scope="rowgroup" style="{_CELL};padding-top:10px">{esc(heading)}</th></tr>'
        )
        body += [_row(row, courses[_key(row)] if sparks else None) for row in group]
    above = f'<p style="margin:0 0 6px"><strong>{esc(verdict)}</strong></p>' if verdict else ""
    return (
        f'<div style="overflow-x:auto;max-width:100%">{above}'
        f'<table style="border-collapse:collapse;font-size:13px;line-height:1.4">'
        '<caption style="text-align:left;opacity:.75;padding-bottom:4px">'
        f"Shown: {esc(which_step(rows, lasts))}.</caption>"
        f"<tbody>{''.join(body)}</tbody></table></div>"
    )


def _key(row: Row) -> tuple[object, ...]:
    return row.origin, row.seed, row.case, row.split, row.layer, row.measure


def _head(name: str) -> str:
    style = _NUMBER if name in ("value", "± 95 %", "at collapse") else _CELL
    return f'<th scope="col" style="{style};border-top:0;font-weight:600">{esc(name)}</th>'


def _row(row: Row, course: Series | None) -> str:
    one = cells(row)
    sentence = entry(row.measure).sentence
    hint = f' title="{esc(sentence)}"' if sentence else ""
    columns = [f'<td style="{_CELL}"{hint}>{esc(one.measure)}</td>', f'<td style="{_CELL}">{esc(one.symbol)}</td>']
    if course is not None:
        columns.append(f'<td style="{_CELL}">{_spark(course)}</td>')
    columns += [
        f'<td style="{_NUMBER}">{esc(typeset(content))}</td>'
        for content in (one.value, one.half_width, one.at_collapse)
    ]
    columns.append(f'<td style="{_CELL};max-width:36em">{esc(one.remark)}</td>')
    return f"<tr>{''.join(columns)}</tr>"


def _spark(series: Series) -> str:
    if len(series.finite) < 2:
        return ""
    up = value_scale([row.value for row in series.finite], [], 17.0, 3.0)
    course = line(_course(series.rows, up))
    return (
        '<svg width="72" height="20" viewBox="0 0 72 20" role="img" aria-label="course over steps">'
        f'<path d="{course}" fill="none" stroke="currentColor" stroke-width="1.5"/></svg>'
    )


def _course(rows: Sequence[Row], up: Scale) -> list[tuple[float, float] | None]:
    width = 68 / max(1, len(rows) - 1)
    return [
        (2.0 + index * width, up.at(row.value)) if math.isfinite(row.value) else None for index, row in enumerate(rows)
    ]
