r"""How far logits are from their classes: convex losses of one row of logits, their gradients and conjugates.

The conjugate $\ell^*(y)=\sup_z\langle y,z\rangle-\ell(z)$ is what turns a gradient into a lower bound (`duality`). It
is finite on a convex set that contains 0, where it is $-\inf\ell$.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import ClassVar, Protocol, runtime_checkable

import torch
from torch import Tensor

# Rounding by which a slope may leave the set on which a conjugate is finite.
OUTSIDE = 1e-12


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


@runtime_checkable
class Curved(Protocol):
    """A fit that knows its second derivatives; of others they are differences of gradients."""

    def curvatures(self, logits: Tensor, labels: Tensor) -> Tensor:
        """The Hessian of each row's loss, [..., rows, classes, classes]."""
        ...


@runtime_checkable
class Conjugate(Protocol):
    """A fit that knows its conjugate; of others only gradients scaled towards 0 bound a problem from below."""

    def conjugates(self, slopes: Tensor, labels: Tensor) -> Tensor:
        r"""$\ell^*$ of each row of slopes [rows, classes], [rows]; infinite where no logits have such slopes."""
        ...

    def balanced(self, slopes: Tensor, labels: Tensor, shares: Tensor) -> Tensor:
        """Slopes nearby, in the same set, whose sum over rows, weighted by `shares`, is 0: what a free bias asks."""
        ...


@dataclass(frozen=True)
class CrossEntropy:
    r"""$-\sum_kt_k\log\mathrm{softmax}(z)_k$ in nats, with $t_k=(1-\varepsilon)[k=y]+\varepsilon/K$."""

    smoothing: float = 0.0
    treats_classes_alike: ClassVar[bool] = True

    def values(self, logits: Tensor, labels: Tensor) -> Tensor:
        """The loss of each row, [..., rows], to the last digits of a small one too."""
        own = labels.to(logits.device).expand(logits.shape[:-1])[..., None]
        leads = logits - logits.gather(-1, own)
        others = leads.scatter(-1, own, -math.inf).logsumexp(dim=-1)
        found = torch.logaddexp(others, torch.zeros_like(others))
        return found if self.smoothing == 0 else found - self.smoothing * leads.mean(dim=-1)

    def gradients(self, logits: Tensor, labels: Tensor) -> Tensor:
        """softmax(z) − t, [..., rows, classes]."""
        own = labels.to(logits.device).expand(logits.shape[:-1])[..., None]
        others = torch.softmax(logits, dim=-1)
        if self.smoothing != 0:
            others = others - self.smoothing / logits.shape[-1]
        # that of the own class is the sum of the others: 1 − p would have lost the digits of a small loss
        others = others.scatter(-1, own, 0)
        return others.scatter(-1, own, -others.sum(dim=-1, keepdim=True))

    def curvatures(self, logits: Tensor, labels: Tensor) -> Tensor:
        """diag(p) − ppᵀ with p = softmax(z), [..., rows, classes, classes]."""
        shares = torch.softmax(logits, dim=-1)
        return torch.diag_embed(shares) - shares[..., :, None] * shares[..., None, :]

    def conjugates(self, slopes: Tensor, labels: Tensor) -> Tensor:
        """−entropy of the probabilities slopes + t, [rows]."""
        own = one_hot(labels, slopes.shape[-1]).to(slopes)
        shares = slopes + self.targets(labels, slopes.shape[-1]).to(slopes)
        others = (shares * (1 - own)).clamp(min=0)
        lost = others.sum(dim=-1).clamp(max=1)
        kept = torch.special.xlog1py(1 - lost, -lost)
        inside = (shares.min(dim=-1).values > -OUTSIDE) & (slopes.sum(dim=-1).abs() < OUTSIDE)
        return torch.where(inside, torch.special.xlogy(others, others).sum(dim=-1) + kept, math.inf)

    def balanced(self, slopes: Tensor, labels: Tensor, shares: Tensor) -> Tensor:
        """Probability moves, row by row, from classes that have too much on average to those that have too little."""
        excess = shares @ slopes
        chances = (slopes + self.targets(labels, slopes.shape[-1]).to(slopes)).clamp(min=0)
        moved = chances * (excess.clamp(min=0) / (shares @ chances).clamp(min=torch.finfo(slopes.dtype).tiny))
        lack = (-excess).clamp(min=0)
        share = lack / lack.sum().clamp(min=torch.finfo(slopes.dtype).tiny)
        return slopes - moved + moved.sum(dim=-1, keepdim=True) * share

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


