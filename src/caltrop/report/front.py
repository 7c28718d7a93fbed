"""A front page for a folder of many records."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from caltrop.report.html import document, write_html
from caltrop.report.markup import esc
from caltrop.report.verdicts import HEADS, claim_anchors, table, tally, verdict_row
from caltrop.rows import Verdict

_TITLE = "Records of neural collapse"


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


def front_page(entries: Sequence[Entry], title: str = _TITLE) -> str:
    """All records with their verdicts as one self-contained page that links to their own."""
    papers, claims = _papers(entries), _claims(entries)
    parts = [
        ("papers", "Papers", papers),
        ("claims", "All claims", claims),
        ("records", "Records", _records(entries)),
    ]
    kept = [part for part in parts if part[2]]
    links = "".join(f'<li><a href="#{key}">{name}</a></li>' for key, name, _ in kept)
    header = (
        f'<p class="brand">Caltrop</p><h1>{esc(title)}</h1><p class="lede">{_summary(entries)}</p>{_problems(entries)}'
        f'<nav aria-label="Sections"><ul>{links}</ul></nav>'
    )
    body = "".join(f'<section id="{key}"><h2>{name}</h2>{content}</section>' for key, name, content in kept)
    return document(title, header, body)


def write_front_page(entries: Sequence[Entry], path: str | os.PathLike[str], title: str = _TITLE) -> Path:
    """Write `front_page(entries)` to `path`, whole or not at all.

    Raises:
        OSError: the folder does not exist, cannot be written, or the disk is full.
    """
    return write_html(front_page(entries, title), path)


def _summary(entries: Sequence[Entry]) -> str:
    verdicts = [verdict for entry in entries for verdict in entry.verdicts]
    read = sum(entry.problem is None for entry in entries)
    unread = len(entries) - read
    damaged = f" {_plural(unread, 'record')} could not be read." if unread else ""
    return f"{_plural(read, 'record')}, with {tally(verdicts) if verdicts else 'no claims.'}{damaged}"


def _problems(entries: Sequence[Entry]) -> str:
    """Records that could not be read stand where nobody overlooks them."""
    items = "".join(
        f"<li>{'' if entry.title in entry.problem else f'<b>{esc(entry.title)}</b>: '}{esc(entry.problem)}</li>"
        for entry in entries
        if entry.problem is not None
    )
    return f'<aside class="notes" aria-label="Records that could not be read"><ul>{items}</ul></aside>' if items else ""


def _papers(entries: Sequence[Entry]) -> str:
    """How often each outcome occurs in each paper."""
    papers: dict[str, list[Verdict]] = {}
    records: dict[str, int] = {}
    for entry in entries:
        for paper in dict.fromkeys(verdict.paper for verdict in entry.verdicts):
            records[paper] = records.get(paper, 0) + 1
        for verdict in entry.verdicts:
            papers.setdefault(verdict.paper, []).append(verdict)
    lines = "".join(
        f"<div><dt>{esc(paper)}</dt><dd>{_plural(records[paper], 'record')}</dd><dd>{tally(verdicts)}</dd></div>"
        for paper, verdicts in papers.items()
    )
    return f'<dl class="papers">{lines}</dl>' if lines else ""


def _claims(entries: Sequence[Entry]) -> str:
    lines = "".join(
        verdict_row(verdict, f'<p class="links">{_where(entry, verdict)}</p>', f"{entry.link}#{anchor}")
        for entry in entries
        for verdict, anchor in zip(entry.verdicts, claim_anchors(entry.verdicts), strict=True)
    )
    return table(lines, HEADS) if lines else ""


def _where(entry: Entry, verdict: Verdict) -> str:
    facts = [entry.facts[name] for name in ("scale",) if name in entry.facts]
    return esc(" · ".join([verdict.claim, *facts]))


def _records(entries: Sequence[Entry]) -> str:
    items = "".join(_record(entry) for entry in entries if entry.problem is None)
    return f'<ul class="records">{items}</ul>' if items else ""


def _record(entry: Entry) -> str:
    facts = "".join(f"<div><dt>{esc(name)}</dt><dd>{esc(value)}</dd></div>" for name, value in entry.facts.items())
    return (
        f'<li><h3><a href="{esc(entry.link)}">{esc(entry.title)}</a></h3><p class="name">{esc(entry.what)}</p>'
        f'<p class="tally">{tally(entry.verdicts)}</p><dl>{facts}</dl></li>'
    )


def _plural(count: int, name: str) -> str:
    return f"{count} {name}{'' if count == 1 else 's'}"
