"""The seeded clusters on which published and noted numbers of this project were computed."""

from __future__ import annotations

import numpy as np


def make(number, dim, classes, sigma=0.5, seed=0, offset=0.0, rank=None, dtype=np.float32):
    """Features, labels, weights and bias of Gaussian clusters; the order of the draws is part of the recipe.

    Class means are standard normal over √r, in a random r-dimensional subspace where `rank` = r is
    given; deviations have expected squared norm sigma²; the head is the centred means plus noise.
    """
    draw = np.random.default_rng(seed)
    room = rank or dim
    means = draw.standard_normal((classes, room)) / np.sqrt(room)
    if rank:
        means = means @ np.linalg.qr(draw.standard_normal((dim, rank)))[0].T
    labels = np.repeat(np.arange(classes), number // classes)
    draw.shuffle(labels)
    features = means[labels] + sigma * draw.standard_normal((len(labels), dim)) / np.sqrt(dim) + offset
    weights = draw.standard_normal((classes, dim)) / np.sqrt(dim) * 0.3 + means - means.mean(0)
    bias = 0.1 * draw.standard_normal(classes)
    return features.astype(dtype), labels, weights.astype(dtype), bias.astype(dtype)


def unequal(sizes, dim, *, sigma=0.5, seed=1, offset=0.0, rank=None, dtype=np.float32):
    """Clusters of the given class sizes (0 leaves a class out), in random order."""
    made = make(max(sizes) * len(sizes), dim, len(sizes), sigma, seed, offset, rank, dtype)
    features, labels, weights, bias = made
    kept = np.concatenate([np.flatnonzero(labels == k)[:size] for k, size in enumerate(sizes)])
    kept = np.random.default_rng(seed).permutation(kept)
    return features[kept], labels[kept], weights, bias


def simplex(number, dim, copies=3):
    """An exact simplex in the first coordinates, without spread, and the head that is dual to it."""
    # rows of an orthonormal basis of the contrasts (Helmert's), transposed: unit vectors seen from their average
    contrasts = np.zeros((number, dim))
    for k in range(1, number):
        contrasts[:k, k - 1], contrasts[k, k - 1] = 1 / np.sqrt(k * (k + 1)), -np.sqrt(k / (k + 1))
    labels = np.repeat(np.arange(number), copies)
    return contrasts[labels], labels, 2 * contrasts, np.zeros(number)


def polygon(number, copies=3):
    """A regular polygon in the plane, without spread, and its dual head: the tight frame where no simplex fits."""
    turns = 2 * np.pi * np.arange(number) / number
    corners = np.stack([np.cos(turns), np.sin(turns)], axis=1)
    labels = np.repeat(np.arange(number), copies)
    return corners[labels], labels, 2 * corners, np.zeros(number)


def frame(number, dim, copies=3, seed=0):
    """An orthogonal frame in random directions, without spread, and its dual head."""
    corners = np.linalg.qr(np.random.default_rng(seed).standard_normal((dim, number)))[0].T
    labels = np.repeat(np.arange(number), copies)
    return corners[labels], labels, 2 * corners, np.zeros(number)
