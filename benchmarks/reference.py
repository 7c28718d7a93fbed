"""The six numbers in float64 throughout, slowly: what every scheme is compared with."""

from __future__ import annotations

import numpy as np

from benchmarks.stream import Stored
from benchmarks.textbook import of_means

Numbers = dict[str, float]


def numbers(data: Stored) -> Numbers:
    """Two float64 passes; the span by a singular value decomposition of the centred means."""
    samples = data.case.samples
    present, counts = np.unique(data.labels, return_counts=True)
    place = np.zeros(data.case.classes, dtype=np.int64)
    place[present] = np.arange(len(present))
    sums = np.zeros((len(present), data.case.dim))
    for batch, labels, _ in data:
        np.add.at(sums, place[labels.numpy()], batch.double().numpy())
    means = sums / counts[:, None]
    rows = means - means.mean(0)
    axes, values = _span(rows)
    squares, along, differ = np.zeros(len(present)), np.zeros(len(values)), 0
    heights = np.square(means).sum(1) / 2
    for batch, labels, said in data:
        wide, where = batch.double().numpy(), place[labels.numpy()]
        centred = wide - means[where]
        np.add.at(squares, where, np.square(centred).sum(1))
        along += np.square(centred @ axes).sum(0)
        differ += int((present[(wide @ means.T - heights).argmax(1)] != said.numpy()).sum())
    found = of_means(rows, squares / counts, data.weights[present].astype(np.float64))
    found["within_class_variability"] = float((along / np.square(values)).sum() / samples)
    found["variability_ratio"] = float(squares.sum() / samples / (np.square(values).sum() / len(present)))
    found["nearest_centre_disagreement"] = differ / samples
    return found


def _span(rows: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Right singular vectors [d, r] and singular values above 1e-6 of the largest."""
    _, values, right = np.linalg.svd(rows, full_matrices=False)
    kept = values > 1e-6 * values[0]
    return right[kept].T, values[kept]
