"""One self-contained page: no network, no library, identical bytes for identical studies."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from caltrop.report.cards import card_anchors, measure_section
from caltrop.report.explorer import explorer, explorer_data
from caltrop.report.figure import chart_anchors, figure_section
from caltrop.report.gallery import gallery
from caltrop.report.gathered import gathered
from caltrop.report.hover import Hover
from caltrop.report.html import head, resource, write_html
from caltrop.report.ledger import per_class_section, rows_table
from caltrop.report.markup import esc, prose, script_json
from caltrop.report.palette import layer_style, marker_definitions
from caltrop.report.series import last_rows, layers_of, named, unseeded
from caltrop.report.summary import MEANING, lede, tiles
from caltrop.report.tables import which_step
from caltrop.report.verdicts import claims_section, verdict_section
from caltrop.rows import Study


def page(study: Study) -> str:
    """The study as one HTML document that loads nothing and depends on nothing but `study`.

    A study without steps gets profiles and tables only; one without pictures has no section for them.
    """
    charted, told_charts = gathered(study.rows) if study.charts else ((), ())
    drawn, told = gathered(study.rows, by_case=False)
    notes = tuple(dict.fromkeys((*study.notes, *told, *told_charts)))
    study = replace(study, rows=unseeded(drawn), notes=notes)
    hover = Hover()
    layers = layers_of(study.rows)
    shown = gallery(study.pictures)
    figure = figure_section(study, charted, layers_of([*study.rows, *charted]), hover)
    measures = measure_section(study, hover)
    data = {"hover": hover.as_dict(), "explorer": explorer_data(shown, study.clock)}
    anchors = {**card_anchors(study.rows), **chart_anchors(study.charts, charted)}
    sections = [
        ("figure", "The paper's figure", figure),
        ("measures", "Measures", measures if study.rows else ""),
        ("means", "Class means", explorer(shown, study.clock) if study.pictures else ""),
        ("claims", "What the claims mean", claims_section(study.verdicts) if study.verdicts else ""),
        ("rows", "All numbers", _numbers(study)),
        ("provenance", "Where this came from", _provenance(study.provenance)),
    ]
    kept = [section for section in sections if section[2]]
    return "\n".join(
        [
            head(study.title, layer_style(named(layers)), _script()),
            f"<body>{marker_definitions(named(layers))}",
            _header(study, kept, verdict_section(study.verdicts, anchors) if study.verdicts else ""),
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


def _header(study: Study, sections: Sequence[tuple[str, str, str]], verdicts: str) -> str:
    judged = f'<section id="verdicts"><h2>Verdicts</h2>{verdicts}</section>' if verdicts else ""
    links = "".join(f'<li><a href="#{key}">{title}</a></li>' for key, title, _ in sections)
    notes = "".join(f"<li>{prose(note)}</li>" for note in study.notes)
    callout = f'<aside class="notes" aria-label="Notes"><ul>{notes}</ul></aside>' if notes else ""
    return (
        f'<header>{resource("mark.svg").strip()}<p class="brand">Caltrop</p><h1>{esc(study.title)}</h1>'
        f'<p class="lede">{prose(lede(study))} {esc(MEANING)}</p>{judged}{callout}{tiles(study)}'
        f'<nav aria-label="Sections"><ul>{links}</ul></nav></header>'
    )


def _numbers(study: Study) -> str:
    if not study.rows:
        return ""
    shown = which_step(study.rows, last_rows(study.rows), study.clock)
    return f'<p class="lede">Shown: {esc(shown)}.</p>{rows_table(study)}{per_class_section(study)}'


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
