r"""Deep unconstrained features model with cross-entropy, linear or with ReLU.

$$\min_{W_1\dots W_L,H,b}\ \frac1N\sum_i\mathrm{CE}(z_i,y_i)+\sum_l\tfrac{\lambda_l}2\|W_l\|_F^2
+\tfrac{\lambda_H}2\|H\|_F^2,\qquad Z=W_L\cdots W_1H+b$$

Without ReLU the penalties are at least $\frac{L+1}2c\sum_i\sigma_i(Z)^p$, $p=2/(L+1)$,
$c=(\lambda_H\prod_l\lambda_l)^{1/(L+1)}$, with equality where all factors have the singular values of Z, spread evenly.
Along a shape of logits, $\bar Z=\beta S$ for class means, one variable is left: fit plus
$\frac{L+1}2\tilde c\,\kappa\,\beta^p$, with $\tilde c=cn^{1/(L+1)}$ and $\kappa=\sum_is_i^p$ (`logit_families`). What
favours low rank is that p < 1.

**With ReLU** a shape costs more. Where every row of S sums to 0 and S has no entry below −τ, take
$H_l\propto S+\tau11^\top$, which ReLU leaves alone, hidden matrices that are the identity on its range (norm² r+1), and
the projection on the range of S as head (norm² r); the first two factors share the nuclear norm
$\nu=\sum_is_i+K\tau$. Then $\kappa=(\nu^2(r+1)^{L-2}r)^{1/(L+1)}$; of parts without a common class κ is the sum. For
even pairs this is the construction of garrod2025persistence; the others are ours, and all are upper bounds.

**Lower bound.** With or without ReLU $\|Z\|_*\le\prod\|\cdot\|_F$, because ReLU shrinks; so by the inequality of means
the penalties are at least $\frac{L+1}2c\|Z\|_*^p$. Averaging Z over permutations of the classes, and over the samples
of each, raises neither the nuclear norm nor the convex fit and, balanced, leaves $aI+b11^\top$, whose fit is that of
$a(I-11^\top/K)$ and whose nuclear norm is no smaller; a < 0 fits no better than zero. So the bound is the scalar
problem above with $\kappa=(K-1)^p$. A bias becomes constant. For two classes without ReLU the simplex attains it.
Where its least point is at 0, zero is optimal.

With unequal counts the one-layer model bounds the fit: with B(μ) its lower bound at coupling μ, the fit is at least
$B(\mu)-\mu s$ at the nuclear norm s. Between two s, this line and the concave bound of the penalties together are least
at an end. So for each interval the best μ bounds the loss, and the least of the intervals all of them; beyond the last
s the loss is at least the least fit and the penalties of that s. The line that touches the penalties at s has
$\mu=cs^{p-1}$. The first s is where B is the loss of zero, the last where that last bound is log K.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import ClassVar

import numpy as np
import torch

from caltrop.theory.deep import DeepUnconstrained
from caltrop.theory.fits import CrossEntropy
from caltrop.theory.logit_factors import linear_cost, linear_factors, rectified_cost, rectified_factors
from caltrop.theory.logit_families import LogitShape, logit_shape, logit_shapes, simplex
from caltrop.theory.optimum import Optimum
from caltrop.theory.registry import problem
from caltrop.theory.shape_predictions import shape_predictions
from caltrop.theory.thresholds import CollapseThresholds, collapse_thresholds
from caltrop.theory.ufm_cross_entropy import UfmCrossEntropy, smoothing_share

_INTERVALS = 256


@problem("deep-ufm-cross-entropy")
@dataclass(frozen=True, kw_only=True)
class DeepUfmCrossEntropy(DeepUnconstrained):
    r"""Deep unconstrained features model with cross-entropy (nats, mean over samples). See the module for formulas.

    relu
        Whether ReLU stands before every matrix but the first.
    label_smoothing
        ε in [0, 1).

    The global optimum is known at depth 1 (that of `UfmCrossEntropy`), for two classes without ReLU, and where it is
    zero; otherwise `optimum()` and `optimal_value` are None, and `families()` are upper bounds. With a bias the
    families are the points where it is 0.
    """

    family_names: ClassVar[tuple[str, ...]] = ("simplex", "pairs", "polygon", "hypercube")
    relu: bool = False
    label_smoothing: float = 0.0

    def __post_init__(self) -> None:
        super().__post_init__()
        object.__setattr__(self, "relu", bool(self.relu))
        object.__setattr__(self, "label_smoothing", smoothing_share(self.label_smoothing))

    @property
    def fit_of(self) -> CrossEntropy:
        """Cross-entropy against the smoothed targets."""
        return CrossEntropy(self.label_smoothing)

    @property
    def optimal_value(self) -> float | None:
        """The infimum of the loss where it is known (see the class), else None."""
        if self.depth == 1:
            return self._one_layer().optimal_value
        if self.is_balanced and (self._is_binary or self._bound[0] == 0):
            return self._bound[1]
        return None

    @property
    def lower_bound(self) -> float:
        """A number that no loss lies below: the optimal value where it is known, else see the module."""
        if self.depth == 1:
            return self._one_layer().lower_bound
        return self._bound[1] if self.is_balanced else self._bound_of_any_counts

    @property
    def linear_simplex_value(self) -> float | None:
        """The least loss of simplex logits (DNC) without ReLU, in any width; None for unequal counts.

        With ReLU it is a lower bound of all points with simplex logits.
        """
        if not self.is_balanced:
            return None
        shape = simplex(self.num_classes)
        return self._scaled(shape, linear_cost(shape, self.depth))[1]

    @property
    def thresholds(self) -> CollapseThresholds | None:
        """Of `class_coupling`: where linear DNC exists, beats zero, is stable; None where not known.

        Known for equal counts, without ReLU and without label smoothing.
        """
        if self._rectified or not self.is_balanced or self.label_smoothing > 0:
            return None
        return collapse_thresholds(self.num_classes, self.depth)

    def optimum(self) -> Optimum | None:
        """A global optimum (others differ by rotations) where it is known, else None."""
        if self.depth == 1:
            return self._one_layer().optimum()
        if self.optimal_value is None:
            return None
        return self._point(simplex(self.num_classes), *self._bound)

    def families(self) -> Mapping[str, Optimum]:
        """Every shape of logits that fits into the width, at its best scale, which may be 0; none for unequal counts.

        Their values are upper bounds; without ReLU those with equal singular values are stationary points.
        """
        return {shape.name: self._point(shape, *self._best(shape)) for shape in self._shapes()}

    def family_values(self) -> Mapping[str, float]:
        """The losses of `families()`, without building their parameters."""
        return {shape.name: self._best(shape)[1] for shape in self._shapes()}

    def family(self, name: str) -> Optimum:
        """One of the families.

        Raises:
            KeyError: no family has that name.
            ValueError: it does not exist for these sizes; the message says what it needs.
        """
        shape = logit_shape(name, self.num_classes)
        if not self.is_balanced:
            raise ValueError(f"there is no {name} of {self}: it needs the same number of samples in every class.")
        if self._needed(shape) > self.dim:
            raise ValueError(f"there is no {name} of {self}: it needs dim ≥ {self._needed(shape)}, not {self.dim}.")
        return self._point(shape, *self._best(shape))

    @property
    def _rectified(self) -> bool:
        # ReLU is not applied to the free features
        return self.relu and self.depth > 1

    @property
    def _is_binary(self) -> bool:
        return self.num_classes == 2 and not self._rectified

    @cached_property
    def _bound(self) -> tuple[float, float]:
        """Scale and value of the balanced lower bound."""
        exponent = 2 / (self.depth + 1)
        return self._scaled(simplex(self.num_classes), (self.num_classes - 1.0) ** exponent)

    def _scaled(self, shape: LogitShape, cost: float) -> tuple[float, float]:
        strength = np.array([(self.depth + 1) / 2 * self.class_coupling * cost])
        exponent = np.array([2 / (self.depth + 1)])
        scale, value = shape.margins.best_scale(strength, exponent, self.label_smoothing)
        return float(scale[0]), float(value[0])

    def _needed(self, shape: LogitShape) -> int:
        return self.num_classes if self._rectified else shape.rank

    def _shapes(self) -> list[LogitShape]:
        shapes = logit_shapes(self.num_classes) if self.is_balanced else ()
        return [shape for shape in shapes if self._needed(shape) <= self.dim]

    def _best(self, shape: LogitShape) -> tuple[float, float]:
        """The best scale of a shape, and its value."""
        cost = rectified_cost(shape, self.depth) if self._rectified else linear_cost(shape, self.depth)
        scale, value = self._scaled(shape, cost)
        # where it attains the bound the last digit must not put it below
        return scale, max(value, self.lower_bound)

    def _point(self, shape: LogitShape, scale: float, value: float) -> Optimum:
        chain = self.class_means
        params = {name: torch.zeros(size, dtype=torch.float64) for name, size in chain.shapes.items()}
        if scale > 0:
            build = rectified_factors if self._rectified else linear_factors
            params |= build(shape, scale, chain, self.class_coupling)
        params = self.lift(params)
        return Optimum(
            value=value,
            params=params,
            features=self.features(params),
            weights=params["weights"],
            rank=shape.rank if scale > 0 else 0,
            is_zero=scale == 0,
            predictions=shape_predictions(shape, lifted=self._rectified) if scale > 0 else {},
            bias=params.get("bias"),
            labels=self.labels,
        )

    def _one_layer(self, coupling: float | None = None) -> UfmCrossEntropy:
        """The model of depth 1 with the same decays, or with this coupling."""
        feature_decay, weight_decay = self._decays()[:2] if coupling is None else (coupling, coupling)
        return UfmCrossEntropy(
            num_classes=self.num_classes,
            dim=self.dim,
            weight_decay=weight_decay,
            feature_decay=feature_decay,
            per_class=self.per_class,
            counts=self.counts,
            bias=self.bias,
            label_smoothing=self.label_smoothing,
        )

    @cached_property
    def _bound_of_any_counts(self) -> float:
        power, coupling, log_coupling = 2 / (self.depth + 1), self.coupling, math.log(self.coupling)
        least = self.fit_of.infimum(self.num_classes)
        # from this coupling on the one-layer bound is the loss of zero
        steepest = (1 - self.label_smoothing) * math.sqrt(max(self.class_counts)) / self.num_samples
        first = (log_coupling - math.log(steepest)) / (1 - power)
        last = (math.log((math.log(self.num_classes) - least) * power) - log_coupling) / power
        # outside of this exp leaves the floats
        places = np.linspace(min(first, last), last, _INTERVALS).clip(-600, 600)
        # every slope gives a bound, this one the best
        slopes = np.exp((log_coupling + (power - 1) * places).clip(-690, 690))
        fits = np.array([self._one_layer(float(slope)).lower_bound for slope in slopes])
        norms = np.concatenate([[0.0], np.exp(places)])
        penalties = coupling / power * norms**power
        ends = fits[:, None] - slopes[:, None] * norms + penalties
        inside = np.minimum(ends[:, :-1], ends[:, 1:]).max(axis=0).min()
        return max(least, min(float(inside), least + float(penalties[-1])))
