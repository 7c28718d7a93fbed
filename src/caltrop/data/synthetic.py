"""Gaussian class clusters with a chosen spread, offset, rank and imbalance."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from jaxtyping import Float, Int64
from numpy.typing import DTypeLike


class Clusters(NamedTuple):
    """Features with the labels they came from and a last layer that points at the class means."""

    features: Float[np.ndarray, "samples dim"]
    labels: Int64[np.ndarray, "samples"]
    weights: Float[np.ndarray, "classes dim"]
    bias: Float[np.ndarray, "classes"]


def clusters(
    num_samples: int,
    dim: int,
    num_classes: int,
    *,
    sigma: float = 0.5,
    seed: int = 0,
    offset: float = 0.0,
    rank: int | None = None,
    counts: Sequence[int] | None = None,
    dtype: DTypeLike = np.float32,
) -> Clusters:
    r"""Samples $h_i = \mu_{y_i} + \sigma z_i/\sqrt d + o\,\mathbf 1$ with $z_i$ standard normal, shuffled.

    Class means have expected norm 1; `rank` puts them into a random subspace of that dimension, `offset` is
    added to every coordinate, `counts` gives the samples per class (equal by default). Drawn in float64
    and rounded once to `dtype`. The order of the draws is part of the interface: published validation
    numbers belong to it.

    Raises ValueError for sizes that do not fit together.
    """
    sizes = _class_sizes(num_samples, num_classes, counts)
    if rank is not None and not 1 <= rank <= dim:
        raise ValueError(f"rank={rank} is impossible in dim={dim}; give 1..{dim}, or None for full rank.")
    random = np.random.default_rng(seed)
    means = random.standard_normal((num_classes, rank or dim)) / np.sqrt(rank or dim)
    if rank is not None:
        basis = np.linalg.qr(random.standard_normal((dim, rank)))[0]
        means = means @ basis.T
    labels = np.repeat(np.arange(num_classes, dtype=np.int64), sizes)
    random.shuffle(labels)
    noise = random.standard_normal((num_samples, dim))
    features = means[labels] + sigma * noise / np.sqrt(dim) + offset
    tilt = random.standard_normal((num_classes, dim)) / np.sqrt(dim) * 0.3
    weights = tilt + means - means.mean(axis=0)
    bias = 0.1 * random.standard_normal(num_classes)
    return Clusters(features.astype(dtype), labels, weights.astype(dtype), bias.astype(dtype))


def _class_sizes(num_samples: int, num_classes: int, counts: Sequence[int] | None) -> list[int]:
    if counts is None:
        if num_samples % num_classes:
            raise ValueError(
                f"{num_samples} samples cannot be shared equally by {num_classes} classes; "
                f"take a multiple of {num_classes}, or give counts."
            )
        return [num_samples // num_classes] * num_classes
    if len(counts) != num_classes or sum(counts) != num_samples or min(counts) < 0:
        raise ValueError(
            f"counts={list(counts)} must hold {num_classes} sizes of 0 or more that add up to {num_samples}."
        )
    return list(counts)
