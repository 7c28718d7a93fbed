"""Caltrop's own schemes: each takes a stored stream to the six numbers."""

from __future__ import annotations

import numpy as np
import torch

import caltrop
from benchmarks.cases import MEASURES
from benchmarks.stream import Stored
from caltrop.observe import Observation, evaluate
from caltrop.observe.context import Context
from caltrop.observe.evaluate import Tag, chosen_measures, evaluate_context
from caltrop.stats import (
    ClassAccumulator,
    ClassMoments,
    Head,
    MeanAccumulator,
    ResidualSpool,
    SecondLook,
    Seen,
)

Numbers = dict[str, float]


def one_pass(data: Stored) -> Numbers:
    """Anchored sums and the d×d scatter; everything but the decisions, which need a second look."""
    accumulator = ClassAccumulator(data.case.classes, data.case.dim, scatter=True)
    for rows, labels, _ in data:
        accumulator.update(rows, labels)
    names = [name for name in MEASURES if name != "nearest_centre_disagreement"]
    return _numbers(evaluate([accumulator.close(), _head(data)], names=names))


def two_passes(data: Stored) -> Numbers:
    """The file read twice: class means, then residuals in the span of the means."""
    moments = _means(data)
    look = SecondLook(moments, blocks=False)
    for rows, labels, decisions in data:
        look.update(rows, labels, decisions)
    return _from(look.close(), moments, data)


def two_passes_with_half_widths(data: Stored) -> Numbers:
    """The same, with the blocks of the jackknife."""
    moments = _means(data)
    look = SecondLook(moments)
    for rows, labels, decisions in data:
        look.update(rows, labels, decisions)
    context = Context.of_seen(look.close(), moments, _head(data))
    return _numbers(evaluate_context(context, chosen_measures(MEASURES), Tag()))


def residual_spool(data: Stored) -> Numbers:
    """The file read once; residuals to the anchors are kept and looked at again."""
    accumulator = ClassAccumulator(data.case.classes, data.case.dim)
    with ResidualSpool(data.case.dim, torch.float32) as spool:
        for rows, labels, decisions in data:
            done = 0
            for residuals, where in accumulator.residuals(rows, labels):
                spool.write(residuals, where, decisions[done : done + len(where)])
                done += len(where)
        moments = accumulator.close()
        anchors = accumulator.anchors
        assert anchors is not None
        look = SecondLook(moments, origin=anchors.double(), blocks=False)
        for block, where, said in spool.read():
            look.update(block, where, said)
    return _from(look.close(), moments, data)


def in_hand(data: Stored, features: np.ndarray) -> Numbers:
    """The public door, for the six numbers."""
    return _measured(data, features, MEASURES)


def in_hand_everything(data: Stored, features: np.ndarray) -> Numbers:
    """The public door, as people call it."""
    return _measured(data, features, None)


def _measured(data: Stored, features: np.ndarray, names: tuple[str, ...] | None) -> Numbers:
    seen = caltrop.measure(
        features,
        data.labels,
        weights=data.weights,
        bias=data.bias,
        num_classes=data.case.classes,
        measures=names,
    )
    return _numbers(seen)


def _means(data: Stored) -> ClassMoments:
    accumulator = MeanAccumulator(data.case.classes, data.case.dim)
    for rows, labels, _ in data:
        accumulator.update(rows, labels)
    counts, means = accumulator.means()
    return ClassMoments(counts, means, torch.zeros_like(counts))


def _from(seen: Seen, first: ClassMoments, data: Stored) -> Numbers:
    context = Context.of_seen(seen, first, _head(data))
    return _numbers(evaluate_context(context, chosen_measures(MEASURES), Tag()))


def _head(data: Stored) -> Head:
    return Head.of(torch.from_numpy(data.weights), torch.from_numpy(data.bias))


def _numbers(seen: Observation) -> Numbers:
    return {row.measure: row.value for row in seen.rows if row.measure in MEASURES}
