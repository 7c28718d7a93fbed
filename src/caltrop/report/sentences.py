"""What a chart shows, in one plain sentence written from its rows."""

from __future__ import annotations

import math
import re
from collections.abc import Sequence

from caltrop.report.glossary import entry
from caltrop.report.numbers import brief, step_number, typeset
from caltrop.report.series import Series, layer_name, listed, moment, splits_of
from caltrop.rows import Row

_ROUNDING = 1e-9


def short_name(row: Row) -> str:
    """The paper's letter where it reads as a word (NC1), the glossary's title otherwise."""
    if re.fullmatch(r"[A-Za-z]+[0-9]+", row.symbol):
        return row.symbol
    title = entry(row.measure).title
    if title == row.measure:
        return title
    return f"the {title[0].lower()}{title[1:]}" if " " in title else title.lower()


def focus(series: Sequence[Series], least: int = 1) -> Series | None:
    """The series a sentence is about: the last layer with at least `least` numbers, on the first split."""
    # what a sentence speaks of was measured; a closed form stands beside it
    able = [one for one in series if len(one.finite) >= least and not one.is_level]
    able = able or [one for one in series if len(one.finite) >= least]
    if not able:
        return None
    first_split = able[0].split
    layers = [one for one in able if one.split == first_split]
    return max(layers, key=lambda one: (bool(one.layer), layers.index(one)))


def curve_sentence(series: Sequence[Series], clock: str | None) -> str:
    """`At fc:input, NC1 fell from 0.29 to 0.0077 between epoch 1 and 120 (train; test ends at 0.012); …`."""
    main = focus(series, least=2)
    if main is None:
        return "No layer has two values to compare."
    first, last = main.finite[0], main.finite[-1]
    start, end = typeset(brief(first.value)), typeset(brief(last.value))
    case = f" for {last.case}" if last.case else ""
    where = f"At {main.layer}{case}, {short_name(last)}" if main.layer else f"{_capital(short_name(last))}{case}"
    steps = f"{moment(clock, first.step)} and {step_number(_step(last))}"
    if start == end:
        change = f"is {end} at both {steps}"
    elif _within_noise(first, last):
        change = f"did not move by more than sampling noise between {steps}: {start} and {end}"
    else:
        change = f"{'fell' if last.value < first.value else 'rose'} from {start} to {end} between {steps}"
    return f"{where} {change}{_elsewhere(series, main)}."


def profile_sentence(rows: Sequence[Row], clock: str | None) -> str:
    """`At epoch 120, NC1 is smallest at fc:input (0.0077) and largest at conv1 (12).`, on the first split."""
    splits = splits_of(rows)
    finite = [row for row in rows if row.split == splits[0] and math.isfinite(row.value)]
    finite = [row for row in finite if row.origin != "closed form"] or finite
    if not finite:
        return "No layer has a value here."
    low, high = min(finite, key=lambda row: row.value), max(finite, key=lambda row: row.value)
    when = _when(low, clock, splits)
    smallest, largest = typeset(brief(low.value)), typeset(brief(high.value))
    name = short_name(low)
    if len(finite) == 1:
        place = f" at {low.layer}" if low.layer else ""
        return _capital(f"{when}{name}{place} is {smallest}{_ideal(low)}.")
    if smallest == largest:
        return _capital(f"{when}{name} is {smallest} at all {len(finite)} layers{_ideal(low)}.")
    ends = f"smallest at {layer_name(low.layer)} ({smallest}) and largest at {layer_name(high.layer)} ({largest})"
    return _capital(f"{when}{name} is {ends}{_ideal(high)}.")


def missing_sentence(rows: Sequence[Row]) -> str:
    """Why values are missing, each reason once with its layers; empty where none is missing."""
    reasons: dict[str, list[str]] = {}
    for row in rows:
        if not math.isfinite(row.value):
            reasons.setdefault(row.reason or "no reason recorded", []).append(layer_name(row.layer))
    parts = [f"{listed(list(dict.fromkeys(layers)), most=4)}: {reason}" for reason, layers in reasons.items()]
    return f"No number at {'; '.join(parts)}." if parts else ""


def _within_noise(first: Row, last: Row) -> bool:
    if first.half_width is None or last.half_width is None:
        return False
    return abs(last.value - first.value) <= math.hypot(first.half_width, last.half_width)


def _elsewhere(series: Sequence[Series], main: Series) -> str:
    """The other split's end, what theory gives, and what exact collapse would be."""
    same = [one for one in series if one.layer == main.layer and one.last.case == main.last.case and one.finite]
    levels = [one.last for one in same if one.is_level and one.last.origin == "closed form"]
    others = [one for one in same if one.split != main.split and one.last.origin == main.last.origin]
    ends = [f"{one.split} ends at {typeset(brief(one.finite[-1].value))}" for one in others[:2]]
    said = f" ({'; '.join([main.split, *ends])})" if ends else ""
    ideal = _ideal(main.finite[-1])
    if not levels or levels[0].origin == main.last.origin:
        return f"{said}{ideal}"
    theory = closed(levels[0].value)
    if ideal and is_rounded(levels[0].value, main.finite[-1].at_collapse):
        return f"{said}; the closed form is exact collapse, {theory}"
    return f"{said}; the closed form is {theory}{ideal}"


def is_rounded(value: float, exact: float | None) -> bool:
    """Whether a closed form is `exact` but for rounding."""
    return exact is not None and abs(value - exact) < _ROUNDING


def closed(value: float) -> str:
    """A closed form's value; what is measured of one is float64 too, and of an exact 0 rounding is left."""
    return "0 to rounding" if 0 < abs(value) < _ROUNDING else typeset(brief(value))


def _ideal(row: Row) -> str:
    if row.at_collapse is None or not math.isfinite(row.at_collapse):
        return ""
    return f"; {typeset(brief(row.at_collapse))} would be exact collapse"


def _when(row: Row, clock: str | None, splits: Sequence[str]) -> str:
    parts = [f"at {moment(clock, row.step)}"] if row.step is not None else []
    parts += [f"on {splits[0]}"] if len(splits) > 1 else []
    return f"{' '.join(parts)}, " if parts else ""


def _step(row: Row) -> float:
    return 0.0 if row.step is None else float(row.step)


def _capital(text: str) -> str:
    return text[:1].upper() + text[1:]
