"""The same six numbers as a careful notebook would compute them: features stored, d×d covariances, a pseudo-inverse.

Written for comparison only, plainly and without handicaps: class loops are over classes, not samples, distances
are matrix products, everything is float64 once the features are stored.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import scipy.linalg
import torch

from benchmarks.stream import Stored

Numbers = dict[str, float]
Inverse = Callable[[np.ndarray], np.ndarray]


def scipy_pinv(matrix: np.ndarray) -> np.ndarray:
    """SciPy's pseudo-inverse: cutoff d·eps, by singular values."""
    inverse: np.ndarray = scipy.linalg.pinv(matrix)
    return inverse


def numpy_pinv(matrix: np.ndarray) -> np.ndarray:
    """NumPy's pseudo-inverse: fixed cutoff 1e-15, which inverts rounding."""
    return np.linalg.pinv(matrix)


def torch_pinv(matrix: np.ndarray) -> np.ndarray:
    """Torch's pseudo-inverse of a symmetric matrix, by eigenvalues."""
    inverse: np.ndarray = torch.linalg.pinv(torch.from_numpy(matrix), hermitian=True).numpy()
    return inverse


def stored_features(data: Stored, pinv: Inverse) -> Numbers:
    """Keep everything, then compute."""
    batches = [(rows.numpy(), labels.numpy(), said.numpy()) for rows, labels, said in data]
    features = np.concatenate([rows for rows, _, _ in batches])
    labels = np.concatenate([part for _, part, _ in batches])
    decisions = np.concatenate([said for _, _, said in batches])
    del batches
    present = np.unique(labels)
    means = np.stack([features[labels == k].mean(0, dtype=np.float64) for k in present])
    centred = np.empty(features.shape)
    for place, k in enumerate(present):
        centred[labels == k] = features[labels == k] - means[place]
    variances = np.array([np.square(centred[labels == k]).sum(1).mean() for k in present])
    within = centred.T @ centred / len(features)
    scores = features @ means.T - np.square(means).sum(1) / 2
    nearest = present[scores.argmax(1)]
    rows = means - means.mean(0)
    numbers = of_means(rows, variances, data.weights[present].astype(np.float64))
    between = rows.T @ rows / len(present)
    numbers["within_class_variability"] = float(np.trace(within @ pinv(between)) / len(present))
    numbers["variability_ratio"] = float(np.trace(within) / np.trace(between))
    numbers["nearest_centre_disagreement"] = float((nearest != decisions).mean())
    return numbers


def streamed(data: Stored) -> Numbers:
    """Two passes over batches with float32 accumulators, one-hot products and a float32 pseudo-inverse."""
    classes, dim, samples = data.case.classes, data.case.dim, data.case.samples
    counts, sums = torch.zeros(classes), torch.zeros(classes, dim)
    for rows, labels, _ in data:
        hot = torch.nn.functional.one_hot(labels, classes).float()
        counts += hot.sum(0)
        sums += hot.T @ rows
    means = sums / counts[:, None]
    within, squares, agree = torch.zeros(dim, dim), torch.zeros(classes), 0
    for rows, labels, said in data:
        centred = rows - means[labels]
        within += centred.T @ centred
        squares.index_add_(0, labels, centred.square().sum(1))
        scores = rows @ means.T - means.square().sum(1) / 2
        agree += int((scores.argmax(1) == said).sum())
    within /= samples
    centred_means = means - means.mean(0)
    between = centred_means.T @ centred_means / classes
    numbers = of_means(centred_means.double().numpy(), (squares / counts).double().numpy(), data.weights)
    numbers["within_class_variability"] = float(torch.trace(within @ torch.linalg.pinv(between)) / classes)
    numbers["variability_ratio"] = float(torch.trace(within) / torch.trace(between))
    numbers["nearest_centre_disagreement"] = 1 - agree / samples
    return numbers


def outer_products(data: Stored, samples: int) -> Numbers:
    """Sample by sample a class sum, then a d×d outer product, for the first `samples` only: no numbers."""
    head = _first(data, samples)
    sums = np.zeros((data.case.classes, data.case.dim))
    counts = np.zeros(data.case.classes)
    for row, k in head:
        sums[k] += row
        counts[k] += 1
    within = np.zeros((data.case.dim, data.case.dim))
    for row, k in head:
        residual = row - sums[k] / counts[k]
        within += np.outer(residual, residual)
    return {}


def _first(data: Stored, samples: int) -> list[tuple[np.ndarray, int]]:
    kept: list[tuple[np.ndarray, int]] = []
    for rows, labels, _ in data:
        kept += zip(rows.double().numpy(), labels.tolist(), strict=True)
        if len(kept) >= samples:
            break
    return kept[:samples]


def of_means(rows: np.ndarray, variances: np.ndarray, weights: np.ndarray) -> Numbers:
    """What centred class means, mean squared distances and the head give, with K×K matrices written out."""
    count = len(rows)
    products = rows @ rows.T
    simplex = (np.eye(count) - 1 / count) / np.sqrt(count - 1)
    norms = np.square(rows).sum(1)
    squares = norms[:, None] + norms[None, :] - 2 * products
    np.fill_diagonal(squares, np.inf)
    ratios = (variances[:, None] + variances[None, :]) / (2 * squares)
    return {
        "class_distance_normalized_variance": float(ratios.sum() / (count * (count - 1))),
        "simplex_distance": float(np.linalg.norm(products / np.linalg.norm(products) - simplex)),
        "self_duality_gap": float(np.linalg.norm(weights / np.linalg.norm(weights) - rows / np.linalg.norm(rows))),
    }
