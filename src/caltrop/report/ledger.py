"""The exact numbers on the page: all rows of the last step, and the values of single classes."""

from __future__ import annotations

import math
from collections.abc import Sequence

from caltrop.report.gathered import Gathered
from caltrop.report.glossary import entry, place
from caltrop.report.markup import esc
from caltrop.report.numbers import brief, number, typeset
from caltrop.report.series import layer_name, layers_of, moment, splits_of
from caltrop.report.tables import cells
from caltrop.rows import ClassValues, Row, Study

# columns that are shown only where they tell rows apart
_TELLING = (("origin", "trained"), ("case", None), ("seed", None))
_FULL_UP_TO = 40
_ENDS = 5


def rows_table(lasts: Sequence[Row], clock: str | None) -> str:
    """The last row of every series, complete; the script makes the headings sort."""
    told = [column for column, usual in _TELLING if any(getattr(row, column) != usual for row in lasts)]
    stepped = len({row.step for row in lasts} - {None}) > 1
    gathered = any(isinstance(row, Gathered) for row in lasts)
    heads = [("Layer", ""), ("Measure", ""), ("Symbol", ""), ("Split", "")]
    heads += [(column.capitalize(), "") for column in told]
    heads += [((clock or "step").capitalize(), "num")] if stepped else []
    heads += [("Mean" if gathered else "Value", "num")]
    heads += [("Least", "num"), ("Largest", "num"), ("Of", "")] if gathered else [("± 95 %", "num")]
    heads += [("Resolution", "num"), ("At collapse", "num"), ("Remark", "")]
    head = "".join(f'<th scope="col" class="{kind}">{esc(name)}</th>' for name, kind in heads)
    body = "".join(_line(row, told, stepped, gathered) for row in lasts)
    return (
        '<div class="scroll tall" tabindex="0" role="region" aria-label="All rows of the last step">'
        f'<table class="ledger" id="ledger"><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table></div>'
    )


def per_class_section(study: Study) -> str:
    """Values of single classes at their last step, one table a measure; empty where a study has none."""
    lasts = _last(study.per_class)
    if not lasts:
        return ""
    layers, splits = layers_of(study.rows), splits_of(study.rows)
    parts = []
    for measure in sorted(dict.fromkeys(one.measure for one in lasts), key=place):
        own = [one for one in lasts if one.measure == measure]
        own.sort(key=lambda one: (_position(layers, one.layer), _position(splits, one.split)))
        parts.append(f"<h3>{esc(entry(measure).title)}</h3>{_classes(own, study.clock, measure)}")
    return (
        '<details class="family"><summary><h2 id="classes">Class by class</h2>'
        f'<span class="count">{len(parts)} measures</span></summary>'
        f'<p class="lede">One class that has not collapsed can hide in an average; here each stands alone. '
        f"The largest value of a line is bold.</p>{''.join(parts)}</details>"
    )


def _line(row: Row, told: Sequence[str], stepped: bool, gathered: bool) -> str:
    one = cells(row)
    columns = [
        f"<td>{esc(layer_name(row.layer))}",
        f"<td>{esc(row.measure)}",
        f"<td>{esc(one.symbol)}",
        f"<td>{esc(row.split)}",
    ]
    columns += [f"<td>{esc('' if getattr(row, column) is None else getattr(row, column))}" for column in told]
    columns += [_number(moment(None, row.step).removeprefix("step "), row.step)] if stepped else []
    columns.append(_number(one.value, row.value))
    if not gathered:
        columns.append(_number(one.half_width, row.half_width))
    elif isinstance(row, Gathered):
        columns += [
            _number(number(row.least), row.least),
            _number(number(row.largest), row.largest),
            f"<td>{esc(row.of)}",
        ]
    else:
        columns += ["<td>", "<td>", "<td>"]
    columns += [
        _number(one.resolution, row.resolution),
        _number(one.at_collapse, row.at_collapse),
        f'<td class="remark">{esc(one.remark)}',
    ]
    return f"<tr>{''.join(columns)}"


def _number(words: str, value: int | float | None) -> str:
    """A numeric cell; the exact value sorts, the rounded one is read."""
    exact = "" if value is None or not math.isfinite(value) else f' data-v="{value:.6g}"'
    return f'<td class="num"{exact}>{esc(typeset(words))}'


def _last(entries: Sequence[ClassValues]) -> list[ClassValues]:
    found: dict[tuple[str, str, str], ClassValues] = {}
    for one in entries:
        key = (one.layer, one.measure, one.split)
        before = found.get(key)
        if before is None or _when(one) >= _when(before):
            found[key] = one
    return list(found.values())


def _when(one: ClassValues) -> float:
    return -math.inf if one.step is None else float(one.step)


def _position(names: Sequence[str], name: str) -> int:
    return names.index(name) if name in names else len(names)


def _classes(entries: Sequence[ClassValues], clock: str | None, measure: str) -> str:
    labels = sorted({label for one in entries for label in one.values})
    wide = len(labels) > _FULL_UP_TO
    head = (
        f'<th scope="col">{_ENDS} smallest</th><th scope="col">{_ENDS} largest</th>'
        if wide
        else "".join(f'<th scope="col" class="num">{label}</th>' for label in labels)
    )
    body = "".join(_class_line(one, labels, wide) for one in entries)
    last = max(entries, key=_when)
    caption = f"<caption>{esc(moment(clock, last.step))}</caption>" if last.step is not None else ""
    return (
        f'<div class="scroll" tabindex="0" role="region" aria-label="{esc(measure)} by class">'
        f"<table>{caption}<thead><tr>"
        f'<th scope="col">Layer</th><th scope="col">Split</th>{head}</tr></thead><tbody>{body}</tbody></table></div>'
    )


def _class_line(one: ClassValues, labels: Sequence[int], wide: bool) -> str:
    front = f'<tr><th scope="row">{esc(layer_name(one.layer))}<td>{esc(one.split)}'
    finite = sorted((value, label) for label, value in one.values.items() if math.isfinite(value))
    if wide:
        low = ", ".join(f"{label}: {_brief(value)}" for value, label in finite[:_ENDS])
        high = ", ".join(f"{label}: {_brief(value)}" for value, label in finite[: -_ENDS - 1 : -1])
        return f"{front}<td>{low}<td>{high}"
    largest = finite[-1][1] if finite and finite[0][0] < finite[-1][0] else None
    columns = [
        f'<td class="num">{f"<b>{words}</b>" if label == largest else words}'
        for label in labels
        for words in [_brief(one.values.get(label, math.nan))]
    ]
    return front + "".join(columns)


def _brief(value: float) -> str:
    return typeset(brief(value))
