r"""Unconstrained features model with cross-entropy, one layer.

$$\min_{W,H,b}\ \frac1N\sum_i -\sum_k t_{ik}\log\mathrm{softmax}(WH_i+b)_k
+\tfrac{\lambda_W}{2}\|W\|_F^2+\tfrac{\lambda_H}{2}\|H\|_F^2$$

with $t_{ik}=(1-\varepsilon)[k=y_i]+\varepsilon/K$. Balanced factors of the logits $Z$ cost $c\|Z\|_*$,
$c=\sqrt{\lambda_W\lambda_H}$, so the problem is convex in $Z$; by symmetry over classes and samples an optimum is
$Z=\alpha(I-11^\top/K)\otimes 1_n$, and $\alpha$ minimises
$\log(1+(K-1)e^{-\alpha})+\varepsilon\frac{K-1}{K}\alpha+c'(K-1)\alpha$ with $c'=c\sqrt n$. An unpenalised bias changes
nothing: a constant one is optimal. Sources: zhu2021geometric, fang2021layer; the smoothed form is our derivation.

The dual bounds every other case from below. For any probabilities $p_i$ with $\|(p-t)/N\|_{op}\le c$ (and, with a
bias, $\sum_ip_i=\sum_it_i$), $c\|Z\|_*\ge\langle t-p,Z\rangle/N$, and what is left,
$\frac1N\sum_i\mathrm{logsumexp}(z_i)-p_i\cdot z_i$, is at least the mean entropy of the $p_i$. Targets mixed with the
uniform distribution, $p_i=t_i+a_k(\frac1K-t_i)$, have $\|p-t\|_{op}\le(1-\varepsilon)\max_ka_k\sqrt{n_k}$; when
balanced their bound is the optimal value.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch

from caltrop.theory.fits import CrossEntropy
from caltrop.theory.one_layer import OneLayer, simplex_axes
from caltrop.theory.optimum import Optimum
from caltrop.theory.predictions import collapsed_simplex
from caltrop.theory.registry import problem
from caltrop.theory.unconstrained import number


@problem("ufm-cross-entropy")
@dataclass(frozen=True, kw_only=True)
class UfmCrossEntropy(OneLayer):
    r"""One-layer unconstrained features model with cross-entropy (nats, mean over samples).

    Balanced, dim ≥ K−1: $\alpha=\log(1/(c'+\varepsilon/K)-K+1)$ where $c'+\varepsilon/K<1/K$, else 0 (everything
    collapses to zero and the value is $\log K$). Value $\log(1+(K-1)e^{-\alpha})+(K-1)\alpha(c'+\varepsilon/K)$.

    label_smoothing
        ε in [0, 1).

    With unequal counts, or fewer dimensions than a simplex needs, `optimum()` and `optimal_value` are None;
    `lower_bound` is then the entropy of a dual feasible point.
    """

    label_smoothing: float = 0.0

    def __post_init__(self) -> None:
        super().__post_init__()
        object.__setattr__(self, "label_smoothing", smoothing_share(self.label_smoothing))

    @property
    def fit_of(self) -> CrossEntropy:
        """Cross-entropy against the smoothed targets."""
        return CrossEntropy(self.label_smoothing)

    @property
    def alpha(self) -> float | None:
        """The scale α of the optimal logits α(I − 11ᵀ/K), 0 beyond the threshold; None without a closed form."""
        if not self.is_balanced or self.dim < self.num_classes - 1:
            return None
        slope = self._slope
        if self.num_classes * slope >= 1:
            return 0.0
        # log(1/slope − K + 1), also where 1/slope overflows
        return math.log1p(-(self.num_classes - 1) * slope) - math.log(slope)

    @property
    def optimal_value(self) -> float | None:
        """The infimum of the loss; None for unequal counts or dim < K − 1."""
        alpha = self.alpha
        return None if alpha is None else self._value(alpha)

    @property
    def lower_bound(self) -> float:
        """The optimal value where it is known, else the entropy of dual feasible probabilities (see the module).

        With a bias they must leave the mean target alone: mixed with the uniform distribution in proportion to 1/n_k,
        or all alike with the mean target, whichever bounds better.
        """
        value = self.optimal_value
        if value is not None:
            return value
        return max(self._mixed_by_class(), self._mixed_alike()) if self.bias else self._mixed_separately()

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

    def _mixed_separately(self) -> float:
        # (1−ε) a_k √n_k = Nc, or all of the target replaced
        radius = self.num_samples * self.coupling / (1 - self.label_smoothing)
        return self._uniform_entropy([min(1.0, radius / math.sqrt(count)) for count in self.class_counts])

    def _mixed_by_class(self) -> float:
        # n_k a_k equal for all classes leaves the mean target alone
        radius = self.num_samples * self.coupling / (1 - self.label_smoothing)
        least = min(self.class_counts)
        mass = min(least, radius * math.sqrt(least))
        return self._uniform_entropy([mass / count for count in self.class_counts])

    def _mixed_alike(self) -> float:
        # centred one-hot targets have norm √n of the largest class at most
        radius = self.num_samples * self.coupling / (1 - self.label_smoothing)
        share = min(1.0, radius / math.sqrt(max(self.class_counts)))
        smoothing, kept = self.label_smoothing / self.num_classes, 1 - self.label_smoothing
        proportions = [count / self.num_samples for count in self.class_counts]
        base = [smoothing + kept * share * proportion for proportion in proportions]
        total = sum(map(_surprise, base))
        return sum(
            proportion * (total - _surprise(low) + _surprise(low + kept * (1 - share)))
            for proportion, low in zip(proportions, base, strict=True)
        )

    def _uniform_entropy(self, shares: list[float]) -> float:
        """Mean entropy of targets of which class k has given up a share to the uniform distribution."""
        total = 0.0
        for count, share in zip(self.class_counts, shares, strict=True):
            low = (self.label_smoothing + (1 - self.label_smoothing) * share) / self.num_classes
            others = self.num_classes - 1
            total += count * (_surprise(1 - others * low) + others * _surprise(low))
        return total / self.num_samples


def smoothing_share(value: object) -> float:
    """ε in [0, 1) as a float, or a ValueError that says why."""
    if not 0 <= number(value) < 1:
        raise ValueError(
            f"label_smoothing={value!r} must lie in [0, 1): it is the share of each target that is spread evenly over "
            "all classes, and at 1 nothing is left to learn."
        )
    return number(value)


def _surprise(probability: float) -> float:
    """−p log p, 0 at 0."""
    return -probability * math.log(probability) if probability > 0 else 0.0
