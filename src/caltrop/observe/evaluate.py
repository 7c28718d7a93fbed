"""Statistics to rows: the one place where measures are called."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy.stats import t as student

from caltrop import measures as registry
from caltrop.measures import Measure
from caltrop.observe.context import Context, check_classes, listed
from caltrop.observe.observation import Observation
from caltrop.observe.pictures import picture_of
from caltrop.rows import ClassValues, Row
from caltrop.stats import Head, Pairs, SpreadMoments

CONFIDENCE = 0.95
# The scan over all pairs is not repeated for every block beyond this many classes.
REPEATED_SCANS = 4096
# By measure: the half-width, or why there is none.
HalfWidths = dict[str, tuple[float | None, str | None]]


@dataclass(frozen=True)
class Tag:
    """Where rows come from."""

    layer: str = "features"
    split: str = "all"
    step: int | float | None = None
    origin: str = "trained"
    whole_model_layer: str | None = None  # where accuracy goes; None: to the layer itself
    notes: tuple[str, ...] = ()


def chosen_measures(names: Sequence[str] | None) -> list[Measure]:
    """The measures of these names, in registry order; None means all. An unknown name raises KeyError."""
    if names is None:
        return [registry.get(name) for name in registry.names()]
    if isinstance(names, str):
        raise TypeError(f"measures={names!r} is one string; pass a list of names, such as [{names!r}].")
    wanted = {registry.get(name).name for name in names}
    return [registry.get(name) for name in registry.names() if name in wanted]


def evaluate(statistics: Iterable[Any], *, names: Sequence[str] | None = None, layer: str = "features") -> Observation:
    """Measures of statistics, for people who shard by themselves.

    `statistics`: any iterable of `ClassMoments`, `Head`, … of one layer. Several `ClassMoments` are shards:
    they are merged, and from five shards with scatter on their differences give the half-widths, so
    shards should be random parts of the data.

    Raises
    ------
    ValueError
        Where no class moments are given, or fewer than two classes have samples.
    KeyError
        For an unknown measure name.
    """
    context = Context.of_statistics(statistics)
    return evaluate_context(context, chosen_measures(names), Tag(layer=layer))


def evaluate_context(context: Context, wanted: list[Measure], tag: Tag) -> Observation:
    """Rows, per-class values and the picture of one layer."""
    check_classes(context.classes, tag.layer)
    rows, per_class, missing = [], [], {}
    half_widths = _half_widths(wanted, context)
    for measure in wanted:
        reason = context.missing(measure.needs)
        layer = tag.layer
        if measure.is_whole_model and tag.whole_model_layer is not None:
            layer = tag.whole_model_layer
        if reason is not None:
            missing[tag.layer, measure.name] = reason
            continue
        rows.append(_row(measure, context, layer, tag, half_widths))
        values = _class_values(measure, context, layer, tag)
        if values is not None:
            per_class.append(values)
    picture = picture_of(context, tag.layer, tag.split, tag.step)
    return Observation(rows, per_class, [] if picture is None else [picture], missing=missing)


def _statistics(measure: Measure, context: Context) -> tuple[Any, ...]:
    return tuple(context.get(kind) for kind in measure.needs)


def _row(measure: Measure, context: Context, layer: str, tag: Tag, half_widths: HalfWidths) -> Row:
    measured = measure.evaluate(_statistics(measure, context))
    # how features were pooled and read says nothing about numbers of the head alone or of the whole model
    of_features = measure.needs != (Head,) and not measure.is_whole_model
    notes = [*tag.notes, *context.way, *context.notes] if of_features else [*context.notes]
    if context.absent:
        notes.append(f"absent classes left out: {listed(context.absent)}")
    half_width = resolution = None
    if measure.is_variability and measured.reason is None:
        half_width, why = half_widths[measure.name]
        notes += [] if why is None else [why]
        notes += _one_sample_note(context)
        resolution = _resolution(measure, context)
        has_spread = bool((context.moments.counts > 1).any())
        if has_spread and resolution is not None and measured.value < resolution:
            storage = str(context.moments.storage).removeprefix("torch.")
            notes.append(f"below what {storage} features resolve")
    if measure.caution is not None and measured.reason is None:
        caution = measure.caution(*_statistics(measure, context))
        notes += [] if caution is None else [caution]
    return Row(
        layer=layer,
        measure=measure.name,
        symbol=measure.symbol,
        value=measured.value,
        origin=tag.origin,
        split=tag.split,
        step=tag.step,
        half_width=half_width,
        resolution=resolution,
        at_collapse=measure.collapsed(context.num_classes, context.moments.dim),
        reason=_named(measured.reason, context),
        note="; ".join(notes) or None,
    )


def _named(reason: str | None, context: Context) -> str | None:
    """Measures count the classes they see; a reason names labels."""
    if reason is None:
        return None
    for place, label in enumerate(context.classes):
        reason = reason.replace(f"{{{place}}}", f"\0{label}")
    return reason.replace("\0", "")


def _one_sample_note(context: Context) -> list[str]:
    single = tuple(np.asarray(context.classes)[(context.moments.counts == 1).numpy()].tolist())
    return [f"classes with one sample, whose variability is 0 by arithmetic: {listed(single)}"] if single else []


def _class_values(measure: Measure, context: Context, layer: str, tag: Tag) -> ClassValues | None:
    values = measure.by_class(_statistics(measure, context))
    if values is None:
        return None
    labelled = dict(zip(context.classes, values.tolist(), strict=True))
    return ClassValues(layer, measure.name, labelled, tag.split, tag.step)


def _half_widths(wanted: list[Measure], context: Context) -> HalfWidths:
    """Half-width, or why there is none, of every variability: all of them look at each replicate together."""
    measured = [measure for measure in wanted if measure.is_variability and context.missing(measure.needs) is None]
    if not context.blocks:
        why = "no half-width: needs five or more blocks of samples in moderate memory"
        return {measure.name: (None, why) for measure in measured}
    found: HalfWidths = {}
    if context.num_classes > REPEATED_SCANS:
        why = f"no half-width: all pairs are scanned once only beyond {REPEATED_SCANS} classes"
        found = {measure.name: (None, why) for measure in measured if Pairs in measure.needs}
    values: dict[str, list[float]] = {measure.name: [] for measure in measured if measure.name not in found}
    for replicate in context.replicates():
        if bool((replicate.get(SpreadMoments).counts < 0.5).any()):
            why = "no half-width: a shard holds all samples of a class"
            return {measure.name: (None, why) for measure in measured}
        for measure in measured:
            if measure.name in values:
                values[measure.name].append(measure.evaluate(_statistics(measure, replicate)).value)
    return found | {name: _half_width(series) for name, series in values.items()}


def _half_width(values: list[float]) -> tuple[float | None, str | None]:
    r"""95 % half-width by the delete-a-block jackknife, $\mathrm{se}^2=\frac{B-1}{B}\sum_b(T_{-b}-\bar T)^2$."""
    if not all(math.isfinite(value) for value in values):
        return None, "no half-width: undefined without some of the samples"
    count = len(values)
    deviation = np.asarray(values) - np.mean(values)
    error = math.sqrt((count - 1) / count * float(deviation @ deviation))
    return float(student.ppf((1 + CONFIDENCE) / 2, count - 1)) * error, None


def _resolution(measure: Measure, context: Context) -> float | None:
    spread: SpreadMoments = context.get(SpreadMoments)
    if spread.between_trace == 0:
        return None
    value = measure.evaluate(_statistics(measure, context.noise())).value
    return value if math.isfinite(value) else None
