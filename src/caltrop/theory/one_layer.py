"""What the one-layer unconstrained features models share: one coupling of head and features, balanced factors."""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from jaxtyping import Float64
from torch import Tensor

from caltrop.geometry import simplex_etf
from caltrop.theory.chain import BIAS, FEATURES, WEIGHTS
from caltrop.theory.optimum import Params
from caltrop.theory.unconstrained import Unconstrained


@dataclass(frozen=True, kw_only=True)
class OneLayer(Unconstrained):
    """Free features H [samples, dim] and a head W [classes, dim], b [classes], with ridge penalties on H and W.

    The fields are those of `Unconstrained`, with one number as `weight_decay`.
    """

    weight_decay: float

    @property
    def coupling(self) -> float:
        """c = √(λ_W λ_H): balanced factors of the logits Z are penalised by c‖Z‖_*."""
        # the product of two small penalties would underflow to 0
        return math.sqrt(self.weight_decay) * math.sqrt(self.feature_decay)

    def factors(self, strengths: Float64[Tensor, "rank"], left: Float64[Tensor, "classes rank"]) -> Params:
        r"""Balanced factors of class logits $\sum_i s_i u_iu_i^\top$ of balanced classes: W, H and no bias.

        Needs rank ≤ dim; the axes are the first ones.
        """
        size = math.sqrt(self.class_counts[0])
        return self.lift(self.split(left / size, strengths * size, left))

    def split(
        self,
        left: Float64[Tensor, "classes rank"],
        strengths: Float64[Tensor, "rank"],
        right: Float64[Tensor, "classes rank"],
    ) -> Params:
        r"""Balanced factors over class means of class logits $\sum_i s_i l_ir_i^\top$: W, H and a bias of 0.

        $s_i$ are the singular values of Z over all samples where $\sum_kn_kl_{ki}^2=1$ and $\|r_i\|=1$, orthogonal
        in these senses; then the penalties are $c\sum_is_i$. Needs rank ≤ dim; the axes are the first ones.
        """
        # λ_W‖w_i‖² = λ_H Σ_k n_k h_ki²
        share = math.sqrt(math.sqrt(self.weight_decay) / math.sqrt(self.feature_decay))
        weights = torch.zeros(self.num_classes, self.dim, dtype=torch.float64)
        means = torch.zeros(self.num_classes, self.dim, dtype=torch.float64)
        weights[:, : len(strengths)] = right * (strengths.sqrt() / share)
        means[:, : len(strengths)] = left * (strengths.sqrt() * share)
        params = {FEATURES: means, WEIGHTS: weights}
        return {**params, BIAS: torch.zeros(self.num_classes, dtype=torch.float64)} if self.bias else params

    def _decays(self) -> tuple[float, ...]:
        return self.feature_decay, self.weight_decay


def simplex_axes(num_classes: int) -> Float64[Tensor, "classes axes"]:
    """K−1 orthonormal directions that are orthogonal to the vector of ones, as columns.

    The columns of a simplex of unit vectors, scaled: the same on every machine, unlike eigenvectors of one eigenvalue.
    """
    return simplex_etf(num_classes, num_classes - 1) * math.sqrt((num_classes - 1) / num_classes)
