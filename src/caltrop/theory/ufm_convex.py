r"""Unconstrained features model with any differentiable convex loss, one layer.

$$\min_{W,H,b}\ \frac1N\sum_i\ell_{y_i}(WH_i+b)+\tfrac{\lambda_W}{2}\|W\|_F^2+\tfrac{\lambda_H}{2}\|H\|_F^2$$

Balanced factors of the logits $Z$ cost $c\|Z\|_*$, $c=\sqrt{\lambda_W\lambda_H}$: the problem is convex in $Z$ and has
a dual (`duality`). Where classes are balanced and the loss treats them alike, averaging over permutations of the
classes and over the samples of each leaves an optimum $Z=(xP+y(I-P))\otimes1_n$, $P=I-11^\top/K$, of singular values
$|x|\sqrt n$ ($K-1$ times) and $|y|\sqrt n$: two numbers that minimise

$$\ell_1\bigl(\tfrac{(K-1)x+y}K,\tfrac{y-x}K,\dots,\tfrac{y-x}K\bigr)+c\sqrt n\,\bigl((K-1)|x|+|y|\bigr),$$

convex in both, by a root in x for each y and a root in y. A free bias carries y at no cost. For cross-entropy $y=0$ and
for squared error $x=y$; one against all tells with y how rare each class is. Our derivation.
"""

from __future__ import annotations

import difflib
import math
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property

import torch
from scipy.optimize import brentq

from caltrop.theory.chain import BIAS
from caltrop.theory.duality import dual_bound
from caltrop.theory.fits import BinaryCrossEntropy, CrossEntropy, Fit, PseudoHuber, SquaredError, SquaredHinge
from caltrop.theory.one_layer import OneLayer, simplex_axes
from caltrop.theory.optimum import Optimum
from caltrop.theory.predictions import collapsed_simplex
from caltrop.theory.registry import problem

LOSSES: dict[str, Fit] = {
    "binary-cross-entropy": BinaryCrossEntropy(),
    "cross-entropy": CrossEntropy(),
    "pseudo-huber": PseudoHuber(),
    "squared-error": SquaredError(),
    "squared-hinge": SquaredHinge(),
}
EPSILON = 2.0**-52
ROUNDING = 8 * EPSILON
# A logit of this size and a slope that still has its sign: no minimiser in reach.
FARTHEST = 2.0**40
# What a common part of the class means changes.
UNCENTRED = {
    "self_duality_gap",
    "head_angle_deviation",
    "minority_merge",
    "orthogonal_frame_distance",
    "head_orthogonal_frame_distance",
}


