r"""How far logits are from their classes: convex losses of one row of logits, with gradients and a floor."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Protocol, runtime_checkable

import torch
from torch import Tensor


@runtime_checkable
class Fit(Protocol):
    """A convex loss of logits [..., rows, classes] against labels [rows], one value a row."""

    def values(self, logits: Tensor, labels: Tensor) -> Tensor:
        """The loss of each row, [..., rows]."""
        ...

    def gradients(self, logits: Tensor, labels: Tensor) -> Tensor:
        """Its gradient in the logits, [..., rows, classes]."""
        ...

    def infimum(self, num_classes: int) -> float:
        """A number that no row's loss lies below."""
        ...


@dataclass(frozen=True)
class CrossEntropy:
    r"""$-\sum_kt_k\log\mathrm{softmax}(z)_k$ in nats, with $t_k=(1-\varepsilon)[k=y]+\varepsilon/K$."""

    smoothing: float = 0.0

    def values(self, logits: Tensor, labels: Tensor) -> Tensor:
        """The loss of each row, [..., rows]."""
        scores = torch.log_softmax(logits, dim=-1)
        own = scores.gather(-1, labels.to(scores.device).expand(scores.shape[:-1])[..., None])[..., 0]
        return -own if self.smoothing == 0 else -((1 - self.smoothing) * own + self.smoothing * scores.mean(dim=-1))

    def gradients(self, logits: Tensor, labels: Tensor) -> Tensor:
        """softmax(z) − t, [..., rows, classes]."""
        return torch.softmax(logits, dim=-1) - self.targets(labels, logits.shape[-1]).to(logits)

    def targets(self, labels: Tensor, num_classes: int) -> Tensor:
        """t, [rows, classes]."""
        return (1 - self.smoothing) * one_hot(labels, num_classes) + self.smoothing / num_classes

    def infimum(self, num_classes: int) -> float:
        """The entropy of a target, 0 without smoothing."""
        low = self.smoothing / num_classes
        high = 1 - (num_classes - 1) * low
        return sum(
            -share * math.log(share) * times for share, times in ((low, num_classes - 1), (high, 1)) if share > 0
        )


@dataclass(frozen=True)
class SquaredError:
    r"""$\tfrac12\|z-e_y\|^2$."""

    def values(self, logits: Tensor, labels: Tensor) -> Tensor:
        """The loss of each row, [..., rows]."""
        return self.gradients(logits, labels).square().sum(dim=-1) / 2

    def gradients(self, logits: Tensor, labels: Tensor) -> Tensor:
        """z − e_y, [..., rows, classes]."""
        return logits - one_hot(labels, logits.shape[-1]).to(logits)

    def infimum(self, num_classes: int) -> float:
        """0."""
        return 0.0


def one_hot(labels: Tensor, num_classes: int) -> Tensor:
    """Rows of the identity, [rows, classes] in float64."""
    return torch.eye(num_classes, dtype=torch.float64)[labels]
