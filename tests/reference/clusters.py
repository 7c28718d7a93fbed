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
