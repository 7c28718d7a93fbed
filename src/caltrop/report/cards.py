"""A card for each measure: what it means, its curves over steps, its profile over layers."""

from __future__ import annotations

import math
from collections.abc import Sequence

from caltrop.report.curves import curves, footnotes
from caltrop.report.gathered import Gathered
from caltrop.report.glossary import FAMILIES, badge, entry
from caltrop.report.hover import Hover
from caltrop.report.legend import Legend, origin_key
from caltrop.report.markup import anchor_name, esc
from caltrop.report.numbers import number, typeset, with_spread
from caltrop.report.profile import profile
from caltrop.report.sentences import curve_sentence, missing_sentence, profile_sentence
from caltrop.report.series import Series, all_series, last_rows, measures_of, variant
from caltrop.rows import Row, Study


def measure_section(study: Study, legend: Legend, hover: Hover) -> str:
    """All measures by family; the first family is open, the others fold away."""
    by_measure: dict[str, list[Series]] = {}
    for series in all_series(study.rows):
        by_measure.setdefault(series.measure, []).append(series)
    families: dict[str, list[str]] = {}
    for measure in measures_of(study.rows):
        families.setdefault(entry(measure).family, []).append(measure)
    parts = []
    for index, (family, measures) in enumerate(families.items()):
        cards = [_card(by_measure[measure], legend, study, hover) for measure in measures]
        parts.append(_family(FAMILIES[family], cards, is_open=index == 0))
    return "".join(parts)


def card_anchor(measure: str) -> str:
    """The place of a measure's card on the page."""
    return anchor_name("measure", measure)


def _family(title: str, cards: Sequence[str], is_open: bool) -> str:
    count = f"{len(cards)} measure{'s' if len(cards) > 1 else ''}"
    return (
        f'<details class="family"{" open" if is_open else ""}><summary><h3>{esc(title)}</h3>'
        f'<span class="count">{count}</span></summary><div class="cards">{"".join(cards)}</div></details>'
    )


def _card(series: Sequence[Series], legend: Legend, study: Study, hover: Hover) -> str:
    lasts = last_rows(row for one in series for row in one.rows)
    measure = lasts[0].measure
    known = entry(measure)
    symbol = badge(lasts[0].symbol, measure)
    letter = f' <span class="symbol">{esc(symbol)}</span>' if symbol else ""
    sentence = known.sentence or study.glosses.get(measure, "")
    gloss = f'<p class="gloss">{esc(sentence)}</p>' if sentence else ""
    name = f'<p class="name">{esc(measure)}</p>' if known.title != measure else ""
    body = _figures(series, lasts, legend, study.clock, hover)
    head = f'<article class="card" id="{esc(card_anchor(measure))}"><h4>{esc(known.title)}{letter}</h4>'
    return f"{head}{name}{gloss}{body}</article>"


def _figures(series: Sequence[Series], lasts: Sequence[Row], legend: Legend, clock: str | None, hover: Hover) -> str:
    missing = _aside(missing_sentence(lasts))
    if all(math.isnan(row.value) for one in series for row in one.rows):
        return missing
    key = origin_key(legend, tuple(dict.fromkeys(one.last.origin for one in series)))
    parts = []
    moving = all_series(row for one in series for row in one.rows if _has_a_place(row))
    moves = any(len(one.finite) > 1 for one in moving)
    if moves:
        sentence = curve_sentence(moving, clock)
        parts.append(_figure(hover.take(curves(moving, legend, clock, sentence)), sentence, footnotes(moving), key))
    if len({row.layer for row in lasts}) > 1 and not all(math.isnan(row.value) for row in lasts):
        sentence = profile_sentence(lasts, clock)
        svg = hover.take(profile(lasts, legend, clock, sentence))
        parts.append(_figure(svg, sentence, key="" if moves else key))
    elif not moves:
        parts.append(_plain(lasts, clock))
    return "".join(parts) + missing


def _has_a_place(row: Row) -> bool:
    """Whether a row stands on a curve: at its step, or, if not trained, along all of them."""
    return row.step is not None or row.origin != "trained"


def _plain(lasts: Sequence[Row], clock: str | None) -> str:
    """One layer at one step needs no axes: its numbers stand alone."""
    several = len({row.split for row in lasts}) > 1
    values = "".join(_value(row, row.split if several else "") for row in lasts)
    return f'<p class="plain">{values}</p><p>{esc(profile_sentence(lasts, clock))}</p>'


def _value(row: Row, split: str) -> str:
    told = " · ".join(filter(None, [split, variant(row), row.told() if isinstance(row, Gathered) else ""]))
    value = number(row.value) if isinstance(row, Gathered) else with_spread(row.value, row.half_width)
    return f"<span>{esc(typeset(value))}{f' <small>{esc(typeset(told))}</small>' if told else ''}</span>"


def _figure(svg: str, sentence: str, foot: str = "", key: str = "") -> str:
    return f"<figure><figcaption>{esc(sentence)}{_aside(foot)}{key}</figcaption>{svg}</figure>"


def _aside(words: str) -> str:
    return f'<span class="aside">{esc(words)}</span>' if words else ""
