"""One self-contained page: no network, no library, identical bytes for identical studies."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from caltrop.report.aggregate import Aggregated, aggregate, ends
from caltrop.report.cards import card_anchor, measure_section
from caltrop.report.explorer import explorer, explorer_data
from caltrop.report.figure import Plot, figure_section, plots
from caltrop.report.gallery import gallery
from caltrop.report.hover import Hover
from caltrop.report.html import head, resource, write_html
from caltrop.report.ledger import per_class_section, rows_table
from caltrop.report.legend import Legend
from caltrop.report.markup import esc, prose, script_json
from caltrop.report.palette import layer_style, marker_definitions
from caltrop.report.phases import phase_section
from caltrop.report.series import distinct, last_rows, layers_of, named, unseeded
from caltrop.report.summary import MEANING, lede, tiles
from caltrop.report.tables import which_step
from caltrop.report.verdicts import claims_section, verdict_section
from caltrop.rows import Rows, Study

_MOST_LINES = 1500  # of one table
_NOTES_IN_SIGHT = 4


def page(study: Study) -> str:
    """The study as one HTML document that loads nothing and depends on nothing but `study`.

    A study without steps gets profiles and tables only; one without pictures has no section for them. More rows
    than a page can show are gathered (seeds always, steps and layers where there are many), and the page says so.
    """
    study = replace(study, rows=Rows.of(study.rows))
    table = Rows.of(study.rows)
    few = aggregate(table, clock=study.clock)
    drawn = replace(study, rows=unseeded(few.rows))
    legend = Legend(layers_of(drawn.rows), distinct(table, "origin") or ("trained",), few.groups)
    hover = Hover()
    charts = plots(study, table)
    figure = figure_section(charts, legend, study.clock, hover)
    phases = phase_section(study.maps, hover)
    measures = measure_section(drawn, legend, hover)
    shown = gallery(study.pictures)
    data = {"hover": hover.as_dict(), "explorer": explorer_data(shown, study.clock)}
    sections = [
        ("figure", "The paper’s figure", figure),
        ("phases", "Phase diagrams", phases),
        ("measures", "Measures", _about(few, bool(study.verdicts)) + measures if study.rows else ""),
        ("means", "Class means", explorer(shown, study.clock) if study.pictures else ""),
        ("claims", "Claims", claims_section(study.verdicts, table) if study.verdicts else ""),
        ("rows", "All numbers", _numbers(study, table, few)),
        ("provenance", "Where this came from", _provenance(study.provenance)),
    ]
    kept = [section for section in sections if section[2]]
    return "\n".join(
        [
            head(study.title, layer_style(named(legend.layers)), _script()),
            f"<body>{marker_definitions(named(legend.layers))}",
            _header(study, drawn, kept, _verdicts(study, charts)),
            "<main>",
            *(f'<section id="{key}"><h2>{title}</h2>{body}</section>' for key, title, body in kept),
            "</main>",
            '<div id="tip" role="status" hidden></div>',
            f'<script type="application/json" id="data">{script_json(data)}</script>',
            f"<script>{_script()}</script>",
            "</body>",
            "</html>",
            "",
        ]
    )


def write_page(study: Study, path: str | os.PathLike[str]) -> Path:
    """Write `page(study)` to `path`, whole or not at all; the folder must exist.

    Raises:
        OSError: the folder does not exist, cannot be written, or the disk is full.
    """
    return write_html(page(study), path)


def _header(study: Study, drawn: Study, sections: Sequence[tuple[str, str, str]], verdicts: str) -> str:
    links = "".join(f'<li><a href="#{key}">{title}</a></li>' for key, title, _ in sections)
    meaning = "" if verdicts else f" {esc(MEANING)}"
    return (
        f'<header>{resource("mark.svg").strip()}<p class="brand">Caltrop</p><h1>{esc(study.title)}</h1>'
        f'<p class="lede">{prose(lede(study))}{meaning}</p>{verdicts}{_notes(study.notes)}{tiles(drawn)}'
        f'<nav aria-label="Sections"><ul>{links}</ul></nav></header>'
    )


def _notes(notes: Sequence[str]) -> str:
    """All notes; of many the first stay in sight, and the rest unfold."""
    items = [f"<li>{prose(note)}</li>" for note in notes]
    if not items:
        return ""
    kept = _NOTES_IN_SIGHT if len(items) > _NOTES_IN_SIGHT + 1 else len(items)
    folded = "".join(items[kept:])
    more = f"<details><summary>{len(items) - kept} more notes</summary><ul>{folded}</ul></details>" if folded else ""
    return f'<aside class="notes" aria-label="Notes"><ul>{"".join(items[:kept])}</ul>{more}</aside>'


def _about(few: Aggregated, is_judged: bool) -> str:
    """What measures are of, where the verdicts took that place, and what their charts gather."""
    words = [*([MEANING] if is_judged else []), " ".join(few.told())]
    return "".join(f'<p class="lede">{esc(part)}</p>' for part in words if part)


def _verdicts(study: Study, charts: Sequence[Plot]) -> str:
    if not study.verdicts:
        return ""
    shown: dict[tuple[str, str], str] = {}
    for plot in charts:
        shown.setdefault((plot.chart.layer, plot.chart.measure), plot.anchor)
    cards = {measure: card_anchor(measure) for measure in distinct(study.rows, "measure")}
    return f'<section id="verdicts"><h2>Verdicts</h2>{verdict_section(study.verdicts, shown, cards)}</section>'


def _numbers(study: Study, table: Rows, few: Aggregated) -> str:
    """The last row of every series: by case where a table can hold that, gathered as in the charts otherwise."""
    if not study.rows:
        return ""
    ended = aggregate(ends(table), by_case=True, clock=study.clock)
    if len(ended.rows) > _MOST_LINES:
        ended = few
    lasts = last_rows(unseeded(ended.rows))
    told = " ".join([f"Shown: {which_step(table, lasts, study.clock)}.", *ended.told(table=True)])
    lede = f'<p class="lede">{esc(told)}</p>'
    return f"{lede}{rows_table(lasts, study.clock)}{per_class_section(study)}"


def _provenance(provenance: Mapping[str, Any]) -> str:
    entries = "".join(f"<div><dt>{esc(key)}</dt><dd>{esc(value)}</dd></div>" for key, value in _flat(provenance))
    return f'<dl class="provenance">{entries}</dl>' if entries else ""


def _flat(entries: Mapping[str, Any], prefix: str = "") -> list[tuple[str, str]]:
    """Nested mappings as `outer · inner`, lists as commas, None left out."""
    out: list[tuple[str, str]] = []
    for key, value in entries.items():
        name = f"{prefix}{key}"
        if isinstance(value, Mapping):
            out += _flat(value, f"{name} · ")
        elif isinstance(value, list | tuple):
            out.append((name, ", ".join(map(str, value))))
        elif value is not None:
            out.append((name, str(value)))
    return out


def _script() -> str:
    """The page's script without its comments and indentation."""
    lines = (line.strip() for line in resource("page.js").splitlines())
    return "\n".join(line for line in lines if line and not line.startswith("//"))
