"""What is provably optimal for a problem, and what every problem offers."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Protocol, runtime_checkable

from jaxtyping import Float64, Int64
from torch import Tensor

Params = dict[str, Tensor]


@dataclass(frozen=True, eq=False)
class Optimum:
    """A point of a problem, explicit, with the values of measures that follow from its form.

    `value` is its loss; `params` the parameters themselves, None where the infimum is not attained; `features`
    [samples, dim] and `labels` [samples] what is measured, `weights` [classes, dim] and `bias` [classes] the head;
    `rank` that of the logits. `predictions` maps names of measures to what they are at this point.
    """

    value: float
    params: Params | None
    features: Float64[Tensor, "samples dim"]
    weights: Float64[Tensor, "classes dim"]
    rank: int
    is_zero: bool
    predictions: Mapping[str, float] = field(default_factory=dict)
    bias: Float64[Tensor, "heads"] | None = None
    labels: Int64[Tensor, "labels"] | None = None


@runtime_checkable
class Problem(Protocol):
    """One theoretical model with its sizes and penalties; implementations are frozen dataclasses."""

    @property
    def optimal_value(self) -> float | None:
        """The infimum of the loss, None where it is unknown."""
        ...

    @property
    def lower_bound(self) -> float:
        """A number that no loss lies below."""
        ...

    def init(self, seed: int) -> Params:
        """Random parameters, always the same for a seed."""
        ...

    def loss(self, params: Params) -> Tensor:
        """The loss; leading axes of the parameters (seeds, grid points) are leading axes of the answer."""
        ...

    def features(self, params: Params) -> Tensor:
        """What is measured, [..., samples, dim]."""
        ...

    def optimum(self) -> Optimum | None:
        """A global optimum, None where it is unknown."""
        ...

    def families(self) -> Mapping[str, Optimum]:
        """Named points whose values are upper bounds, empty where there are none."""
        ...


@runtime_checkable
class Penalised(Protocol):
    """A problem whose loss is a fit plus penalties, and that can say the fit alone."""

    def fit(self, params: Params) -> Tensor:
        """The loss without its penalties, of the same shape."""
        ...
