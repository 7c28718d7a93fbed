"""Slow twins of the variability and rank measures, with full d×d matrices."""

from __future__ import annotations

import numpy as np

from .sample import (
    centred_means,
    class_means,
    counts,
    deviations,
    pairs,
    present,
    quotient,
    sample_mean,
    spreads,
)

NAN = float("nan")


def class_cov(features, labels, label):
    """S_k = (1/n_k) Σ (h − μ_k)(h − μ_k)ᵀ, [dim, dim]."""
    rows = deviations(features, labels, label)
    return rows.T @ rows / len(rows)


def within_cov(features, labels):
    """Σ_W = (1/N) Σ_k n_k S_k: every sample weighs the same."""
    total = sum(
        n * class_cov(features, labels, label) for n, label in zip(counts(labels), present(labels), strict=True)
    )
    return total / sum(counts(labels))


def between_cov(features, labels):
    """Σ_B = (1/K) Σ_k M_k M_kᵀ: every class weighs the same."""
    means = centred_means(features, labels)
    return sum(np.outer(row, row) for row in means) / len(means)


def total_cov(features, labels):
    """Σ_T = (1/N) Σ_i (h_i − μ_G)(h_i − μ_G)ᵀ."""
    rows = (np.asarray(features).astype(np.longdouble) - sample_mean(features)).astype(np.float64)
    return rows.T @ rows / len(rows)


def mean_directions(features, labels):
    """Eigenvalues of Σ_B and their directions [number, dim], over the numerical rank of the means.

    Taken from the singular values of M, of which those above 1e-6 of the largest count: forming Σ_B
    first would square the condition number.
    """
    means = centred_means(features, labels)
    _, singular, rows = np.linalg.svd(means, full_matrices=False)
    kept = [i for i, value in enumerate(singular) if value > 1e-6 * singular[0]]
    return singular[kept] ** 2 / len(means), rows[kept]


def noise_trace(features, labels):
    """Expected trace of what sampling alone adds to Σ_B: (1/K)(1−1/K) Σ_c tr S_c / n_c, S_c unbiased.

    A class of one sample has no S_c of its own and takes the pooled one; NaN where all have one.
    """
    sizes, sums = counts(labels), spreads(features, labels)
    if max(sizes) == 1:
        return NAN
    pooled = sum(sums) / sum(n - 1 for n in sizes)
    traces = [s / (n - 1) if n > 1 else pooled for n, s in zip(sizes, sums, strict=True)]
    number = len(sizes)
    return (1 / number) * (1 - 1 / number) * sum(trace / n for n, trace in zip(sizes, traces, strict=True))


def resolved_directions(features, labels):
    """The directions whose eigenvalue of Σ_B stands above 10 × noise trace / (K − 1)."""
    values, directions = mean_directions(features, labels)
    floor = 10 * noise_trace(features, labels) / (len(present(labels)) - 1)
    kept = [i for i, value in enumerate(values) if value > floor]
    return values[kept], directions[kept]


def trace_over(cov, values, directions):
    """tr(cov Σ_B⁺) with Σ_B⁺ = Σ_i v_i v_iᵀ / λ_i written out as a d×d matrix."""
    inverse = sum(np.outer(v, v) / value for value, v in zip(values, directions, strict=True))
    return float(np.sum(cov * inverse))  # both are symmetric


def within_class_variability(features, labels, weights=None, bias=None):
    """tr(Σ_W Σ_B⁺)/K."""
    values, directions = mean_directions(features, labels)
    if len(values) == 0:
        return quotient(np.trace(within_cov(features, labels)), 0)
    return trace_over(within_cov(features, labels), values, directions) / len(present(labels))


def within_class_variability_resolved(features, labels, weights=None, bias=None):
    """The same over the resolved directions only."""
    values, directions = resolved_directions(features, labels)
    if np.isnan(noise_trace(features, labels)) or len(values) == 0:
        return NAN
    return trace_over(within_cov(features, labels), values, directions) / len(present(labels))


def variability_ratio(features, labels, weights=None, bias=None):
    """tr Σ_W / tr Σ_B: mean squared distance to the own mean, over that of the means to their average."""
    between = np.sum(centred_means(features, labels) ** 2) / len(present(labels))
    return quotient(sum(spreads(features, labels)) / sum(counts(labels)), between)


def _cdnv(features, labels):
    means = class_means(features, labels)
    spread = [s / n for s, n in zip(spreads(features, labels), counts(labels), strict=True)]
    grid = np.full((len(means), len(means)), NAN)
    for k, other in pairs(len(means)):
        distance = float(np.sum((means[k] - means[other]) ** 2))
        grid[k, other] = grid[other, k] = quotient(spread[k] + spread[other], 2 * distance)
    return grid


def class_distance_normalized_variance(features, labels, weights=None, bias=None):
    """Mean over pairs of (v_k + v_k')/(2‖μ_k − μ_k'‖²), v_k the mean squared distance to μ_k."""
    grid = _cdnv(features, labels)
    return float(np.mean([grid[k, other] for k, other in pairs(len(grid))]))


def means_rank(features, labels, weights=None, bias=None):
    """Singular values of M above 1e-6 of the largest."""
    return float(len(mean_directions(features, labels)[0]))


def means_rank_resolved(features, labels, weights=None, bias=None):
    """Eigenvalues of Σ_B above 10 × noise trace / (K − 1)."""
    if np.isnan(noise_trace(features, labels)):
        return NAN
    return float(len(resolved_directions(features, labels)[0]))


def variability_noise_floor(features, labels, weights=None, bias=None):
    """Noise trace over tr Σ_B."""
    noise = noise_trace(features, labels)
    return NAN if np.isnan(noise) else quotient(noise, np.trace(between_cov(features, labels)))


def effective_rank(features, labels, weights=None, bias=None):
    """exp of the entropy of the eigenvalue shares of Σ_T."""
    cov = total_cov(features, labels)
    if np.trace(cov) == 0:
        return NAN
    shares = np.linalg.eigvalsh(cov / np.trace(cov))
    return float(np.exp(-sum(p * np.log(p) for p in shares if p > 0)))


def stable_rank(features, labels, weights=None, bias=None):
    """tr Σ_T / ‖Σ_T‖₂."""
    cov = total_cov(features, labels)
    return NAN if np.trace(cov) == 0 else float(np.trace(cov) / np.linalg.norm(cov, 2))


def per_class_within_class_variability(features, labels, weights=None, bias=None):
    """tr(S_k Σ_B⁺)/K: weighed by n_k/N they sum to the measure."""
    values, directions = mean_directions(features, labels)
    number = len(present(labels))
    return {k: trace_over(class_cov(features, labels, k), values, directions) / number for k in present(labels)}


def per_class_within_class_variability_resolved(features, labels, weights=None, bias=None):
    """tr(S_k Σ_B⁺)/K over the resolved directions."""
    values, directions = resolved_directions(features, labels)
    number = len(present(labels))
    return {k: trace_over(class_cov(features, labels, k), values, directions) / number for k in present(labels)}


def per_class_variability_ratio(features, labels, weights=None, bias=None):
    """tr S_k / tr Σ_B."""
    trace = np.trace(between_cov(features, labels))
    return {k: quotient(np.trace(class_cov(features, labels, k)), trace) for k in present(labels)}


def per_class_class_distance_normalized_variance(features, labels, weights=None, bias=None):
    """Mean over the partners of a class."""
    grid = _cdnv(features, labels)
    return {k: float(np.nanmean(grid[i])) for i, k in enumerate(present(labels))}