class _Separable:
    """What losses that are sums over classes share: conjugates are finite on a box around 0."""

    treats_classes_alike: ClassVar[bool] = True

    def balanced(self, slopes: Tensor, labels: Tensor, shares: Tensor) -> Tensor:
        """In each class the slopes of the sign that weighs more shrink."""
        up, down = shares @ slopes.clamp(min=0), shares @ (-slopes).clamp(min=0)
        tiny = torch.finfo(slopes.dtype).tiny
        rising, falling = (down / up.clamp(min=tiny)).clamp(max=1), (up / down.clamp(min=tiny)).clamp(max=1)
        return slopes * torch.where(slopes > 0, rising, falling)

    def infimum(self, num_classes: int) -> float:
        """0."""
        return 0.0


@dataclass(frozen=True)
class SquaredError(_Separable):
    r"""$\tfrac12\|z-e_y\|^2$."""

    def values(self, logits: Tensor, labels: Tensor) -> Tensor:
        """The loss of each row, [..., rows]."""
        return self.gradients(logits, labels).square().sum(dim=-1) / 2

    def gradients(self, logits: Tensor, labels: Tensor) -> Tensor:
        """z − e_y, [..., rows, classes]."""
        return logits - one_hot(labels, logits.shape[-1]).to(logits)

    def curvatures(self, logits: Tensor, labels: Tensor) -> Tensor:
        """The identity, [..., rows, classes, classes]."""
        return torch.diag_embed(torch.ones_like(logits))

    def conjugates(self, slopes: Tensor, labels: Tensor) -> Tensor:
        r"""$\langle y,e\rangle+\tfrac12\|y\|^2$, [rows]."""
        own = one_hot(labels, slopes.shape[-1]).to(slopes)
        return (slopes * own + slopes.square() / 2).sum(dim=-1)


@dataclass(frozen=True)
class BinaryCrossEntropy(_Separable):
    r"""One against all: $\sum_k\log(1+e^{-s_kz_k})$ in nats, $s_k=1$ for the own class and $-1$ for the others."""

    def values(self, logits: Tensor, labels: Tensor) -> Tensor:
        """The loss of each row, [..., rows]."""
        margins = logits * _signs(labels, logits)
        return torch.logaddexp(-margins, torch.zeros_like(margins)).sum(dim=-1)

    def gradients(self, logits: Tensor, labels: Tensor) -> Tensor:
        r"""$-s\,\mathrm{sigmoid}(-sz)$, [..., rows, classes]."""
        signs = _signs(labels, logits)
        return -signs * torch.sigmoid(-signs * logits)

    def curvatures(self, logits: Tensor, labels: Tensor) -> Tensor:
        """Diagonal, p(1 − p) with p = sigmoid(z), [..., rows, classes, classes]."""
        return torch.diag_embed(torch.sigmoid(logits) * torch.sigmoid(-logits))

    def conjugates(self, slopes: Tensor, labels: Tensor) -> Tensor:
        r"""$\sum_kv_k\log v_k+(1-v_k)\log(1-v_k)$ with $v=-sy$ in [0, 1], [rows]."""
        lost = -_signs(labels, slopes) * slopes
        inside = (lost > -OUTSIDE) & (lost < 1 + OUTSIDE)
        lost = lost.clamp(0, 1)
        found = torch.special.xlogy(lost, lost) + torch.special.xlog1py(1 - lost, -lost)
        return torch.where(inside, found, math.inf).sum(dim=-1)


