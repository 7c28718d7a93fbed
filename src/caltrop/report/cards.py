"""A card for each measure: what it means, its curves over steps, its profile over layers."""

from __future__ import annotations

import math
from collections.abc import Sequence

from caltrop.report.curves import curves, footnotes
from caltrop.report.glossary import FAMILIES, badge, entry
from caltrop.report.hover import Hover
from caltrop.report.markup import esc
from caltrop.report.numbers import typeset, with_spread
from caltrop.report.profile import profile
from caltrop.report.sentences import curve_sentence, missing_sentence, profile_sentence
from caltrop.report.series import Series, all_series, last_rows, layers_of, measures_of
from caltrop.rows import Row, Study


def measure_section(study: Study, hover: Hover) -> str:
    """All measures by family; the first family is open, the others fold away."""
    layers = layers_of(study.rows)
    by_measure: dict[str, list[Series]] = {}
    for series in all_series(study.rows):
        by_measure.setdefault(series.measure, []).append(series)
    families: dict[str, list[str]] = {}
    for measure in measures_of(study.rows):
        families.setdefault(entry(measure).family, []).append(measure)
    parts = []
    for index, (family, measures) in enumerate(families.items()):
        cards = [_card(by_measure[measure], layers, study.clock, hover) for measure in measures]
        parts.append(_family(FAMILIES[family], cards, is_open=index == 0))
    return "".join(parts)


def card_anchors(rows: Sequence[Row]) -> dict[tuple[str, str], str]:
    """Where each measure's card stands, by (layer, measure)."""
    return {(row.layer, row.measure): anchor(row.measure) for row in rows}


def anchor(measure: str) -> str:
    """The card's place on the page."""
    return f"measure-{measure}"


def _family(title: str, cards: Sequence[str], is_open: bool) -> str:
    count = f"{len(cards)} measure{'s' if len(cards) > 1 else ''}"
    return (
        f'<details class="family"{" open" if is_open else ""}><summary><h3>{esc(title)}</h3>'
        f'<span class="count">{count}</span></summary><div class="cards">{"".join(cards)}</div></details>'
    )


def _card(series: Sequence[Series], layers: tuple[str, ...], clock: str | None, hover: Hover) -> str:
    lasts = last_rows(row for one in series for row in one.rows)
    known = entry(lasts[0].measure)
    symbol = badge(lasts[0].symbol, lasts[0].measure)
    letter = f' <span class="symbol">{esc(symbol)}</span>' if symbol else ""
    gloss = f'<p class="gloss">{esc(known.sentence)}</p>' if known.sentence else ""
    name = f'<p class="name">{esc(lasts[0].measure)}</p>' if known.title != lasts[0].measure else ""
    body = _figures(series, lasts, layers, clock, hover)
    place = esc(anchor(lasts[0].measure))
    return f'<article class="card" id="{place}"><h4>{esc(known.title)}{letter}</h4>{name}{gloss}{body}</article>'


def _figures(
    series: Sequence[Series], lasts: Sequence[Row], layers: tuple[str, ...], clock: str | None, hover: Hover
) -> str:
    missing = _aside(missing_sentence(lasts))
    if all(math.isnan(row.value) for one in series for row in one.rows):
        return missing
    parts = []
    moving = all_series(row for one in series for row in one.rows if row.step is not None or row.origin != "trained")
    moves = any(len(one.finite) > 1 for one in moving)
    if moves:
        sentence = curve_sentence(moving, clock)
        parts.append(_figure(hover.take(curves(moving, layers, clock, sentence)), sentence, footnotes(moving)))
    if len({row.layer for row in lasts}) > 1 and not all(math.isnan(row.value) for row in lasts):
        sentence = profile_sentence(lasts, clock)
        parts.append(_figure(hover.take(profile(lasts, layers, clock, sentence)), sentence))
    elif not moves:
        parts.append(_plain(lasts, clock))
    return "".join(parts) + missing


def _plain(lasts: Sequence[Row], clock: str | None) -> str:
    """One layer at one step needs no axes: its numbers stand alone."""
    several = len({row.split for row in lasts}) > 1
    values = "".join(
        f"<span>{esc(typeset(with_spread(row.value, row.half_width)))}"
        f"{f' <small>{esc(row.split)}</small>' if several else ''}</span>"
        for row in lasts
    )
    return f'<p class="plain">{values}</p><p>{esc(profile_sentence(lasts, clock))}</p>'


def _figure(svg: str, sentence: str, foot: str = "") -> str:
    return f"<figure><figcaption>{esc(sentence)}{_aside(foot)}</figcaption>{svg}</figure>"


def _aside(words: str) -> str:
    return f'<span class="aside">{esc(words)}</span>' if words else ""
