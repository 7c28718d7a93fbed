"""Slow twins of the measures of class means, head rows and many classes, with full K×K matrices."""

from __future__ import annotations

import math

import numpy as np

from .sample import centred_means, class_means, cosine, head_rows, mean_about_first, pairs, present

NAN = float("nan")


def _norms(rows):
    return [float(np.sqrt(np.sum(row**2))) for row in rows]


def _unit_frobenius(matrix):
    norm = float(np.sqrt(np.sum(matrix**2)))
    return matrix / norm if norm > 0 else np.full(matrix.shape, NAN)


def _simplex(number):
    """(I − 11ᵀ/K)/√(K−1), of unit Frobenius norm."""
    return (np.eye(number) - np.ones((number, number)) / number) / math.sqrt(number - 1)


def _gram(rows, others):
    return np.array([[float(np.sum(row * other)) for other in others] for row in rows])


def _spread_of_norms(rows):
    norms = _norms(rows)
    mean = sum(norms) / len(norms)
    if mean == 0:
        return NAN
    return math.sqrt(sum((norm - mean) ** 2 for norm in norms) / len(norms)) / mean


def _cosines(rows):
    number = len(rows)
    grid = np.full((number, number), NAN)
    for k, other in pairs(number):
        grid[k, other] = grid[other, k] = cosine(rows[k], rows[other])
    return grid


def _mean_angle_deviation(rows):
    grid, number = _cosines(rows), len(rows)
    return float(np.mean([abs(grid[k, other] + 1 / (number - 1)) for k, other in pairs(number)]))


def _partners(rows):
    """The K × (K−1) cosines of each row with the others."""
    grid = _cosines(rows)
    return [[grid[k, other] for other in range(len(rows)) if other != k] for k in range(len(rows))]


def norm_deviation(features, labels, weights=None, bias=None):
    """Population std over mean of ‖M_k‖."""
    return NAN if len(present(labels)) == 2 else _spread_of_norms(centred_means(features, labels))


def angle_deviation(features, labels, weights=None, bias=None):
    """Mean over pairs of |cos(M_k, M_k') + 1/(K−1)|."""
    return NAN if len(present(labels)) == 2 else _mean_angle_deviation(centred_means(features, labels))


def simplex_distance(features, labels, weights=None, bias=None):
    """‖MMᵀ/‖MMᵀ‖ − (I − 11ᵀ/K)/√(K−1)‖."""
    means = centred_means(features, labels)
    if len(means) == 2:
        return NAN
    return float(np.linalg.norm(_unit_frobenius(_gram(means, means)) - _simplex(len(means))))


def orthogonal_frame_distance(features, labels, weights=None, bias=None):
    """‖UUᵀ/‖UUᵀ‖ − I/√K‖, U the class means as they are."""
    means = class_means(features, labels).astype(np.float64)
    return float(np.linalg.norm(_unit_frobenius(_gram(means, means)) - np.eye(len(means)) / math.sqrt(len(means))))


def head_norm_deviation(features, labels, weights=None, bias=None):
    """Population std over mean of ‖W_k‖, rows as they are."""
    return _spread_of_norms(head_rows(labels, weights))


def head_angle_deviation(features, labels, weights=None, bias=None):
    """Mean over pairs of |cos(W_k, W_k') + 1/(K−1)|, rows as they are."""
    return _mean_angle_deviation(head_rows(labels, weights))


def head_simplex_distance(features, labels, weights=None, bias=None):
    """The simplex distance of the centred head rows."""
    rows = head_rows(labels, weights)
    if len(rows) == 2:
        return NAN
    rows = (rows - mean_about_first(rows)).astype(np.float64)
    return float(np.linalg.norm(_unit_frobenius(_gram(rows, rows)) - _simplex(len(rows))))


def head_orthogonal_frame_distance(features, labels, weights=None, bias=None):
    """The frame distance of the head rows as they are."""
    rows = head_rows(labels, weights)
    return float(np.linalg.norm(_unit_frobenius(_gram(rows, rows)) - np.eye(len(rows)) / math.sqrt(len(rows))))


