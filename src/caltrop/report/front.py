"""A front page for a folder of many records."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from caltrop.report.html import document, write_html
from caltrop.report.markup import esc
from caltrop.report.numbers import typeset
from caltrop.report.verdicts import anchor, measured, outcome
from caltrop.rows import OUTCOMES, Verdict


@dataclass(frozen=True)
class Entry:
    """One record: its title, a relative link to its page, what it is (a paper's name), verdicts and a few facts.

    `problem` says why a record could not be read; then there is no page to link.
    """

    title: str
    link: str
    what: str
    verdicts: tuple[Verdict, ...] = ()
    facts: Mapping[str, str] = field(default_factory=dict)
    problem: str | None = None


def front_page(entries: Sequence[Entry], title: str = "Records of neural collapse") -> str:
    """All records with their verdicts as one self-contained page that links to their own."""
    body = (
        f'<p class="lede">{_count(entries)}</p>{_records(entries)}'
        f'<section id="claims"><h2>All claims</h2>{_claims(entries)}</section>'
    )
    return document(title, f'<p class="brand">Caltrop</p><h1>{esc(title)}</h1>', body)


def write_front_page(
    entries: Sequence[Entry], path: str | os.PathLike[str], title: str = "Records of neural collapse"
) -> Path:
    """Write `front_page(entries)` to `path`, whole or not at all.

    Raises:
        OSError: the folder does not exist, cannot be written, or the disk is full.
    """
    return write_html(front_page(entries, title), path)


def _count(entries: Sequence[Entry]) -> str:
    verdicts = [verdict for entry in entries for verdict in entry.verdicts]
    counts = ", ".join(f"{sum(v.outcome == o for v in verdicts)} {o}" for o in OUTCOMES)
    damaged = sum(entry.problem is not None for entry in entries)
    unread = f" {damaged} could not be read." if damaged else ""
    return f"{len(entries)} records with {len(verdicts)} judged claims: {counts}.{unread}"


def _records(entries: Sequence[Entry]) -> str:
    return f'<ul class="records">{"".join(map(_record, entries))}</ul>'


def _record(entry: Entry) -> str:
    if entry.problem is not None:
        return f'<li class="unread"><h3>{esc(entry.title)}</h3><p>{esc(entry.problem)}</p></li>'
    facts = " · ".join(f"{esc(name)} {esc(value)}" for name, value in entry.facts.items())
    tally = "".join(
        f'<span class="outcome {kind}">{sum(v.outcome == kind for v in entry.verdicts)} {kind}</span>'
        for kind in OUTCOMES
        if any(v.outcome == kind for v in entry.verdicts)
    )
    return (
        f'<li><h3><a href="{esc(entry.link)}">{esc(entry.title)}</a></h3><p class="name">{esc(entry.what)}</p>'
        f'<p class="facts">{facts}</p><p class="tally">{tally or "no claims"}</p></li>'
    )


def _claims(entries: Sequence[Entry]) -> str:
    lines = "".join(_claim(entry, verdict) for entry in entries for verdict in entry.verdicts)
    return f'<ul class="verdicts">{lines}</ul>' if lines else "<p>No record here has claims.</p>"


def _claim(entry: Entry, verdict: Verdict) -> str:
    scale = entry.facts.get("scale", "")
    where = " · ".join(filter(None, [verdict.paper, scale]))
    return (
        f'<li>{outcome(verdict)}<div><p class="says"><a href="{esc(entry.link)}#{esc(anchor(verdict))}">'
        f"{esc(verdict.says)}</a></p>"
        f'<p class="facts">{esc(where)} · measured <b>{esc(typeset(measured(verdict)))}</b> · expected '
        f'<b>{esc(verdict.expected)}</b></p><p class="why">{esc(verdict.why)}</p></div></li>'
    )
