r"""Unconstrained features model with squared error, one layer.

$$\min_{W,H,b}\ \tfrac{1}{2N}\|HW^\top+1b^\top-Y\|_F^2+\tfrac{\lambda_W}{2}\|W\|_F^2+\tfrac{\lambda_H}{2}\|H\|_F^2$$

With $Z=HW^\top$ the penalties are at least $c\|Z\|_*$, $c=\sqrt{\lambda_W\lambda_H}$, with equality when balanced; the
one-hot $Y$ has $K$ singular values $\sqrt{n_k}$, so each is soft-thresholded by $Nc$. A free bias takes the mean of the
targets: what is left, $Y-11^\top Y/N$, has $K-1$ singular values $\sqrt n$ when balanced. Sources: tirer2022extended,
zhu2021geometric (free bias).
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor

from caltrop.theory.one_layer import OneLayer, simplex_axes
from caltrop.theory.optimum import Optimum, Params
from caltrop.theory.predictions import collapsed_frame, collapsed_simplex
from caltrop.theory.registry import problem


@problem("ufm-mse")
@dataclass(frozen=True, kw_only=True)
class UfmMse(OneLayer):
    r"""One-layer unconstrained features model with squared error against one-hot targets, 1/(2N) of the sum.

    Balanced, no bias, dim ≥ K: value $K(c\sqrt n-Nc^2/2)$ where $c<1/(K\sqrt n)$, else $1/2$ (zero); class means are an
    orthogonal frame. With a bias, dim ≥ K−1: $(K-1)(c\sqrt n-Nc^2/2)$, else $(1-1/K)/2$; class means are a simplex.

    With unequal counts, or fewer dimensions than that, `optimum()` and `optimal_value` are None.
    """

    @property
    def strength(self) -> float | None:
        """The class logits along each direction kept, 1 − Kc√n or 0; None without a closed form."""
        if not self.is_balanced or self.dim < self._directions:
            return None
        return max(0.0, 1 - self.num_classes * self.coupling * math.sqrt(self.class_counts[0]))

    @property
    def optimal_value(self) -> float | None:
        """The infimum of the loss; None for unequal counts or too few dimensions."""
        strength = self.strength
        return None if strength is None else self._value(strength)

    @property
    def lower_bound(self) -> float:
        """The optimal value where it is known, else 0: fit and penalties are sums of squares."""
        value = self.optimal_value
        return 0.0 if value is None else value

    def fit(self, params: Params) -> Tensor:
        """1/(2N) of the squared distance to the one-hot targets, [...]."""
        targets = torch.nn.functional.one_hot(self.labels, self.num_classes).double()
        return (self.logits(params) - targets).square().sum(dim=(-2, -1)) / (2 * self.num_samples)

    def loss(self, params: Params) -> Tensor:
        """Fit and penalties, [...]."""
        return self.fit(params) + self.penalty(params)

    def optimum(self) -> Optimum | None:
        """A global optimum (they differ by rotations of the features); None where no closed form is known."""
        strength = self.strength
        if strength is None:
            return None
        axes = simplex_axes(self.num_classes) if self.bias else torch.eye(self.num_classes, dtype=torch.float64)
        params = self.factors(torch.full((axes.shape[1],), strength, dtype=torch.float64), axes)
        if self.bias:
            params["bias"] = torch.full((self.num_classes,), 1 / self.num_classes, dtype=torch.float64)
        predicted = collapsed_simplex if self.bias else collapsed_frame
        return Optimum(
            value=self._value(strength),
            params=params,
            features=params["features"],
            weights=params["weights"],
            rank=self._directions if strength > 0 else 0,
            is_zero=strength == 0,
            predictions=predicted(self.num_classes) if strength > 0 else {},
            bias=params.get("bias"),
            labels=self.labels,
        )

    @property
    def _directions(self) -> int:
        return self.num_classes - 1 if self.bias else self.num_classes

    def _value(self, strength: float) -> float:
        # per direction: fit (1 − s)²/(2K), penalty c√n s
        lost = (1 - strength) ** 2 / (2 * self.num_classes)
        return self._directions * (lost + self.coupling * math.sqrt(self.class_counts[0]) * strength)