def self_duality_gap(features, labels, weights=None, bias=None):
    """‖W/‖W‖ − M/‖M‖‖, not squared."""
    rows, means = head_rows(labels, weights), centred_means(features, labels)
    return float(np.linalg.norm(_unit_frobenius(rows) - _unit_frobenius(means)))


def duality_simplex_distance(features, labels, weights=None, bias=None):
    """‖WMᵀ/‖WMᵀ‖ − (I − 11ᵀ/K)/√(K−1)‖, head rows as they are."""
    rows, means = head_rows(labels, weights), centred_means(features, labels)
    return float(np.linalg.norm(_unit_frobenius(_gram(rows, means)) - _simplex(len(means))))


def minority_merge(features, labels, weights=None, bias=None):
    """The largest cosine between two head rows."""
    grid = _cosines(head_rows(labels, weights))
    return float(np.max([grid[k, other] for k, other in pairs(len(grid))]))


def coherence(features, labels, weights=None, bias=None):
    """Largest |cos| over pairs of centred means."""
    if len(present(labels)) == 2:
        return NAN
    grid = _cosines(centred_means(features, labels))
    return float(np.max([abs(grid[k, other]) for k, other in pairs(len(grid))]))


def welch_gap(features, labels, weights=None, bias=None):
    """Coherence above the Welch value for K lines in m = min(d, K−1) dimensions."""
    number = len(present(labels))
    room = min(np.asarray(features).shape[1], number - 1)
    return coherence(features, labels) - math.sqrt((number - room) / (room * (number - 1)))


def uniformity(features, labels, weights=None, bias=None):
    """Mean over pairs of log(1/‖û_k − û_k'‖), û_k the unit centred means."""
    means = centred_means(features, labels)
    if len(means) == 2 or min(_norms(means)) == 0:
        return NAN
    unit = [row / norm for row, norm in zip(means, _norms(means), strict=True)]
    distances = [float(np.sqrt(np.sum((unit[k] - unit[other]) ** 2))) for k, other in pairs(len(unit))]
    return float("inf") if min(distances) == 0 else float(np.mean([math.log(1 / d) for d in distances]))


def _by_class(labels, values):
    return {label: float(value) for label, value in zip(present(labels), values, strict=True)}


def per_class_norm_deviation(features, labels, weights=None, bias=None):
    """‖M_k‖ over their mean, minus 1."""
    norms = _norms(centred_means(features, labels))
    return _by_class(labels, [norm / np.mean(norms) - 1 for norm in norms])


def per_class_head_norm_deviation(features, labels, weights=None, bias=None):
    """‖W_k‖ over their mean, minus 1."""
    norms = _norms(head_rows(labels, weights))
    return _by_class(labels, [norm / np.mean(norms) - 1 for norm in norms])


def per_class_angle_deviation(features, labels, weights=None, bias=None):
    """Mean over partners of |cos + 1/(K−1)|."""
    rows = _partners(centred_means(features, labels))
    return _by_class(labels, [np.mean([abs(c + 1 / len(row)) for c in row]) for row in rows])


def per_class_head_angle_deviation(features, labels, weights=None, bias=None):
    """Mean over partners of |cos + 1/(K−1)|, head rows as they are."""
    rows = _partners(head_rows(labels, weights))
    return _by_class(labels, [np.mean([abs(c + 1 / len(row)) for c in row]) for row in rows])


def per_class_self_duality_gap(features, labels, weights=None, bias=None):
    """Row distances: their squares sum to the square of the measure."""
    gap = _unit_frobenius(head_rows(labels, weights)) - _unit_frobenius(centred_means(features, labels))
    return _by_class(labels, _norms(gap))


def per_class_minority_merge(features, labels, weights=None, bias=None):
    """Largest cosine with a partner."""
    return _by_class(labels, [max(row) for row in _partners(head_rows(labels, weights))])


def per_class_coherence(features, labels, weights=None, bias=None):
    """Largest |cos| with a partner."""
    return _by_class(labels, [max(abs(c) for c in row) for row in _partners(centred_means(features, labels))])
