"""One self-contained page: no network, no library, identical bytes for identical studies."""

from __future__ import annotations

import base64
import contextlib
import hashlib
import os
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import replace
from importlib.resources import files
from pathlib import Path
from typing import Any

from caltrop.report.cards import measure_section
from caltrop.report.explorer import explorer, explorer_data
from caltrop.report.gallery import gallery
from caltrop.report.hover import Hover
from caltrop.report.ledger import per_class_section, rows_table
from caltrop.report.markup import esc, prose, script_json
from caltrop.report.palette import layer_style, marker_definitions
from caltrop.report.series import last_rows, layers_of, named, unseeded
from caltrop.report.summary import MEANING, lede, tiles
from caltrop.report.tables import which_step
from caltrop.rows import Study


def page(study: Study) -> str:
    """The study as one HTML document that loads nothing and depends on nothing but `study`.

    A study without steps gets profiles and tables only; one without pictures has no section for them.
    """
    study = replace(study, rows=unseeded(study.rows))
    hover = Hover()
    shown = gallery(study.pictures)
    measures = measure_section(study, hover)
    data = {"hover": hover.as_dict(), "explorer": explorer_data(shown, study.clock)}
    sections = [
        ("measures", "Measures", measures if study.rows else ""),
        ("means", "Class means", explorer(shown, study.clock) if study.pictures else ""),
        ("rows", "All numbers", _numbers(study)),
        ("provenance", "Where this came from", _provenance(study.provenance)),
    ]
    kept = [section for section in sections if section[2]]
    return "\n".join(
        [
            _head(study),
            f"<body>{marker_definitions(named(layers_of(study.rows)))}",
            _header(study, kept),
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
    path = Path(path)
    content = page(study)
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.", suffix=".part")
    try:
        with os.fdopen(handle, "w", encoding="utf-8", newline="\n") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        # mkstemp makes files private to the user; a page is for showing
        os.chmod(name, 0o644)
        os.replace(name, path)
    except BaseException:
        with contextlib.suppress(OSError):
            os.unlink(name)
        raise
    return path


def _head(study: Study) -> str:
    script = base64.b64encode(hashlib.sha256(_script().encode()).digest()).decode()
    # even a string that slipped through escaping could neither run nor load anything
    policy = f"default-src 'none'; style-src 'unsafe-inline'; img-src data:; script-src 'sha256-{script}'"
    return (
        '<!doctype html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        f'<meta http-equiv="Content-Security-Policy" content="{policy}">\n'
        '<meta name="viewport" content="width=device-width,initial-scale=1">\n'
        '<meta name="color-scheme" content="light dark">\n'
        f'<title>{esc(study.title)}</title>\n<link rel="icon" href="data:,">\n'
        f"<style>{_resource('page.css')}{layer_style(named(layers_of(study.rows)))}</style>\n</head>"
    )


def _header(study: Study, sections: Sequence[tuple[str, str, str]]) -> str:
    links = "".join(f'<li><a href="#{key}">{title}</a></li>' for key, title, _ in sections)
    notes = "".join(f"<li>{prose(note)}</li>" for note in study.notes)
    callout = f'<aside class="notes" aria-label="Notes"><ul>{notes}</ul></aside>' if notes else ""
    return (
        f'<header>{_resource("mark.svg").strip()}<p class="brand">Caltrop</p><h1>{esc(study.title)}</h1>'
        f'<p class="lede">{prose(lede(study))} {esc(MEANING)}</p>{callout}{tiles(study)}'
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
    lines = (line.strip() for line in _resource("page.js").splitlines())
    return "\n".join(line for line in lines if line and not line.startswith("//"))


def _resource(name: str) -> str:
    return files("caltrop.report").joinpath(name).read_text(encoding="utf-8")
