r"""One-layer models along an imbalance ratio: where small classes merge, each point with its certificate.

Among $r\ge2$ classes of m samples each, let $\gamma$ be how much less the slope of a sample in its own logit is than
in another of them, where these logits are equal: 1 for cross-entropy ($1-\varepsilon$ smoothed), squared error and one
against all. The convex problem (`nuclear`) has an optimum that permutations of these classes leave alone. In the space
of differences between them it is $\alpha$ times the identity, for rows and columns alike (Schur), and so is the
gradient; the nuclear norm splits off $(r-1)\sqrt m|\alpha|$. At $\alpha=0$ the gradient is $-\gamma\sqrt m/N$ times the
identity, which the subdifferential, $c[-1,1]$ times it, cancels exactly if it is no larger. So equal classes merge,
head rows, features and all, where

$$\gamma\sqrt m\le Nc,\qquad c=\sqrt{\lambda_W\lambda_H},$$

whatever the other classes are, with a bias or without. For classes of unequal counts there is no such statement; they
lose directions one by one. fang2021layer describes the collapse of minority classes, with penalties that weigh all
classes' features alike (ours weigh samples); the threshold is our derivation.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from jaxtyping import Float64
from torch import Tensor

from caltrop import measures
from caltrop.solve.nuclear import NuclearSolution, solve_nuclear
from caltrop.stats import Head
from caltrop.theory import Params, UfmConvex
from caltrop.theory.chain import WEIGHTS
from caltrop.theory.fits import Fit
from caltrop.theory.unconstrained import number, whole

PROFILES = ("step", "long-tailed")
# Head rows nearer than this share of the longest are equal.
EQUAL = 1e-6


@dataclass(frozen=True, eq=False)
class ImbalancePoint:
    """The optimum at one ratio.

    `ratio` is that of `counts`, largest to smallest, which are whole numbers; `minority_merge` the largest cosine
    between head rows, NaN where `reason` says so; `merged` the classes whose head rows equal that of another class,
    rows of 0 included; `rank` that of the logits.
    """

    counts: tuple[int, ...]
    value: float
    lower_bound: float
    rank: int
    strengths: Float64[Tensor, "_"]
    minority_merge: float
    reason: str
    merged: tuple[int, ...]
    params: Params

    @property
    def ratio(self) -> float:
        """Largest count over smallest."""
        return max(self.counts) / min(self.counts)

    @property
    def relative_gap(self) -> float:
        """How far from optimal the point is at most, as a share of its value."""
        return (self.value - self.lower_bound) / self.value

    def as_dict(self) -> dict[str, Any]:
        """Plain numbers, without parameters; NaN is None."""
        return {
            "ratio": self.ratio,
            "counts": list(self.counts),
            "value": self.value,
            "lower_bound": self.lower_bound,
            "relative_gap": self.relative_gap,
            "rank": self.rank,
            "strengths": self.strengths.tolist(),
            "minority_merge": None if math.isnan(self.minority_merge) else self.minority_merge,
            "reason": self.reason,
            "merged": list(self.merged),
        }


@dataclass(frozen=True, kw_only=True)
class Imbalance:
    """A family of one-layer problems along a ratio of class counts.

    num_classes, dim, weight_decay, feature_decay, bias, criterion
        As in `UfmConvex`; cross-entropy unless said otherwise.
    profile
        "step": `minority` classes, the last ones, have `largest`/ratio samples and the others `largest`.
        "long-tailed": class k has largest·ratio^(−k/(K−1)). Counts are rounded to whole numbers of at least 1.
    largest
        Samples of the largest classes; it bounds the ratio.
    minority
        How many classes are small, half of them by default; of the profile "step" only.
    """

    num_classes: int
    dim: int
    weight_decay: int | float
    feature_decay: int | float
    bias: bool = False
    criterion: str | Fit = "cross-entropy"
    profile: str = "step"
    largest: int = 1000
    minority: int | None = None

    def __post_init__(self) -> None:
        if self.profile not in PROFILES:
            raise ValueError(f"profile={self.profile!r} is not one of {', '.join(PROFILES)}.")
        whole("largest", self.largest, 1, "every class needs a sample")
        if self.minority is not None:
            whole("minority", self.minority, 1, "some classes must be small")
            if self.minority >= self.num_classes:
                raise ValueError(f"minority={self.minority} leaves no large class of num_classes={self.num_classes}.")
        self.problem(1.0)

    def counts(self, ratio: int | float) -> tuple[int, ...]:
        """Samples of each class; ValueError for a ratio below 1 or above `largest`."""
        if not 1 <= number(ratio) <= self.largest:
            raise ValueError(
                f"ratio={ratio!r} must lie between 1 and largest={self.largest}: a class has a sample at least."
            )
        last = self.num_classes - 1
        if self.profile == "long-tailed":
            return tuple(max(1, round(self.largest * ratio ** (-k / last))) for k in range(self.num_classes))
        few = self.num_classes // 2 if self.minority is None else self.minority
        return (self.largest,) * (self.num_classes - few) + (max(1, round(self.largest / ratio)),) * few

    def problem(self, ratio: int | float) -> UfmConvex:
        """The problem at a ratio."""
        return self._problem(self.counts(ratio))

    def solved(self, ratio: int | float, *, tol: float = 1e-12, start: Params | None = None) -> ImbalancePoint:
        """The optimum at a ratio, certified; see `solve_nuclear` for `tol` and `start`."""
        problem = self.problem(ratio)
        return _point(problem, solve_nuclear(problem, tol, start=start))

    def _problem(self, counts: tuple[int, ...]) -> UfmConvex:
        return UfmConvex(
            num_classes=self.num_classes,
            dim=self.dim,
            weight_decay=self.weight_decay,
            feature_decay=self.feature_decay,
            counts=counts,
            bias=self.bias,
            criterion=self.criterion,
        )


@dataclass(frozen=True, eq=False)
class ImbalanceCurve:
    """Optima along the ratio, in the order asked for, and where merging begins.

    `last_apart` and `first_merged` are neighbouring points, between which classes that were apart have merged: no
    whole counts of the profile lie between them. None where nothing merges up to the largest ratio asked for, or where
    classes are merged at a ratio of 1 already.
    """

    family: Imbalance
    points: tuple[ImbalancePoint, ...]
    last_apart: ImbalancePoint | None = None
    first_merged: ImbalancePoint | None = None


def imbalance_curve(
    num_classes: int,
    dim: int,
    *,
    weight_decay: int | float,
    feature_decay: int | float,
    ratios: Sequence[int | float],
    profile: str = "step",
    largest: int = 1000,
    minority: int | None = None,
    bias: bool = False,
    criterion: str | Fit = "cross-entropy",
    tol: float = 1e-12,
) -> ImbalanceCurve:
    """Certified optima along imbalance ratios, and the ratio at which classes merge, bisected.

    Arguments are those of `Imbalance`; the search assumes that what has merged stays merged as the ratio grows, and
    ends at neighbouring whole counts.

    Raises ValueError for ratios below 1 or above `largest`, an unknown profile, and impossible sizes or penalties.
    """
    family = Imbalance(
        num_classes=num_classes,
        dim=dim,
        weight_decay=weight_decay,
        feature_decay=feature_decay,
        bias=bias,
        criterion=criterion,
        profile=profile,
        largest=largest,
        minority=minority,
    )
    points: list[ImbalancePoint] = []
    for ratio in ratios:
        points.append(family.solved(ratio, tol=tol, start=points[-1].params if points else None))
    low, high = family.solved(1.0, tol=tol), family.solved(max([1.0, *ratios]), tol=tol)
    if low.merged or not high.merged:
        return ImbalanceCurve(family, tuple(points))
    near, far = 1.0, max(ratios)
    while True:
        middle = math.sqrt(near * far)
        if not near < middle < far:
            break
        counts = family.counts(middle)
        if counts == low.counts:
            near = middle
            continue
        if counts == high.counts:
            far = middle
            continue
        found = family.solved(middle, tol=tol)
        if found.merged:
            far, high = middle, found
        else:
            near, low = middle, found
    return ImbalanceCurve(family, tuple(points), low, high)


def merging_count(
    num_samples: int, weight_decay: int | float, feature_decay: int | float, smoothing: float = 0.0
) -> float:
    r"""Equal classes of at most so many of the N samples each merge: $(Nc/(1-\varepsilon))^2$ (see the module).

    For cross-entropy with smoothing ε, and without it for squared error and one against all.
    """
    coupling = math.sqrt(weight_decay) * math.sqrt(feature_decay)
    return (num_samples * coupling / (1 - smoothing)) ** 2


def _point(problem: UfmConvex, found: NuclearSolution) -> ImbalancePoint:
    weights = found.params[WEIGHTS]
    seen = measures.get("minority_merge").evaluate((Head.of(weights),))
    near = (weights[:, None] - weights).norm(dim=-1) <= EQUAL * weights.norm(dim=1).max()
    return ImbalancePoint(
        counts=problem.class_counts,
        value=found.value,
        lower_bound=found.lower_bound,
        rank=found.rank,
        strengths=found.strengths,
        minority_merge=seen.value,
        reason=seen.reason or "",
        merged=tuple((near.sum(dim=1) > 1).nonzero().flatten().tolist()),
        params=found.params,
    )
