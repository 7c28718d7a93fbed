"""What all unconstrained features models share: sizes, checks, parameters."""

from __future__ import annotations

import math
import operator
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from numbers import Real

import torch
from jaxtyping import Int64
from torch import Tensor

from caltrop.theory.chain import FEATURES, Chain
from caltrop.theory.fits import Fit
from caltrop.theory.optimum import Optimum, Params


@dataclass(frozen=True, kw_only=True)
class Unconstrained:
    """Free features H [samples, dim] below a head W [classes, dim], b [classes], with ridge penalties.

    num_classes
        K ≥ 2.
    dim
        d, the width of the features.
    weight_decay, feature_decay
        λ_W and λ_H in λ_W/2‖W‖² + λ_H/2‖H‖_F², positive: without a penalty no minimiser exists.
    per_class
        n, samples of each class.
    counts
        Samples of each class where they differ; then `per_class` is not used.
    bias
        Whether the head has a bias, which is not penalised.

    Raises ValueError for sizes and penalties that are not possible.
    """

    num_classes: int
    dim: int
    weight_decay: float | Sequence[float]
    feature_decay: float
    per_class: int = 1
    counts: Sequence[int] | None = None
    bias: bool = False

    def __post_init__(self) -> None:
        classes = whole("num_classes", self.num_classes, 2, "one class has nothing to be told apart from")
        # NumPy's integers and floats are welcome, and stored as Python's: equal problems are equal, and write as JSON
        object.__setattr__(self, "num_classes", classes)
        object.__setattr__(self, "dim", whole("dim", self.dim, 1, "it is the width of the features"))
        object.__setattr__(self, "per_class", whole("per_class", self.per_class, 1, "every class needs a sample"))
        object.__setattr__(self, "feature_decay", penalty("feature_decay", self.feature_decay))
        object.__setattr__(self, "weight_decay", self._checked_weight_decay())
        if self.counts is not None:
            object.__setattr__(self, "counts", _counts(self.counts, classes))

    @property
    def fit_of(self) -> Fit:
        """The loss of one row of logits."""
        raise NotImplementedError

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

    @cached_property
    def labels(self) -> Int64[Tensor, "samples"]:
        """The class of each sample, in order."""
        return torch.repeat_interleave(torch.arange(self.num_classes), torch.tensor(self.class_counts))

    @cached_property
    def samples(self) -> Chain:
        """The model over its samples."""
        ones = torch.ones(self.num_samples, dtype=torch.float64)
        return self._chain(self.labels, ones / self.num_samples, ones)

    @cached_property
    def class_means(self) -> Chain:
        """The same model where all samples of a class have equal features: one row for each class."""
        counts = torch.tensor(self.class_counts, dtype=torch.float64)
        return self._chain(torch.arange(self.num_classes), counts / self.num_samples, counts)

    def lift(self, params: Params) -> Params:
        """Parameters of `samples` from those of `class_means`: every sample has its class's features."""
        return {**params, FEATURES: params[FEATURES][..., self.labels, :]}

    def init(self, seed: int) -> Params:
        """Independent normal entries of variance 1/dim, always the same for a seed; a bias of 0."""
        return self.samples.init(seed)

    def layers(self, params: Params) -> Mapping[str, Tensor]:
        """What each matrix is given, [..., samples, dim], by name; before ReLU too."""
        return self.samples.layers(params)

    def logits(self, params: Params) -> Tensor:
        """Z, [..., samples, classes]."""
        return self.samples.logits(params)

    def features(self, params: Params) -> Tensor:
        """What the head is given, [..., samples, dim]."""
        chain = self.samples
        return chain.layers(params)[f"layer {chain.depth}"]

    def fit(self, params: Params) -> Tensor:
        """The mean loss over samples, without penalties, [...]."""
        return self.samples.fit(params)

    def penalty(self, params: Params) -> Tensor:
        """The penalties, [...]."""
        return self.samples.penalty(params)

    def loss(self, params: Params) -> Tensor:
        """Fit and penalties, [...]."""
        return self.samples.loss(params)

    def families(self) -> Mapping[str, Optimum]:
        """None, where no named points are known beside the optimum."""
        return {}

    def _checked_weight_decay(self) -> float | tuple[float, ...]:
        return penalty("weight_decay", self.weight_decay)

    def _decays(self) -> tuple[float, ...]:
        """λ_H and the λ of each matrix."""
        raise NotImplementedError

    def _chain(self, labels: Tensor, shares: Tensor, multiplicities: Tensor) -> Chain:
        return Chain(
            fit_of=self.fit_of,
            labels=labels,
            shares=shares,
            multiplicities=multiplicities,
            num_classes=self.num_classes,
            dim=self.dim,
            decays=torch.tensor(self._decays(), dtype=torch.float64),
            depth=getattr(self, "depth", 1),
            relu=getattr(self, "relu", False),
            bias=self.bias,
        )


def whole(name: str, value: object, least: int, why: str) -> int:
    """An integer of at least `least`, or a ValueError that says why."""
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


def penalty(name: str, value: object) -> float:
    """A positive finite penalty as a float, or a ValueError that says why."""
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
    return tuple(whole(f"counts[{k}]", count, 1, "every class needs a sample") for k, count in enumerate(given))
