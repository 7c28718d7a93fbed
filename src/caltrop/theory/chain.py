r"""A chain of weight matrices above free features: what every unconstrained features model is made of.

$$\sum_r s_r\,\ell(z_r,y_r)+\tfrac{\lambda_H}{2}\sum_rm_r\|h_r\|^2+\sum_{l=1}^L\tfrac{\lambda_l}{2}\|W_l\|_F^2,\qquad
Z=W_L\,\sigma(W_{L-1}\cdots\sigma(W_1H))+b$$

with $\sigma$ the identity or ReLU; it is not applied to $H$. Rows are samples ($s_r=1/N$, $m_r=1$), or classes
($s_k=n_k/N$, $m_k=n_k$), which is the same model wherever all samples of a class have equal features. The
infimum is the same too: given the weights, samples of a class share one objective, so that all may take the best of
their features.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property

import torch
from jaxtyping import Float64, Int64
from torch import Tensor

from caltrop.theory.fits import Fit
from caltrop.theory.optimum import Params

FEATURES, WEIGHTS, BIAS = "features", "weights", "bias"


@dataclass(frozen=True, eq=False)
class Chain:
    """Free features [rows, dim], L−1 hidden matrices [dim, dim] and a head [classes, dim], with ridge penalties.

    Parameters are called "features", "weights_1" … "weights_{L−1}", "weights" (the head) and "bias". All functions
    broadcast over leading axes of the parameters. `decays` [..., L+1] are λ_H, λ_1 … λ_L; leading axes of them (points
    of a grid) broadcast with those of the parameters.
    """

    fit_of: Fit
    labels: Int64[Tensor, "rows"]
    shares: Float64[Tensor, "rows"]
    multiplicities: Float64[Tensor, "rows"]
    num_classes: int
    dim: int
    decays: Float64[Tensor, "*grid factors"]
    depth: int = 1
    relu: bool = False
    bias: bool = False

    @cached_property
    def factors(self) -> tuple[str, ...]:
        """Names of the penalised factors, in the order of `decays`."""
        return (FEATURES, *(f"weights_{layer}" for layer in range(1, self.depth)), WEIGHTS)

    @cached_property
    def shapes(self) -> dict[str, tuple[int, ...]]:
        """The shape of every parameter, without leading axes."""
        shapes: dict[str, tuple[int, ...]] = dict.fromkeys(self.factors, (self.dim, self.dim))
        shapes |= {FEATURES: (len(self.labels), self.dim), WEIGHTS: (self.num_classes, self.dim)}
        return shapes | ({BIAS: (self.num_classes,)} if self.bias else {})

    def init(self, seed: int, scale: float = 1.0) -> Params:
        """Independent normal entries of standard deviation `scale`/√dim, the same for a seed; a bias of 0."""
        random = torch.Generator().manual_seed(seed)
        params = {
            name: torch.randn(*self.shapes[name], generator=random, dtype=torch.float64) * (scale / math.sqrt(self.dim))
            for name in self.factors
        }
        return {**params, BIAS: torch.zeros(self.num_classes, dtype=torch.float64)} if self.bias else params

    def layers(self, params: Params) -> dict[str, Tensor]:
        """What each matrix is given, [..., rows, dim]: "layer 1" (H) to "layer L"; before ReLU "layer l pre"."""
        values = params[FEATURES]
        found = {"layer 1": values}
        for layer, name in enumerate(self.factors[1:-1], start=2):
            values = values @ params[name].mT
            if self.relu:
                found[f"layer {layer} pre"] = values
                values = values.relu()
            found[f"layer {layer}"] = values
        return found

    def logits(self, params: Params) -> Tensor:
        """Z, [..., rows, classes]."""
        return self._scored(self.layers(params)[f"layer {self.depth}"], params)

    def fit(self, params: Params) -> Tensor:
        """The loss without penalties, [...]."""
        return self._mean(self.logits(params))

    def penalty(self, params: Params) -> Tensor:
        """Half the sum of λ‖·‖² over the factors, [...]."""
        decays = self.decays.to(params[FEATURES])
        total = decays[..., 0] * self._squares(params, FEATURES)
        for place, name in enumerate(self.factors[1:], start=1):
            total = total + decays[..., place] * self._squares(params, name)
        return total / 2

    def balance(self, params: Params) -> Tensor:
        """λ‖·‖² of each factor, [..., L+1]: all equal at every stationary point, with or without ReLU."""
        squares = torch.stack([self._squares(params, name) for name in self.factors], dim=-1)
        return self.decays.to(squares) * squares

    def loss(self, params: Params) -> Tensor:
        """Fit and penalties, [...]."""
        return self.fit(params) + self.penalty(params)

    def value_and_gradient(self, params: Params) -> tuple[Tensor, Params]:
        """The loss [...] and its gradient by hand, of the parameters' shapes; ReLU has slope 0 at 0."""
        with torch.no_grad():
            inputs = [params[FEATURES]]
            for name in self.factors[1:-1]:
                passed = inputs[-1] @ params[name].mT
                inputs.append(passed.relu_() if self.relu else passed)
            logits = self._scored(inputs[-1], params)
            decays = self.decays.to(logits)
            error = self.fit_of.gradients(logits, self.labels) * self.shares.to(logits)[:, None]
            gradient: Params = {BIAS: error.sum(dim=-2)} if self.bias else {}
            for place in range(self.depth, 0, -1):
                name = self.factors[place]
                gradient[name] = _added(error.mT @ inputs[place - 1], params[name], decays[..., place])
                error = error @ params[name]
                if self.relu and place > 1:
                    # positive exactly where what came before ReLU was
                    error = error.mul_(inputs[place - 1] > 0)
            weighted = params[FEATURES] * self.multiplicities.to(logits)[:, None]
            gradient[FEATURES] = _added(error, weighted, decays[..., 0])
            value = self._mean(logits) + self.penalty(params)
            if self.bias:
                gradient[BIAS] = gradient[BIAS].expand(*value.shape, self.num_classes)
            return value, gradient

    def _scored(self, last: Tensor, params: Params) -> Tensor:
        logits: Tensor = last @ params[WEIGHTS].mT
        return logits + params[BIAS][..., None, :] if self.bias else logits

    def _mean(self, logits: Tensor) -> Tensor:
        return (self.fit_of.values(logits, self.labels) * self.shares.to(logits)).sum(dim=-1)

    def _squares(self, params: Mapping[str, Tensor], name: str) -> Tensor:
        rows = params[name].square().sum(dim=-1)
        return (rows * self.multiplicities.to(rows)).sum(dim=-1) if name == FEATURES else rows.sum(dim=-1)


def _added(product: Tensor, params: Tensor, decay: Tensor) -> Tensor:
    if decay.ndim == 0:
        return product.add_(params, alpha=float(decay))
    return product + decay[..., None, None] * params
