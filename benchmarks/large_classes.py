"""More classes than dimensions: a simplex distance without a K×K matrix, against the scan of all pairs."""

from __future__ import annotations

import time

import torch

from caltrop.geometry import flatness
from caltrop.linalg import eigenvalues
from caltrop.stats import Pairs


def simplex_against_scan(classes: int, dim: int, scanned: int) -> dict[str, float]:
    """CPU seconds of the simplex distance of `classes` means, and of the scan of their pairs.

    The scan is timed on `scanned` of the rows and extrapolated by the square of their share.
    """
    rows = torch.randn(classes, dim, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    rows = rows - rows.mean(0)
    start = time.process_time()
    flatness(eigenvalues(rows), classes - 1)
    middle = time.process_time()
    Pairs.of(rows[:scanned], torch.ones(scanned, dtype=torch.float64))
    end = time.process_time()
    share = classes / scanned
    return {
        "classes": classes,
        "dim": dim,
        "scanned": scanned,
        "simplex_cpu_s": middle - start,
        "scan_cpu_s": (end - middle) * share**2,
    }
