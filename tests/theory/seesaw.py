"""A problem as a user would write it: what the contract asks for and nothing else.

Two samples of two classes, features and head of one dimension each: min ½‖hwᵀ − T‖² + λ/2(‖h‖² + ‖w‖²) with
T = [[1, −1], [−1, 1]]. T has one singular value, 2, which is thresholded by λ.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch

from caltrop.theory import Optimum, problem

TARGETS = torch.tensor([[1.0, -1.0], [-1.0, 1.0]], dtype=torch.float64)


@problem("seesaw")
@dataclass(frozen=True)
class Seesaw:
    penalty: float

    labels = (0, 1)

    @property
    def optimal_value(self):
        strength = max(0.0, 2 - self.penalty)
        return (2 - strength) ** 2 / 2 + self.penalty * strength

    @property
    def lower_bound(self):
        return self.optimal_value

    def init(self, seed):
        random = torch.Generator().manual_seed(seed)
        return {name: torch.randn(2, 1, generator=random, dtype=torch.float64) for name in ("features", "weights")}

    def loss(self, params):
        features, weights = params["features"], params["weights"]
        fit = (features @ weights.mT - TARGETS).square().sum(dim=(-2, -1)) / 2
        return fit + self.penalty / 2 * (features.square() + weights.square()).sum(dim=(-2, -1))

    def features(self, params):
        return params["features"]

    def optimum(self):
        return self._scaled(max(0.0, 2 - self.penalty))

    def families(self):
        return {"nothing": self._scaled(0.0), "all": self._scaled(2.0)}

    def _scaled(self, strength):
        side = torch.tensor([[1.0], [-1.0]], dtype=torch.float64) * (strength / 2) ** 0.5
        params = {"features": side, "weights": side.clone()}
        predictions = {"variability_ratio": 0.0, "self_duality_gap": 0.0, "accuracy": 1.0} if strength else {}
        return Optimum(float(self.loss(params)), params, side, side, int(strength > 0), strength == 0, predictions)
