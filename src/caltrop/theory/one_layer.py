"""What the two one-layer unconstrained features models share: sizes, checks, parameters."""

from __future__ import annotations

import math
import operator
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from numbers import Real

import torch
from jaxtyping import Float64, Int64
from torch import Tensor

from caltrop.geometry import simplex_etf
from caltrop.theory.optimum import Optimum, Params


@dataclass(frozen=True, kw_only=True)
class OneLayer:
    """Free features H [samples, dim] and a head W [classes, dim], b [classes], with ridge penalties on H and W.

    num_classes
        K ≥ 2.
    dim
        d, the width of the features.
    weight_decay, feature_decay
        λ_W and λ_H in λ_W/2‖W‖² + λ_H/2‖H‖_F², both positive: without a penalty no minimiser exists.
    per_class
        n, samples of each class.
    counts
        Samples of each class where they differ; then `per_class` is not used.
    bias
        Whether there is a bias, which is not penalised.

    Raises ValueError for sizes and penalties that are not possible.
    """

    num_classes: int
    dim: int
    weight_decay: float
    feature_decay: float
    per_class: int = 1
    counts: Sequence[int] | None = None
    bias: bool = False

    def __post_init__(self) -> None:
        classes = _whole("num_classes", self.num_classes, 2, "one class has nothing to be told apart from")
        # NumPy's integers and floats are welcome, and stored as Python's: equal problems are equal, and write as JSON
        object.__setattr__(self, "num_classes", classes)
        object.__setattr__(self, "dim", _whole("dim", self.dim, 1, "it is the width of the features"))
        object.__setattr__(self, "per_class", _whole("per_class", self.per_class, 1, "every class needs a sample"))
        for name in ("weight_decay", "feature_decay"):
            object.__setattr__(self, name, _penalty(name, getattr(self, name)))
        if self.counts is not None:
            object.__setattr__(self, "counts", _counts(self.counts, classes))

    @property
    def class_counts(self) -> tuple[int, ...]:
        """Samples of each class."""
        return (self.per_class,) * self.num_classes if self.counts is None else tuple(self.counts)

    @property
    def num_samples(self) -> int:
        """N, all samples."""
        return sum(self.class_counts)

    @property
    def is_balanced(self) -> bool:
        """Whether all classes have the same number of samples."""
        return len(set(self.class_counts)) == 1

    @property
    def coupling(self) -> float:
        """c = √(λ_W λ_H): balanced factors of the logits Z are penalised by c‖Z‖_*."""
        # the product of two small penalties would underflow to 0
        return math.sqrt(self.weight_decay) * math.sqrt(self.feature_decay)

    @cached_property
    def labels(self) -> Int64[Tensor, "samples"]:
        """The class of each sample, in order."""
        return torch.repeat_interleave(torch.arange(self.num_classes), torch.tensor(self.class_counts))

    def init(self, seed: int) -> Params:
        """Independent normal entries of variance 1/dim, always the same for a seed; a bias of 0."""
        random = torch.Generator().manual_seed(seed)

        def drawn(rows: int) -> Tensor:
            return torch.randn(rows, self.dim, generator=random, dtype=torch.float64) / math.sqrt(self.dim)

        params = {"features": drawn(self.num_samples), "weights": drawn(self.num_classes)}
        return {**params, "bias": torch.zeros(self.num_classes, dtype=torch.float64)} if self.bias else params

    def logits(self, params: Params) -> Tensor:
        """Z = H Wᵀ + b, [..., samples, classes]."""
        logits: Tensor = params["features"] @ params["weights"].mT
        if self.bias:
            logits = logits + params["bias"][..., None, :]
        return logits

    def features(self, params: Params) -> Tensor:
        """H, [..., samples, dim]."""
        return params["features"]

    def penalty(self, params: Params) -> Tensor:
        """λ_W/2‖W‖² + λ_H/2‖H‖², over the last two axes."""
        weights: Tensor = params["weights"].square().sum(dim=(-2, -1))
        features: Tensor = params["features"].square().sum(dim=(-2, -1))
        return (self.weight_decay * weights + self.feature_decay * features) / 2

    def families(self) -> Mapping[str, Optimum]:
        """None: the one-layer models have no named points beside their optimum."""
        return {}

    def factors(self, strengths: Float64[Tensor, "rank"], left: Float64[Tensor, "classes rank"]) -> Params:
        r"""Balanced factors of class logits $\sum_i s_i u_iu_i^\top$ (each class n times): W, H and no bias.

        In Z the singular value is $s_i\sqrt n$, so $\|w_i\|=\sqrt{s_i\sqrt{n\lambda_H/\lambda_W}}$ and the rest is H's.
        Needs rank ≤ dim; the axes are the first ones.
        """
        share = math.sqrt(self.class_counts[0]) * math.sqrt(self.feature_decay) / math.sqrt(self.weight_decay)
        weights = torch.zeros(self.num_classes, self.dim, dtype=torch.float64)
        means = torch.zeros(self.num_classes, self.dim, dtype=torch.float64)
        weights[:, : len(strengths)] = left * (strengths * share).sqrt()
        means[:, : len(strengths)] = left * (strengths / share).sqrt()
        params = {"features": means[self.labels], "weights": weights}
        return {**params, "bias": torch.zeros(self.num_classes, dtype=torch.float64)} if self.bias else params


def simplex_axes(num_classes: int) -> Float64[Tensor, "classes axes"]:
    """K−1 orthonormal directions that are orthogonal to the vector of ones, as columns.

    The columns of a simplex of unit vectors, scaled: the same on every machine, unlike eigenvectors of one eigenvalue.
    """
    return simplex_etf(num_classes, num_classes - 1) * math.sqrt((num_classes - 1) / num_classes)


def _whole(name: str, value: object, least: int, why: str) -> int:
    try:
        number = operator.index(value)  # type: ignore[arg-type]
    except TypeError:
        number = least - 1
    if number < least or isinstance(value, bool):
        raise ValueError(f"{name}={value!r} must be an integer of {least} or more: {why}.")
    return number


def number(value: object) -> float:
    """A real number of any kind as a float, NaN where it is none."""
    if isinstance(value, bool):
        return math.nan
    return float(value) if isinstance(value, Real) else math.nan


def _penalty(name: str, value: object) -> float:
    if not 0 < number(value) < math.inf:
        raise ValueError(
            f"{name}={value!r} must be positive and finite: without a penalty the loss has no minimiser, its infimum "
            "is only approached as the parameters grow without bound."
        )
    return number(value)


def _counts(values: Sequence[object], num_classes: int) -> tuple[int, ...]:
    given = tuple(values)
    if len(given) != num_classes:
        raise ValueError(
            f"counts has {len(given)} entries, but num_classes={num_classes}; give every class its number of samples."
        )
    return tuple(_whole(f"counts[{k}]", count, 1, "every class needs a sample") for k, count in enumerate(given))
