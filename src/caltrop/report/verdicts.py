"""Verdicts as a reader meets them: on top of a page, in a notebook, in a terminal."""

from __future__ import annotations

import textwrap
from collections.abc import Iterable, Mapping, Sequence

from caltrop.report.aggregate import ends
from caltrop.report.glossary import entry
from caltrop.report.markup import anchor_name, esc
from caltrop.report.numbers import number, typeset
from caltrop.report.series import layer_name
from caltrop.rows import OUTCOMES, Rows, Verdict

# colour is never the only carrier
SIGNS = {"reproduced": "✓", "contradicted": "✗", "inconclusive": "?"}
# in the middle, so that they are read on the light and the dark ground of any notebook
_COLOURS = {"reproduced": "#1a8a63", "contradicted": "#d6453d", "inconclusive": "#997a00"}
_WIDTH = 100
_MOST_SEEDS = 10
HEADS = ("Verdict", "Claim", "Measured", "Expected", "Why")

Places = Mapping[tuple[str, str], str]


def verdict_section(verdicts: Sequence[Verdict], charts: Places, cards: Mapping[str, str]) -> str:
    """The table of verdicts, with links to `charts` of the paper by (layer, measure), and to `cards` by measure."""
    anchors = claim_anchors(verdicts)
    rows = "".join(
        verdict_row(verdict, f'<p class="links">{_links(verdict, anchor, charts, cards)}</p>')
        for verdict, anchor in zip(verdicts, anchors, strict=True)
    )
    return f'<p class="lede">{tally(verdicts)}</p>{table(rows)}'


def claims_section(verdicts: Sequence[Verdict], rows: Rows) -> str:
    """What each claim means: its quantity, threshold, place in the paper and preconditions; and its numbers by seed."""
    anchors = claim_anchors(verdicts)
    return "".join(_definition(verdict, anchor, rows) for verdict, anchor in zip(verdicts, anchors, strict=True))


def verdict_table(verdicts: Iterable[Verdict]) -> str:
    """Verdicts as plain text, at most 100 characters wide: for each claim its outcome and name, then its words."""
    verdicts = list(verdicts)
    if not verdicts:
        return "No claims.\n"
    lines = [f"{counted(verdicts)}."]
    for verdict in verdicts:
        lines += ["", f"{SIGNS[verdict.outcome]} {verdict.outcome:<12}  {verdict.claim}"]
        lines += _wrapped("", verdict.says) if verdict.says else []
        lines += _wrapped("measured  ", measured(verdict))
        lines += _wrapped("expected  ", verdict.expected)
        lines += _wrapped("why       ", verdict.why)
    return "\n".join(lines) + "\n"


def html_verdicts(verdicts: Iterable[Verdict]) -> str:
    """Verdicts as an HTML fragment for notebooks: no script, no style sheet."""
    verdicts = list(verdicts)
    if not verdicts:
        return "<p>No claims.</p>"
    cell = "padding:4px 14px 4px 0;text-align:left;vertical-align:top;border-top:1px solid rgba(128,128,128,.3)"
    rows = "".join(
        f'<tr><td style="{cell};white-space:nowrap;color:{_COLOURS[v.outcome]}"><strong>{SIGNS[v.outcome]} {v.outcome}'
        f'</strong></td><td style="{cell};min-width:16em">{esc(v.says)}<br><span style="opacity:.75">{esc(v.claim)}'
        f'</span></td><td style="{cell}">{esc(typeset(measured(v)))}</td><td style="{cell}">{esc(v.expected)}</td>'
        f'<td style="{cell};min-width:16em">{esc(v.why)}</td></tr>'
        for v in verdicts
    )
    heads = "".join(f'<th scope="col" style="{cell};border-top:0">{name}</th>' for name in HEADS)
    return (
        '<div style="overflow-x:auto;max-width:100%">'
        '<table style="border-collapse:collapse;font-size:13px;line-height:1.4">'
        f'<caption style="text-align:left;opacity:.75;padding-bottom:4px">{counted(verdicts)}.</caption>'
        f"<thead><tr>{heads}</tr></thead><tbody>{rows}</tbody></table></div>"
    )


def table(rows: str, heads: Sequence[str] = HEADS) -> str:
    """The frame around lines of `verdict_row`."""
    names = "".join(f'<th scope="col">{name}</th>' for name in heads)
    return f'<table class="verdicts"><thead><tr>{names}</tr></thead><tbody>{rows}</tbody></table>'


def verdict_row(verdict: Verdict, below: str = "", link: str = "") -> str:
    """One claim as a line of a table; `below` stands under its sentence, `link` is where the sentence leads."""
    says = esc(verdict.says or verdict.claim)
    if link:
        says = f'<a href="{esc(link)}">{says}</a>'
    interval = _interval(verdict)
    reach = f' <span class="interval">{esc(typeset(interval))}</span>' if interval else ""
    value = f"<b>{esc(typeset(_value(verdict)))}</b>{reach}"
    return (
        f'<tr><th scope="row">{outcome(verdict.outcome)}</th><td><p class="says">{says}</p>{below}</td>'
        f'<td data-head="measured">{value}</td><td data-head="expected">{esc(verdict.expected)}</td>'
        f'<td class="why">{esc(verdict.why)}</td></tr>'
    )


