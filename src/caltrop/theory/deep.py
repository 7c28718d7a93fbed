"""What the deep unconstrained features models share: L matrices above free features, one penalty for each factor."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from numbers import Real
from typing import cast

from caltrop.theory.unconstrained import Unconstrained, penalty, whole


@dataclass(frozen=True, kw_only=True)
class DeepUnconstrained(Unconstrained):
    """Free features H [samples, dim], hidden matrices W_1 … W_{L−1} [dim, dim] and a head W_L [classes, dim].

    The fields are those of `Unconstrained`, and:

    depth
        L ≥ 1, the matrices above the free features: L+1 penalised factors. Depth 1 is the one-layer model.
    weight_decay
        λ of every matrix, or one for each of the L, from the features upwards.
    """

    weight_decay: float | Sequence[float]
    depth: int

    def __post_init__(self) -> None:
        why = "a deep features model has at least its head above the features"
        object.__setattr__(self, "depth", whole("depth", self.depth, 1, why))
        super().__post_init__()

    @property
    def coupling(self) -> float:
        r"""$c=(\lambda_H\prod_l\lambda_l)^{1/(L+1)}$.

        Balanced factors of Z without ReLU cost $\tfrac{L+1}2c\sum_i\sigma_i(Z)^{2/(L+1)}$.
        """
        # the product of small penalties would underflow
        return math.exp(math.fsum(map(math.log, self._decays())) / (self.depth + 1))

    @property
    def class_coupling(self) -> float:
        r"""$\tilde c=(n\lambda_H\prod_l\lambda_l)^{1/(L+1)}$, the same for class-mean logits of balanced classes."""
        return self.coupling * float(self.class_counts[0] ** (1 / (self.depth + 1)))

    def _checked_weight_decay(self) -> float | tuple[float, ...]:
        given = self.weight_decay
        if isinstance(given, Real) or not isinstance(given, Sequence):
            return penalty("weight_decay", given)
        if len(given) != self.depth:
            raise ValueError(
                f"weight_decay has {len(given)} entries, but depth={self.depth}; give one for each matrix, from the "
                "features upwards, or one number for all."
            )
        return tuple(penalty(f"weight_decay[{place}]", value) for place, value in enumerate(given))

    def _decays(self) -> tuple[float, ...]:
        given = self.weight_decay
        each = given if isinstance(given, tuple) else (cast(float, given),) * self.depth
        return (self.feature_decay, *each)
