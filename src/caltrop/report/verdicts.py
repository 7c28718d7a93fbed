"""Verdicts as a reader meets them: on top of a page, in a notebook, in a terminal."""

from __future__ import annotations

import textwrap
from collections.abc import Iterable, Sequence

from caltrop.report.glossary import entry
from caltrop.report.markup import esc
from caltrop.report.numbers import number, typeset
from caltrop.report.series import layer_name
from caltrop.rows import OUTCOMES, Verdict

# colour is never the only carrier
SIGNS = {"reproduced": "✓", "contradicted": "✗", "inconclusive": "?"}
_COLOURS = {"reproduced": "#157a58", "contradicted": "#b3261e", "inconclusive": "#7a6300"}
_WIDTH = 100


def verdict_section(verdicts: Sequence[Verdict], charts: dict[tuple[str, str], str]) -> str:
    """The table of verdicts; `charts` maps (layer, measure) to the anchor of the chart that shows it."""
    counts = ", ".join(f"{sum(v.outcome == o for v in verdicts)} {o}" for o in OUTCOMES)
    items = "".join(_line(verdict, charts) for verdict in verdicts)
    return f'<p class="lede">{len(verdicts)} claims: {counts}.</p><ul class="verdicts">{items}</ul>'


def claims_section(verdicts: Sequence[Verdict]) -> str:
    """What each claim means: its quantity, threshold, place in the paper and preconditions."""
    return "".join(_definition(verdict) for verdict in verdicts)


def verdict_table(verdicts: Iterable[Verdict]) -> str:
    """Verdicts as plain text, at most 100 characters wide."""
    lines = []
    for verdict in verdicts:
        lines.append(f"{SIGNS[verdict.outcome]} {verdict.outcome:<12}  {verdict.claim}")
        lines += textwrap.wrap(verdict.says, _WIDTH, initial_indent="    ", subsequent_indent="    ")
        why = f"measured {measured(verdict)}, expected {verdict.expected}: {verdict.why}"
        lines += textwrap.wrap(why, _WIDTH, initial_indent="    ", subsequent_indent="    ")
    return "\n".join(lines) if lines else "No claims."


def html_verdicts(verdicts: Iterable[Verdict]) -> str:
    """Verdicts as an HTML fragment for notebooks: no script, no style sheet."""
    cell = "padding:3px 12px 3px 0;text-align:left;vertical-align:top;border-top:1px solid rgba(128,128,128,.3)"
    rows = "".join(
        f'<tr><td style="{cell};white-space:nowrap;color:{_COLOURS[v.outcome]}"><strong>{SIGNS[v.outcome]} {v.outcome}'
        f'</strong></td><td style="{cell}">{esc(v.says)}<br><span style="opacity:.7">{esc(v.claim)}</span></td>'
        f'<td style="{cell}">{esc(measured(v))}</td><td style="{cell}">{esc(v.expected)}</td>'
        f'<td style="{cell}">{esc(v.why)}</td></tr>'
        for v in verdicts
    )
    heads = "".join(
        f'<th scope="col" style="{cell}">{name}</th>' for name in ("verdict", "claim", "measured", "expected", "why")
    )
    return (
        '<div style="overflow-x:auto;max-width:100%"><table style="border-collapse:collapse;font-size:13px">'
        f"<tr>{heads}</tr>{rows}</table></div>"
    )


def outcome(verdict: Verdict) -> str:
    """The outcome as a coloured word behind its sign."""
    return (
        f'<strong class="outcome {verdict.outcome}"><span aria-hidden="true">{SIGNS[verdict.outcome]}</span> '
        f"{verdict.outcome}</strong>"
    )


def measured(verdict: Verdict) -> str:
    """`18.9 (16.2 to 21.4)`, or "–"."""
    if verdict.interval is None or verdict.measured is None:
        return number(verdict.measured)
    low, high = verdict.interval
    return f"{number(verdict.measured)} ({number(low)} to {number(high)})"


def anchor(verdict: Verdict) -> str:
    """Where the claim is defined on its page."""
    return f"claim-{verdict.claim.partition('/')[2]}"


def _line(verdict: Verdict, charts: dict[tuple[str, str], str]) -> str:
    shown = [(place, charts[place]) for place in verdict.charts if place in charts]
    links = [f'<a href="#{anchor(verdict)}">definition</a>']
    links += [f'<a href="#{target}">{esc(entry(place[1]).title.lower())}</a>' for place, target in shown]
    return (
        f'<li>{outcome(verdict)}<div><p class="says">{esc(verdict.says)}</p>'
        f'<p class="facts">measured <b>{esc(typeset(measured(verdict)))}</b> · '
        f"expected <b>{esc(verdict.expected)}</b></p>"
        f'<p class="why">{esc(verdict.why)}</p><p class="links">{" · ".join(links)}</p></div></li>'
    )


def _definition(verdict: Verdict) -> str:
    facts = [
        ("verdict", f"{SIGNS[verdict.outcome]} {verdict.outcome}: {verdict.why}"),
        ("where in the paper", verdict.where),
        ("what is computed", verdict.quantity),
        ("expected", verdict.expected),
        ("why that threshold", verdict.threshold),
        ("preconditions", "; ".join(verdict.requires) or "none"),
        ("read at", ", ".join(f"{measure} at {layer_name(layer)}" for layer, measure in verdict.charts)),
    ]
    listed = "".join(f"<div><dt>{name}</dt><dd>{esc(words)}</dd></div>" for name, words in facts if words)
    return (
        f'<article class="claim" id="{esc(anchor(verdict))}"><h3>{esc(verdict.says)}</h3>'
        f'<p class="name">{esc(verdict.claim)}</p><dl>{listed}</dl></article>'
    )
