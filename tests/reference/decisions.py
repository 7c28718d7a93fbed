"""Slow twins of the measures of decisions and bias: one sample at a time."""

from __future__ import annotations

import math

import numpy as np

from .sample import class_means, counts, head_bias, head_rows, present, sample_mean


def nearest(row, means):
    """Positions of all class means at the smallest distance from one sample."""
    distances = [float(np.sum((row - mean) ** 2)) for mean in means]
    return {k for k, distance in enumerate(distances) if distance == min(distances)}


def predicted(row, weights, bias):
    """The head's decision for one sample, over all of its rows; the lowest label wins a tie."""
    logits = np.array([np.sum(row * w) for w in np.asarray(weights).astype(np.longdouble)])
    if bias is not None:
        logits = logits + np.asarray(bias).astype(np.longdouble)
    return int(np.argmax(logits))


def _rates(labels, verdicts):
    """Share of true verdicts within each class."""
    labels = [int(label) for label in np.asarray(labels).ravel()]
    hits = dict.fromkeys(present(labels), 0)
    for label, verdict in zip(labels, verdicts, strict=True):
        hits[label] += bool(verdict)
    return {label: hits[label] / n for label, n in zip(present(labels), counts(labels), strict=True)}


def _pooled(labels, rates):
    sizes = dict(zip(present(labels), counts(labels), strict=True))
    return sum(sizes[label] * rate for label, rate in rates.items()) / sum(sizes.values())


def per_class_nearest_centre_disagreement(features, labels, weights=None, bias=None):
    """Share of a class's samples whose predicted class is not among the nearest means."""
    means, classes = class_means(features, labels), present(labels)
    rows = np.asarray(features).astype(np.longdouble)
    verdicts = [predicted(row, weights, bias) not in {classes[k] for k in nearest(row, means)} for row in rows]
    return _rates(labels, verdicts)


def per_class_nearest_centre_accuracy(features, labels, weights=None, bias=None):
    """Share of a class's samples for which its own mean is among the nearest."""
    means, classes = class_means(features, labels), present(labels)
    rows = np.asarray(features).astype(np.longdouble)
    own = [int(label) for label in np.asarray(labels).ravel()]
    verdicts = [own[i] in {classes[k] for k in nearest(row, means)} for i, row in enumerate(rows)]
    return _rates(labels, verdicts)


def per_class_accuracy(features, labels, weights=None, bias=None):
    """Share of a class's samples that the head predicts."""
    rows = np.asarray(features).astype(np.longdouble)
    own = [int(label) for label in np.asarray(labels).ravel()]
    return _rates(labels, [predicted(row, weights, bias) == own[i] for i, row in enumerate(rows)])


def nearest_centre_disagreement(features, labels, weights=None, bias=None):
    """Share of samples where the head and the nearest class mean differ."""
    return _pooled(labels, per_class_nearest_centre_disagreement(features, labels, weights, bias))


def nearest_centre_accuracy(features, labels, weights=None, bias=None):
    """Share of samples nearest to the mean of their own class."""
    return _pooled(labels, per_class_nearest_centre_accuracy(features, labels))


def accuracy(features, labels, weights=None, bias=None):
    """Share of samples that the head predicts."""
    return _pooled(labels, per_class_accuracy(features, labels, weights, bias))


def per_class_bias_collapse(features, labels, weights=None, bias=None):
    """(b + W μ_G)_k minus its mean over the present classes."""
    centre = sample_mean(features).astype(np.float64)
    rows, offsets = head_rows(labels, weights), head_bias(labels, weights, bias)
    values = [offset + float(np.sum(row * centre)) for row, offset in zip(rows, offsets, strict=True)]
    mean = sum(values) / len(values)
    return {label: value - mean for label, value in zip(present(labels), values, strict=True)}


def bias_collapse(features, labels, weights=None, bias=None):
    """Population std over the present classes of b + W μ_G."""
    values = per_class_bias_collapse(features, labels, weights, bias).values()
    return math.sqrt(sum(value**2 for value in values) / len(values))
