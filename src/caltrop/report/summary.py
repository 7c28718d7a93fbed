"""The head of the page: what was measured, on what, and how it came out."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from caltrop.report.gathered import Gathered
from caltrop.report.glossary import FAMILIES, badge, entry
from caltrop.report.markup import esc
from caltrop.report.numbers import brief, step_number, typeset
from caltrop.report.sentences import closed, focus
from caltrop.report.series import (
    Series,
    all_series,
    distinct,
    layers_of,
    listed,
    measures_of,
    moment,
    splits_of,
    steps_of,
)
from caltrop.rows import Study

_DATA = ("data", "dataset", "data_set", "data set")
_NETWORK = ("network", "model", "architecture")
_TILES = 5
_NO_ROWS = "This study holds no rows yet."
MEANING = (
    "Neural collapse means that, late in training, the features of a class shrink to one point, "
    "the points of different classes move as far apart as they can, and the last layer lines up with them."
)


def lede(study: Study) -> str:
    """One paragraph in plain words, from the rows and from provenance."""
    if not study.rows:
        return f"This page shows {_count(study.maps, 'phase diagram')}." if study.maps else _NO_ROWS
    layers = [layer for layer in layers_of(study.rows) if layer]
    measures = measures_of(study.rows)
    network = described(study.provenance, _NETWORK)
    data = described(study.provenance, _DATA)
    what = f"This page shows {_count(measures, 'measure')} of neural collapse"
    where = f" at {_count(layers, 'layer')} ({listed(layers)})" if layers else ""
    who = f" of {network}" if network else ""
    on = f", on {data}" if data else ""
    return f"{what}{where}{who}{on}{_splits(study)}{_steps(study)}{_seeds(study)}."


def described(provenance: Mapping[str, Any], names: Sequence[str]) -> str:
    """What provenance says under the first of `names` it has: a string, or the name inside a mapping."""
    for name in names:
        found = provenance.get(name)
        if isinstance(found, Mapping):
            found = found.get("description") or found.get("name")
        if isinstance(found, str) and found.strip():
            return found.strip().rstrip(".")
    return ""


def tiles(study: Study) -> str:
    """The signs of collapse at the last layer, large; nothing where the study holds none of them."""
    by_measure: dict[str, list[Series]] = {}
    for one in all_series(study.rows):
        if entry(one.measure).family == "signs":
            by_measure.setdefault(one.measure, []).append(one)
    mains = [focus(by_measure[measure]) for measure in measures_of(study.rows) if measure in by_measure]
    items = [_tile(main, by_measure[main.measure], study.clock) for main in mains if main is not None]
    return f'<ul class="tiles" aria-label="{FAMILIES["signs"]}">{"".join(items[:_TILES])}</ul>' if items else ""


def _tile(main: Series, series: Sequence[Series], clock: str | None) -> str:
    last = main.finite[-1]
    known = entry(last.measure)
    facts = []
    if len(main.finite) > 1:
        facts.append(f"from {typeset(brief(main.finite[0].value))} at {moment(clock, main.finite[0].step)}")
    facts += [_reach(last)] if isinstance(last, Gathered) else []
    same = [one for one in series if one.layer == main.layer and one.finite]
    others = [one for one in same if one.split != main.split and one.last.origin == main.last.origin]
    facts += [f"{one.split}: {typeset(brief(one.finite[-1].value))}" for one in others[:1]]
    theory = [one.last for one in same if one.last.origin == "closed form" != main.last.origin]
    facts += [f"theory: {closed(row.value)}" for row in theory[:1]]
    facts += [f"exact collapse: {typeset(brief(last.at_collapse))}"] if last.at_collapse is not None else []
    where = " · ".join(filter(None, [main.layer, "" if main.split == "all" else main.split]))
    letter = badge(last.symbol, last.measure)
    symbol = f'<span class="symbol">{esc(letter)}</span>' if letter else ""
    return (
        f'<li><span class="what">{esc(known.title)} {symbol}</span>'
        f'<span class="big">{esc(typeset(brief(last.value)))}</span><span class="facts">'
        f'<span class="where">{esc(where)}</span>{"".join(f"<span>{esc(fact)}</span>" for fact in facts)}</span></li>'
    )


def _reach(row: Gathered) -> str:
    low, high = typeset(brief(row.least)), typeset(brief(row.largest))
    return f"{row.of}: all {low}" if low == high else f"{row.of}: {low} to {high}"


def _splits(study: Study) -> str:
    splits = splits_of(study.rows)
    return "" if splits == ("all",) else f", for the {'split' if len(splits) == 1 else 'splits'} {listed(splits)}"


def _steps(study: Study) -> str:
    steps = steps_of(study.rows)
    if not steps:
        return ""
    if len(steps) == 1:
        return f", at {moment(study.clock, steps[0])}"
    return f", at {len(steps)} steps from {moment(study.clock, steps[0])} to {step_number(steps[-1])}"


def _seeds(study: Study) -> str:
    seeds = [seed for seed in distinct(study.rows, "seed") if seed is not None]
    cases = [case for case in distinct(study.rows, "case") if case is not None]
    parts = [_count(things, name) for things, name in ((cases, "case"), (seeds, "seed")) if len(things) > 1]
    return f", for {' and '.join(parts)}" if parts else ""


def _count(things: Sequence[object], name: str) -> str:
    return f"{len(things)} {name}{'' if len(things) == 1 else 's'}"
