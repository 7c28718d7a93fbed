r"""Where neural collapse (simplex logits, DNC) exists, wins over zero, and is stable in the deep linear model.

For balanced cross-entropy at depth L the scale α of simplex logits solves
$$\tilde\lambda=\frac{\alpha^q}{e^\alpha+K-1},\qquad q=\frac{L-1}{L+1},\qquad
\tilde\lambda=(n\lambda_H\textstyle\prod_l\lambda_l)^{1/(L+1)},$$
by the larger root. The right side rises from 0 (at L = 1 from 1/K) to one maximum and falls.

* It **exists** up to that maximum, at $q=\alpha e^\alpha/(e^\alpha+K-1)$.
* It **ties** with zero where $\log(1+(K-1)e^{-\alpha})+\frac{L+1}2(K-1)\frac{\alpha}{e^\alpha+K-1}=\log K$.
* It is a local minimum as long as $\alpha\ge\alpha_c=Kq$ (K ≥ 4). Along logits D that are symmetric with zero diagonal
  and zero row sums the fit has curvature $\frac1K\|D\|^2/(e^\alpha+K-1)$ and the penalty
  $-\tilde\lambda q\alpha^{-1-q}\|D\|^2=-\frac q\alpha\|D\|^2/(e^\alpha+K-1)$; these K(K−3)/2 directions are the first
  to turn down. For K ≤ 3 there are none, and the simplex is stable wherever it exists.

Sources: garrod2025persistence (existence; stability for small penalties); the sharp thresholds are our derivation. No
label smoothing.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

from caltrop.theory.unconstrained import whole


@dataclass(frozen=True)
class CollapseThresholds:
    r"""Values of $\tilde\lambda$ up to which the simplex exists, beats zero, and is a local minimum."""

    exists: float
    ties: float
    stable: float

    def equal_penalties(self, depth: int, per_class: int = 1) -> CollapseThresholds:
        r"""The same as one λ for all factors, $\tilde\lambda=\lambda n^{1/(L+1)}$."""
        share = math.pow(per_class, 1 / (depth + 1))
        return CollapseThresholds(self.exists / share, self.ties / share, self.stable / share)


def collapse_thresholds(num_classes: int, depth: int) -> CollapseThresholds:
    """Thresholds for K ≥ 2 classes at depth L ≥ 1; at depth 1 all of them are 1/K.

    Raises:
        ValueError: fewer than two classes, or no layer.
    """
    classes = whole("num_classes", num_classes, 2, "one class has nothing to be told apart from")
    layers = whole("depth", depth, 1, "a features model has at least its head")
    if layers == 1:
        return CollapseThresholds(1 / classes, 1 / classes, 1 / classes)
    exists = simplex_coupling(_fold(classes, layers), classes, layers)
    ties = simplex_coupling(_tie(classes, layers), classes, layers)
    if classes < 4:
        return CollapseThresholds(exists, ties, exists)
    return CollapseThresholds(exists, ties, simplex_coupling(stable_scale(classes, layers), classes, layers))


def simplex_coupling(scale: float, num_classes: int, depth: int) -> float:
    r"""The $\tilde\lambda$ at which α > 0 is a stationary scale."""
    power = (depth - 1) / (depth + 1)
    # e^−α above and below: e^α overflows
    return math.pow(scale, power) * math.exp(-scale) / (1 + (num_classes - 1) * math.exp(-scale))


def stable_scale(num_classes: int, depth: int) -> float:
    """α_c = K(L−1)/(L+1): simplex logits of a smaller scale are saddles for K ≥ 4."""
    return num_classes * (depth - 1) / (depth + 1)


def _fold(classes: int, depth: int) -> float:
    power = (depth - 1) / (depth + 1)
    # α times the softmax of the own class rises, and is q at the fold; that softmax is 1/K at least
    return _root(lambda scale: scale / (1 + (classes - 1) * math.exp(-scale)) - power, power, classes * power)


def _tie(classes: int, depth: int) -> float:
    others = classes - 1

    def excess(scale: float) -> float:
        lost = others * math.exp(-scale)
        fit = math.log1p(lost) - math.log(classes)
        return fit + (depth + 1) / 2 * lost * scale / (1 + lost)

    # at the fold zero wins, far beyond it the simplex does; in between the excess falls
    high = 2 * _fold(classes, depth) + 1
    while excess(high) > 0:
        high *= 2
    return _root(lambda scale: -excess(scale), _fold(classes, depth), high)


def _root(rising: Callable[[float], float], low: float, high: float) -> float:
    """Where a rising function crosses 0, to the last bit."""
    while True:
        middle = (low + high) / 2
        if middle in (low, high):
            return middle
        low, high = (low, middle) if rising(middle) > 0 else (middle, high)