@dataclass(frozen=True)
class SquaredHinge(_Separable):
    r"""One against all: $\tfrac12\sum_k\max(0,1-s_kz_k)^2$, $s_k=1$ for the own class and $-1$ for the others."""

    def values(self, logits: Tensor, labels: Tensor) -> Tensor:
        """The loss of each row, [..., rows]."""
        return (1 - _signs(labels, logits) * logits).clamp(min=0).square().sum(dim=-1) / 2

    def gradients(self, logits: Tensor, labels: Tensor) -> Tensor:
        r"""$-s\max(0,1-sz)$, [..., rows, classes]."""
        signs = _signs(labels, logits)
        return -signs * (1 - signs * logits).clamp(min=0)

    def curvatures(self, logits: Tensor, labels: Tensor) -> Tensor:
        """Diagonal, 1 where the margin is short of 1, [..., rows, classes, classes]."""
        return torch.diag_embed((_signs(labels, logits) * logits < 1).to(logits))

    def conjugates(self, slopes: Tensor, labels: Tensor) -> Tensor:
        r"""$\sum_k\tfrac12v_k^2-v_k$ with $v=-sy\ge0$, [rows]."""
        short = -_signs(labels, slopes) * slopes
        found = short.square() / 2 - short
        return torch.where(short > -OUTSIDE, found, math.inf).sum(dim=-1)


@dataclass(frozen=True)
class PseudoHuber(_Separable):
    r"""$\delta^2\sum_k(\sqrt{1+(z_k-e_{yk})^2/\delta^2}-1)$: squared near the one-hot target, linear far from it.

    width
        δ > 0, where one turns into the other.
    """

    width: float = 1.0

    def __post_init__(self) -> None:
        if not 0 < self.width < math.inf:
            raise ValueError(f"width={self.width!r} must be positive and finite: there the loss turns linear.")

    def values(self, logits: Tensor, labels: Tensor) -> Tensor:
        """The loss of each row, [..., rows]."""
        away = logits - one_hot(labels, logits.shape[-1]).to(logits)
        # δ²(√(1+ρ²) − 1) without the difference
        return (away.square() / (1 + (1 + (away / self.width).square()).sqrt())).sum(dim=-1)

    def gradients(self, logits: Tensor, labels: Tensor) -> Tensor:
        r"""$r/\sqrt{1+r^2/\delta^2}$ with $r=z-e_y$, [..., rows, classes]."""
        away = logits - one_hot(labels, logits.shape[-1]).to(logits)
        return away / (1 + (away / self.width).square()).sqrt()

    def curvatures(self, logits: Tensor, labels: Tensor) -> Tensor:
        r"""Diagonal, $(1+r^2/\delta^2)^{-3/2}$, [..., rows, classes, classes]."""
        away = logits - one_hot(labels, logits.shape[-1]).to(logits)
        return torch.diag_embed((1 + (away / self.width).square()) ** -1.5)

    def conjugates(self, slopes: Tensor, labels: Tensor) -> Tensor:
        r"""$\langle y,e\rangle+\delta^2\sum_k(1-\sqrt{1-y_k^2/\delta^2})$, each $|y_k|\le\delta$, [rows]."""
        own = one_hot(labels, slopes.shape[-1]).to(slopes)
        share = (slopes / self.width).square()
        found = slopes * own + slopes.square() / (1 + (1 - share).clamp(min=0).sqrt())
        return torch.where(share < 1 + OUTSIDE, found, math.inf).sum(dim=-1)


def one_hot(labels: Tensor, num_classes: int) -> Tensor:
    """Rows of the identity, [rows, classes] in float64."""
    return torch.eye(num_classes, dtype=torch.float64)[labels]


def _signs(labels: Tensor, logits: Tensor) -> Tensor:
    """1 for the own class and −1 for the others, [rows, classes]."""
    return (2 * one_hot(labels, logits.shape[-1]) - 1).to(logits)
