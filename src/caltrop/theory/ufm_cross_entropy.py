r"""Unconstrained features model with cross-entropy, one layer.

$$\min_{W,H,b}\ \frac1N\sum_i -\sum_k t_{ik}\log\mathrm{softmax}(WH_i+b)_k
+\tfrac{\lambda_W}{2}\|W\|_F^2+\tfrac{\lambda_H}{2}\|H\|_F^2$$

with $t_{ik}=(1-\varepsilon)[k=y_i]+\varepsilon/K$. Balanced factors of the logits $Z$ cost $c\|Z\|_*$,
$c=\sqrt{\lambda_W\lambda_H}$, so the problem is convex in $Z$; by symmetry over classes and samples an optimum is
$Z=\alpha(I-11^\top/K)\otimes 1_n$, and $\alpha$ minimises
$\log(1+(K-1)e^{-\alpha})+\varepsilon\frac{K-1}{K}\alpha+c'(K-1)\alpha$ with $c'=c\sqrt n$. An unpenalised bias changes
nothing: a constant one is optimal. Sources: zhu2021geometric, fang2021layer; the smoothed form is our derivation.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor

from caltrop.theory.one_layer import OneLayer, simplex_axes
from caltrop.theory.optimum import Optimum, Params
from caltrop.theory.predictions import collapsed_simplex
from caltrop.theory.registry import problem


@problem("ufm-cross-entropy")
@dataclass(frozen=True, kw_only=True)
class UfmCrossEntropy(OneLayer):
    r"""One-layer unconstrained features model with cross-entropy (nats, mean over samples).

    Balanced, dim ≥ K−1: $\alpha=\log(1/(c'+\varepsilon/K)-K+1)$ where $c'+\varepsilon/K<1/K$, else 0 (everything
    collapses to zero and the value is $\log K$). Value $\log(1+(K-1)e^{-\alpha})+(K-1)\alpha(c'+\varepsilon/K)$.

    label_smoothing
        ε in [0, 1).

    With unequal counts, or fewer dimensions than a simplex needs, `optimum()` and `optimal_value` are None.
    """

    label_smoothing: float = 0.0

    def __post_init__(self) -> None:
        super().__post_init__()
        if not 0 <= self.label_smoothing < 1:
            raise ValueError(f"label_smoothing={self.label_smoothing} must lie in [0, 1).")

    @property
    def alpha(self) -> float | None:
        """The scale α of the optimal logits α(I − 11ᵀ/K), 0 beyond the threshold; None without a closed form."""
        if not self.is_balanced or self.dim < self.num_classes - 1:
            return None
        inverse = 1 / self._slope - self.num_classes + 1
        return math.log(inverse) if inverse > 1 else 0.0

    @property
    def optimal_value(self) -> float | None:
        """The infimum of the loss; None for unequal counts or dim < K − 1."""
        alpha = self.alpha
        return None if alpha is None else self._value(alpha)

    @property
    def lower_bound(self) -> float:
        """The optimal value where it is known. Else the loss of any labels' best scores, without the penalties.

        The fit alone is at least the entropy of the smoothed targets, whatever the logits.
        """
        value = self.optimal_value
        return self._entropy() if value is None else value

    def fit(self, params: Params) -> Tensor:
        """Mean cross-entropy against the smoothed targets, [...]."""
        scores = torch.log_softmax(self.logits(params), dim=-1)
        smoothing = self.label_smoothing
        own = scores.gather(-1, self.labels.expand(scores.shape[:-1])[..., None])[..., 0]
        return -((1 - smoothing) * own + smoothing * scores.mean(dim=-1)).mean(dim=-1)

    def loss(self, params: Params) -> Tensor:
        """Fit and penalties, [...]."""
        return self.fit(params) + self.penalty(params)

    def optimum(self) -> Optimum | None:
        """A global optimum (they differ by rotations of the features); None where no closed form is known."""
        alpha = self.alpha
        if alpha is None:
            return None
        axes = simplex_axes(self.num_classes)
        params = self.factors(torch.full((axes.shape[1],), alpha, dtype=torch.float64), axes)
        return Optimum(
            value=self._value(alpha),
            params=params,
            features=params["features"],
            weights=params["weights"],
            rank=self.num_classes - 1 if alpha > 0 else 0,
            is_zero=alpha == 0,
            predictions=collapsed_simplex(self.num_classes) if alpha > 0 else {},
            bias=params.get("bias"),
            labels=self.labels,
        )

    @property
    def _slope(self) -> float:
        """c' + ε/K, what one unit of α costs for each of the K−1 other classes."""
        return self.coupling * math.sqrt(self.class_counts[0]) + self.label_smoothing / self.num_classes

    def _value(self, alpha: float) -> float:
        others = self.num_classes - 1
        return math.log1p(others * math.exp(-alpha)) + others * alpha * self._slope

    def _entropy(self) -> float:
        low = self.label_smoothing / self.num_classes
        high = 1 - self.label_smoothing + low
        return -sum(share * math.log(share) for share in (high, *[low] * (self.num_classes - 1)) if share > 0)