def outcome(name: str, count: int | None = None) -> str:
    """An outcome as a coloured word behind its sign, with how often it occurs where `count` is given."""
    times = "" if count is None else f"{count} "
    return f'<strong class="outcome {name}"><span aria-hidden="true">{SIGNS[name]}</span> {times}{name}</strong>'


def tally(verdicts: Sequence[Verdict]) -> str:
    """`5 claims: ✓ 3 reproduced, …` as HTML; outcomes that do not occur are left out."""
    parts = [outcome(name, count) for name, count in _counts(verdicts)]
    return f"{_claims(verdicts)}: {', '.join(parts)}." if parts else "No claims."


def counted(verdicts: Sequence[Verdict]) -> str:
    """`5 claims: 3 reproduced, …` as plain text."""
    parts = [f"{count} {name}" for name, count in _counts(verdicts)]
    return f"{_claims(verdicts)}: {', '.join(parts)}" if parts else "No claims"


def measured(verdict: Verdict) -> str:
    """`18.9 (16.2 to 21.4)`, or "–"."""
    interval = _interval(verdict)
    return f"{_value(verdict)} ({interval})" if interval else _value(verdict)


def claim_anchors(verdicts: Sequence[Verdict]) -> list[str]:
    """Where each claim is defined on its page: `claim-short-name`, with the paper's name where two papers share one."""
    shorts = [verdict.claim.partition("/")[2] or verdict.claim for verdict in verdicts]
    return [
        anchor_name("claim", short if shorts.count(short) == 1 else verdict.claim)
        for verdict, short in zip(verdicts, shorts, strict=True)
    ]


def _counts(verdicts: Sequence[Verdict]) -> list[tuple[str, int]]:
    found = [verdict.outcome for verdict in verdicts]
    return [(name, found.count(name)) for name in OUTCOMES if name in found]


def _claims(verdicts: Sequence[Verdict]) -> str:
    return "1 claim" if len(verdicts) == 1 else f"{len(verdicts)} claims"


def _half(verdict: Verdict) -> float | None:
    return None if verdict.interval is None else (verdict.interval[1] - verdict.interval[0]) / 2


def _value(verdict: Verdict) -> str:
    return number(verdict.measured, _half(verdict))


def _interval(verdict: Verdict) -> str:
    """Empty where there is none, and where it is a point: what every seed gives needs no range."""
    if verdict.interval is None or verdict.measured is None or verdict.interval[0] == verdict.interval[1]:
        return ""
    low, high = (number(end, _half(verdict)) for end in verdict.interval)
    return f"{low} to {high}"


def _links(verdict: Verdict, anchor: str, charts: Places, cards: Mapping[str, str]) -> str:
    """To the definition, to the charts that show it, and to what its measures mean."""
    links = [f'<a href="#{esc(anchor)}">definition</a>']
    for layer, measure in verdict.charts:
        title = entry(measure).title.lower() if entry(measure).title != measure else measure
        if (layer, measure) in charts:
            links.append(f'<a href="#{esc(charts[layer, measure])}">chart</a>')
        if measure in cards:
            links.append(f'<a href="#{esc(cards[measure])}">{esc(title)}</a>')
    return " · ".join(dict.fromkeys(links))


def _definition(verdict: Verdict, anchor: str, rows: Rows) -> str:
    facts = [
        ("where in the paper", verdict.where),
        ("what is computed", verdict.quantity),
        ("expected", verdict.expected),
        ("why that threshold", verdict.threshold),
        ("preconditions", "; ".join(verdict.requires) or "none"),
        ("read from", "; ".join(f"{measure} at {layer_name(layer)}" for layer, measure in verdict.charts)),
    ]
    listed = "".join(f"<div><dt>{name}</dt><dd>{esc(words)}</dd></div>" for name, words in facts if words)
    seeds = [f"<dd>{esc(line)}</dd>" for place in verdict.charts for line in _by_seed(rows, *place)]
    listed += f'<div class="wide"><dt>each seed at its end</dt>{"".join(seeds)}</div>' if seeds else ""
    return (
        f'<article class="claim" id="{esc(anchor)}"><h3>{esc(verdict.says or verdict.claim)}</h3>'
        f'<p class="name">{esc(verdict.claim)} · {outcome(verdict.outcome)}</p><dl>{listed}</dl></article>'
    )


def _by_seed(rows: Rows, layer: str, measure: str) -> list[str]:
    """`loss, train: 0.0157 (seed 0), 0.0149 (seed 1)`; nothing for one seed, very many, or several cases."""
    found = rows.where(layer=layer, measure=measure, origin=("trained", "solved"))
    seeds = [seed for seed in found.distinct("seed") if seed is not None]
    if not 1 < len(seeds) <= _MOST_SEEDS or len(found.distinct("case")) > 1:
        return []
    lines = []
    for split, part in ends(found).split_by("split").items():
        values = typeset(", ".join(f"{number(row.value)} (seed {row.seed})" for row in part))
        lines.append(f"{measure}, {split}: {values}")
    return lines


def _wrapped(front: str, words: str) -> list[str]:
    indent = "    "
    return textwrap.wrap(words, _WIDTH, initial_indent=indent + front, subsequent_indent=indent + " " * len(front))
