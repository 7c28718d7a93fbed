r"""Ideal configurations of class means, and how far a spectrum is from theirs."""

from __future__ import annotations

import math

import torch
from jaxtyping import Float
from torch import Tensor


def simplex_etf(num_classes: int, dim: int) -> Float[Tensor, "classes dim"]:
    r"""K unit vectors in d ≥ K−1 dimensions with all cosines $-1/(K-1)$: the simplex equiangular tight frame.

    Rows are built one axis at a time, so they lie in the first K−1 coordinates.

    Raises
    ------
    ValueError
        Where d < K−1: no such vectors exist.
    """
    if num_classes < 2 or dim < num_classes - 1:
        raise ValueError(
            f"{num_classes} classes form a simplex in {max(1, num_classes - 1)} or more dimensions, not in {dim}; "
            "at least 2 classes are needed."
        )
    rows = torch.zeros(num_classes, dim, dtype=torch.float64)
    for axis in range(num_classes - 1):
        left = num_classes - axis
        # what is left of the unit length after the earlier axes, shared by the remaining vectors
        height = math.sqrt(1 - float(rows[axis, :axis].square().sum()))
        rows[axis, axis] = height
        rows[axis + 1 :, axis] = -height / (left - 1)
    return rows


def orthogonal_frame(num_classes: int, dim: int) -> Float[Tensor, "classes dim"]:
    """K orthonormal vectors in d ≥ K dimensions: the first K axes."""
    if dim < num_classes:
        raise ValueError(f"{num_classes} orthogonal vectors need {num_classes} dimensions, not {dim}.")
    return torch.eye(num_classes, dim, dtype=torch.float64)


def flatness(eigenvalues: Float[Tensor, "m"], rank: int) -> float:
    r"""$\big(\sum_{i\le r}(\lambda_i/\|\lambda\|-1/\sqrt r)^2\big)^{1/2}$: distance of a spectrum to r equal values.

    This is the distance of the normalised Gram $G/\|G\|_F$ to $P/\sqrt r$ for any projection P of rank r that
    shares its eigenvectors (a simplex ETF: r = K−1, centred rows; an orthogonal frame: r = K). Missing
    eigenvalues count as 0. From eigenvalues nothing cancels; $\sqrt{2-2\rho}$ has a floor of 1e-8.
    """
    # squares of eigenvalues overflow long before eigenvalues do: scale first
    scaled = eigenvalues / eigenvalues.max()
    values = scaled[:rank]
    shares = values / torch.linalg.vector_norm(scaled)
    missing = max(0, rank - len(values))
    return math.sqrt(float((shares - 1 / math.sqrt(rank)).square().sum()) + missing / rank)


def flatness_floor(rank: int, dim: int) -> float:
    r"""The least `flatness` of r values when only d < r can differ from zero: $\sqrt{2-2\sqrt{d/r}}$; else 0."""
    return 0.0 if dim >= rank else math.sqrt(2 - 2 * math.sqrt(dim / rank))


def welch_bound(num_vectors: int, dim: int) -> float:
    r"""The least largest $|\cos|$ of K unit vectors in d < K dimensions, $\sqrt{(K-d)/(d(K-1))}$ (Welch, 1974)."""
    return math.sqrt(max(0, num_vectors - dim) / (dim * (num_vectors - 1)))
