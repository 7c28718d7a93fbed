"""What every twin needs of a labelled sample: which classes are present, their members, their means.

Everything follows the definitions by explicit loops. Means are taken in extended precision about the
first member of their class, so that features far from the origin, or all equal, lose nothing.
"""

from __future__ import annotations

import numpy as np


def present(labels):
    """The labels that occur, in increasing order: only these are classes, K is their number."""
    return sorted({int(label) for label in np.asarray(labels).ravel()})


def members(features, labels, label):
    """Rows of one class, [n_k, dim], in extended precision."""
    return np.asarray(features)[np.asarray(labels).ravel() == label].astype(np.longdouble)


def mean_about_first(rows):
    """The mean of rows, summed as differences to the first: equal rows give exactly that row."""
    rows = np.asarray(rows, dtype=np.longdouble)
    total = np.zeros(rows.shape[1], dtype=np.longdouble)
    for row in rows:
        total += row - rows[0]
    return rows[0] + total / len(rows)


def counts(labels):
    """Number of members of each present class."""
    return [int(np.sum(np.asarray(labels).ravel() == label)) for label in present(labels)]


def class_means(features, labels):
    """μ_k, [classes, dim], extended precision."""
    return np.array([mean_about_first(members(features, labels, label)) for label in present(labels)])


def grand_mean(features, labels):
    """μ_C, the average of the class means."""
    return mean_about_first(class_means(features, labels))


def sample_mean(features):
    """μ_G, the average of the samples."""
    return mean_about_first(np.asarray(features))


def centred_means(features, labels):
    """M_k = μ_k − μ_C, [classes, dim], float64."""
    means = class_means(features, labels)
    return (means - mean_about_first(means)).astype(np.float64)


def deviations(features, labels, label):
    """h − μ_k of one class, [n_k, dim], float64."""
    rows = members(features, labels, label)
    return (rows - mean_about_first(rows)).astype(np.float64)


def spreads(features, labels):
    """Σ over members of ‖h − μ_k‖², for each present class."""
    return [float(np.sum(deviations(features, labels, label) ** 2)) for label in present(labels)]


def head_rows(labels, weights):
    """The rows of the head that belong to present classes, float64."""
    return np.array([np.asarray(weights)[label] for label in present(labels)]).astype(np.float64)


def head_bias(labels, weights, bias):
    """The biases of the present classes; zeros where the head has none."""
    if bias is None:
        return np.zeros(len(present(labels)))
    return np.array([np.asarray(bias)[label] for label in present(labels)]).astype(np.float64)


def cosine(first, second):
    """Cosine of two vectors, NaN where one of them is zero."""
    scale = float(np.sqrt(np.sum(first**2))) * float(np.sqrt(np.sum(second**2)))
    return float(np.sum(first * second)) / scale if scale > 0 else float("nan")


def pairs(number):
    """All unordered pairs k < k'."""
    return [(k, other) for k in range(number) for other in range(k + 1, number)]


def quotient(above, below):
    """above / below with the meaning of a ratio of spreads: infinite over zero, NaN for zero over zero."""
    if below == 0:
        return float("nan") if above == 0 else float("inf")
    return float(above) / float(below)
