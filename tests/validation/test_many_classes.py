"""Scans over all pairs of classes run in tiles: the same numbers as one matrix of all pairs."""

from __future__ import annotations

import numpy as np
import pytest

from caltrop.observe import measure

approx = pytest.approx
K, D = 700, 24


@pytest.fixture(scope="module")
def crowd():
    """700 classes in 24 dimensions, four samples each, some classes close together and two nearly parallel."""
    draw = np.random.default_rng(3)
    means = draw.standard_normal((K, D))
    means[600:] = means[:100] + 1e-3 * draw.standard_normal((100, D))
    labels = np.repeat(np.arange(K), 4)
    features = means[labels] + 0.1 * draw.standard_normal((4 * K, D))
    mu = np.array([features[labels == k].mean(0) for k in range(K)])
    variances = np.array([((features[labels == k] - mu[k]) ** 2).sum(1).mean() for k in range(K)])
    centred = mu - mu.mean(0)
    unit = centred / np.linalg.norm(centred, axis=1, keepdims=True)
    return measure(features, labels), mu, variances, unit, np.triu_indices(K, 1)


def test_angles_of_all_pairs(crowd):
    seen, _, _, unit, pairs = crowd
    cosines = (unit @ unit.T)[pairs]
    assert seen["features", "angle_deviation"] == approx(np.abs(cosines + 1 / (K - 1)).mean(), rel=1e-10)
    assert seen["features", "coherence"] == approx(np.abs(cosines).max(), rel=1e-12)


def test_distances_of_all_pairs(crowd):
    seen, mu, variances, unit, (left, right) = crowd
    squares = ((mu[left] - mu[right]) ** 2).sum(1)
    ratio = (variances[left] + variances[right]) / 2 / squares
    assert seen["features", "class_distance_normalized_variance"] == approx(ratio.mean(), rel=1e-10)
    apart = np.linalg.norm(unit[left] - unit[right], axis=1)
    assert seen["features", "uniformity"] == approx(-np.log(apart).mean(), rel=1e-10)


def test_every_class_meets_every_other_one(crowd):
    """Per-class values: each class has K−1 partners, whichever tile they fall in."""
    seen, mu, variances, _, _ = crowd
    squares = ((mu[:, None] - mu[None]) ** 2).sum(2) + np.diag(np.full(K, np.inf))
    ratio = (variances[:, None] + variances[None]) / 2 / squares
    found = seen.per_class("features", "class_distance_normalized_variance")
    assert list(found.values()) == approx((ratio.sum(1) / (K - 1)).tolist(), rel=1e-10)
