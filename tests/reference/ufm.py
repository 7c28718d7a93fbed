"""One-layer unconstrained features models written out from their definition, sample by sample, in NumPy."""

from __future__ import annotations

import numpy as np


def target(label, num_classes, smoothing=0.0):
    """The one-hot label of which a share is spread over all classes."""
    return np.array([smoothing / num_classes + (1 - smoothing) * (k == label) for k in range(num_classes)])


def probabilities(scores):
    powers = np.exp(scores - scores.max())
    return powers / powers.sum()


def penalties(features, weights, weight_decay, feature_decay):
    return weight_decay / 2 * sum(w @ w for w in weights) + feature_decay / 2 * sum(h @ h for h in features)


def cross_entropy(features, weights, bias, labels, weight_decay, feature_decay, smoothing=0.0):
    """Mean over samples of −Σ_k t_k log softmax(Wh + b)_k, and the penalties."""
    total = 0.0
    for h, label in zip(features, labels, strict=True):
        scores = weights @ h + bias
        scores = scores - scores.max()
        logs = scores - np.log(np.exp(scores).sum())
        total -= target(label, len(weights), smoothing) @ logs
    return total / len(labels) + penalties(features, weights, weight_decay, feature_decay)


def squared_error(features, weights, bias, labels, weight_decay, feature_decay):
    """1/(2N) of the squared distances of Wh + b from the one-hot label, and the penalties."""
    total = 0.0
    for h, label in zip(features, labels, strict=True):
        scores = weights @ h + bias
        total += sum((scores[k] - (k == label)) ** 2 for k in range(len(weights)))
    return total / (2 * len(labels)) + penalties(features, weights, weight_decay, feature_decay)


def cross_entropy_slopes(logits, labels, smoothing=0.0):
    """Gradient of the fit with respect to the logits, [samples, classes]."""
    rows = [probabilities(z) - target(y, len(z), smoothing) for z, y in zip(logits, labels, strict=True)]
    return np.array(rows) / len(labels)


def squared_error_slopes(logits, labels):
    rows = [z - target(y, len(z)) for z, y in zip(logits, labels, strict=True)]
    return np.array(rows) / len(labels)


def gradient(slopes, features, weights, weight_decay, feature_decay):
    """Gradient of fit and penalties with respect to features, weights and bias, from that of the logits."""
    by_features, by_weights = feature_decay * features, weight_decay * weights
    for i, slope in enumerate(slopes):
        for k, s in enumerate(slope):
            by_features[i] += s * weights[k]
            by_weights[k] += s * features[i]
    return {"features": by_features, "weights": by_weights, "bias": slopes.sum(0)}
