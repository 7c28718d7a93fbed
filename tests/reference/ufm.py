"""One-layer unconstrained features models written out from their definition, sample by sample, in NumPy."""

from __future__ import annotations

import numpy as np


def penalties(features, weights, weight_decay, feature_decay):
    return weight_decay / 2 * sum(w @ w for w in weights) + feature_decay / 2 * sum(h @ h for h in features)


def cross_entropy(features, weights, bias, labels, weight_decay, feature_decay, smoothing=0.0):
    """Mean over samples of −Σ_k t_k log softmax(Wh + b)_k, and the penalties."""
    total = 0.0
    for h, label in zip(features, labels, strict=True):
        scores = weights @ h + bias
        scores = scores - scores.max()
        logs = scores - np.log(np.exp(scores).sum())
        for k in range(len(weights)):
            share = smoothing / len(weights) + (1 - smoothing) * (k == label)
            total -= share * logs[k]
    return total / len(labels) + penalties(features, weights, weight_decay, feature_decay)


def squared_error(features, weights, bias, labels, weight_decay, feature_decay):
    """1/(2N) of the squared distances of Wh + b from the one-hot label, and the penalties."""
    total = 0.0
    for h, label in zip(features, labels, strict=True):
        scores = weights @ h + bias
        total += sum((scores[k] - (k == label)) ** 2 for k in range(len(weights)))
    return total / (2 * len(labels)) + penalties(features, weights, weight_decay, feature_decay)
