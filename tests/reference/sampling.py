"""Slow twin of the sampling half-width: a delete-a-block jackknife with every block really deleted."""

from __future__ import annotations

import math

import numpy as np


def leave_one_out(twin, features, labels, blocks, weights=None, bias=None):
    """The measure on all samples but those of one block, for each block in increasing order.

    Samples of a negative block are never left out.
    """
    features, labels, blocks = np.asarray(features), np.asarray(labels), np.asarray(blocks)
    return [
        twin(features[blocks != block], labels[blocks != block], weights, bias)
        for block in sorted(set(blocks[blocks >= 0].tolist()))
    ]


def half_width(twin, features, labels, blocks, weights=None, bias=None, multiplier=1.959963984540054):
    """multiplier × √((B−1)/B Σ_b (θ_(b) − θ̄)²), θ_(b) the measure without block b."""
    values = leave_one_out(twin, features, labels, blocks, weights, bias)
    number = len(values)
    mean = sum(values) / number
    return multiplier * math.sqrt((number - 1) / number * sum((value - mean) ** 2 for value in values))