@problem("ufm-convex")
@dataclass(frozen=True, kw_only=True)
class UfmConvex(OneLayer):
    r"""One-layer unconstrained features model with any differentiable convex loss of the logits, mean over samples.

    criterion
        The loss ℓ: "binary-cross-entropy" (one against all), "cross-entropy", "pseudo-huber", "squared-error" or
        "squared-hinge", or an object with the methods of `Fit`. Further methods make more of it: those of `Conjugate`
        bounds also where gradients do not yet suit a free bias, those of `Curved` exact second derivatives; and the
        attribute `treats_classes_alike = True` promises that permuting classes and logits together changes nothing.

    The optimum is known for balanced classes, a loss that treats classes alike and dim ≥ its rank (K−1 or K, at most);
    every other case is solved and certified by `caltrop.solve`. `lower_bound` is the same number without regard to dim,
    or the dual bound of zero logits.

    Raises ValueError for an unknown name, TypeError for an object that is no fit.
    """

    criterion: str | Fit = "binary-cross-entropy"

    def __post_init__(self) -> None:
        super().__post_init__()
        given = self.criterion
        if isinstance(given, str):
            if given not in LOSSES:
                nearest = difflib.get_close_matches(given, LOSSES, n=1, cutoff=0.3)
                hint = f"did you mean {nearest[0]}?" if nearest else f"there are: {', '.join(LOSSES)}."
                raise ValueError(f"criterion={given!r} is not the name of a loss; {hint}")
        elif not isinstance(given, Fit):
            raise TypeError(
                f"criterion={given!r} is neither a name nor a loss: it needs the methods values, gradients and infimum."
            )

    @cached_property
    def fit_of(self) -> Fit:
        """The loss of one row of logits."""
        return LOSSES[self.criterion] if isinstance(self.criterion, str) else self.criterion

    @cached_property
    def levels(self) -> tuple[float, float] | None:
        """(x, y) of the optimal class logits xP + y(I − P); None where counts differ, or classes do for the loss.

        With a bias y is its part in the logits: each class has the bias y/K.
        """
        if not self.is_balanced or not getattr(self.fit_of, "treats_classes_alike", False):
            return None
        return _Levels(
            self.fit_of, self.num_classes, self.coupling * math.sqrt(self.class_counts[0]), self.bias
        ).found()

    @property
    def optimal_value(self) -> float | None:
        """The infimum of the loss; None for unequal counts, too small a width, or a loss too little is known of."""
        return None if self._optimum is None else self._optimum.value

    @cached_property
    def lower_bound(self) -> float:
        """The optimal value at a width without limits where it is known, else the dual bound of zero logits."""
        if self.levels is not None:
            return self._value(*self.levels)
        return dual_bound(self.class_means, torch.zeros(self.num_classes, self.num_classes, dtype=torch.float64))

    def optimum(self) -> Optimum | None:
        """A global optimum (others differ by rotations of the features); None where no closed form is known."""
        return self._optimum

    @cached_property
    def _optimum(self) -> Optimum | None:
        if self.levels is None:
            return None
        x, y = self.levels
        common = 0.0 if self.bias else y
        rank = (self.num_classes - 1) * (x != 0) + (common != 0)
        if rank > self.dim:
            return None
        ones = torch.full((self.num_classes, 1), self.num_classes**-0.5, dtype=torch.float64)
        axes = [simplex_axes(self.num_classes)] * (x != 0) + [ones] * (common != 0)
        sizes = [x] * ((self.num_classes - 1) * (x != 0)) + [common] * (common != 0)
        strengths = torch.tensor(sizes, dtype=torch.float64)
        right = torch.cat(axes, dim=1) if axes else torch.zeros(self.num_classes, 0, dtype=torch.float64)
        size = math.sqrt(self.class_counts[0])
        params = self.lift(self.split(right * strengths.sign() / size, strengths.abs() * size, right))
        if self.bias:
            params[BIAS] = torch.full((self.num_classes,), y / self.num_classes, dtype=torch.float64)
        return Optimum(
            value=self._value(x, y),
            params=params,
            features=params["features"],
            weights=params["weights"],
            rank=rank,
            is_zero=rank == 0,
            predictions=self._predictions(x, common),
            bias=params.get(BIAS),
            labels=self.labels,
        )

    def _value(self, x: float, y: float) -> float:
        own, other = _row(self.num_classes, x, y)
        logits = torch.full((1, self.num_classes), other, dtype=torch.float64)
        logits[0, 0] = own
        fit = float(self.fit_of.values(logits, torch.zeros(1, dtype=torch.int64)))
        paid = (self.num_classes - 1) * abs(x) + (0.0 if self.bias else abs(y))
        return fit + self.coupling * math.sqrt(self.class_counts[0]) * paid

    def _predictions(self, x: float, common: float) -> dict[str, float]:
        if x <= 0:
            return {}
        found = collapsed_simplex(self.num_classes)
        return {name: value for name, value in found.items() if common == 0 or name not in UNCENTRED}


@dataclass(frozen=True)
class _Levels:
    """The two-variable problem: slopes of the fit in x and y, and what each costs."""

    fit: Fit
    num_classes: int
    cost: float
    free: bool

    def found(self) -> tuple[float, float] | None:
        """The minimiser; None where none is in reach."""
        level = _minimiser(self._slope_of_y, 0.0 if self.free else self.cost)
        if level is None:
            return None
        x = self._x(level)
        return None if x is None else (x, level)

    def _x(self, y: float) -> float | None:
        return _minimiser(lambda x: self._slopes(x, y)[0], (self.num_classes - 1) * self.cost)

    def _slope_of_y(self, y: float) -> float:
        x = self._x(y)
        return math.nan if x is None else self._slopes(x, y)[1]

    def _slopes(self, x: float, y: float) -> tuple[float, float]:
        own, other = _row(self.num_classes, x, y)
        logits = torch.full((1, self.num_classes), other, dtype=torch.float64)
        logits[0, 0] = own
        slopes = self.fit.gradients(logits, torch.zeros(1, dtype=torch.int64))[0]
        first, rest = float(slopes[0]), float(slopes[1:].sum())
        others = self.num_classes - 1
        return (others * first - rest) / self.num_classes, (first + rest) / self.num_classes


def _row(num_classes: int, x: float, y: float) -> tuple[float, float]:
    """The logits of the own class and of each other one."""
    return ((num_classes - 1) * x + y) / num_classes, (y - x) / num_classes


def _minimiser(slope: Callable[[float], float], cost: float) -> float | None:
    """Where a convex function of this slope, plus cost·|t|, is least; None where its slope keeps its sign."""
    start = slope(0.0)
    # a slope that is 0 but for its rounding does not start a search
    if abs(start) <= max(cost, ROUNDING):
        return 0.0
    side = -math.copysign(1.0, start)
    last, size = 0.0, 1.0
    while not side * slope(side * size) + cost >= 0:
        last, size = size, 2 * size
        if size > FARTHEST:
            return None
    root: float = brentq(lambda t: side * slope(side * t) + cost, last, size, xtol=1e-300, rtol=4 * EPSILON)
    return side * root
