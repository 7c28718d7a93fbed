"""What this machine can do on one thread: the limits every result is compared with."""

from __future__ import annotations

import time
from collections.abc import Callable

import numpy as np
import torch
from scipy.linalg import blas

REPEATS = 3


def measure(size: int = 2048) -> dict[str, float]:
    """Rates of matrix products (GF/s, a full product counted) and of memory (GB/s), medians of 3.

    A symmetric product computes one triangle, and is counted as the full product it replaces.
    """
    generator = np.random.default_rng(0)
    single = generator.standard_normal((size, size), dtype=np.float32)
    double = single.astype(np.float64)
    other = generator.standard_normal((size, size), dtype=np.float32)
    other_double = other.astype(np.float64)
    single_torch, double_torch = torch.from_numpy(single), torch.from_numpy(double)
    giga = 2 * size**3 / 1e9
    large = generator.standard_normal(2**26, dtype=np.float32)
    into = np.empty_like(large)
    bytes_read = large.nbytes / 1e9
    return {
        "gemm_f32_numpy_gflops": giga / _seconds(lambda: single @ other),
        "gemm_f64_numpy_gflops": giga / _seconds(lambda: double @ other_double),
        "gemm_f32_torch_gflops": giga / _seconds(lambda: single_torch @ torch.from_numpy(other)),
        "gemm_f64_torch_gflops": giga / _seconds(lambda: double_torch @ torch.from_numpy(other_double)),
        "syrk_f32_gflops": giga / _seconds(lambda: blas.ssyrk(1.0, single.T)),
        "syrk_f64_gflops": giga / _seconds(lambda: blas.dsyrk(1.0, double.T)),
        "read_gbytes": bytes_read / _seconds(lambda: torch.from_numpy(large).sum()),
        "copy_gbytes": 2 * bytes_read / _seconds(lambda: np.copyto(into, large)),
    }


def _seconds(work: Callable[[], object]) -> float:
    work()
    taken = []
    for _ in range(REPEATS):
        start = time.process_time()
        work()
        taken.append(time.process_time() - start)
    return max(float(np.median(taken)), 1e-9)


def limit_seconds(rates: dict[str, float], samples: int, dim: int, width: int) -> float:
    """Two reads of the features and one float32 product with the span, at the machine's own rates."""
    product = max(rates["gemm_f32_numpy_gflops"], rates["gemm_f32_torch_gflops"])
    return 2 * 4 * samples * dim / 1e9 / rates["read_gbytes"] + 2 * samples * dim * width / 1e9 / product
