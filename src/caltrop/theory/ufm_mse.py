r"""Unconstrained features model with squared error, one layer.

$$\min_{W,H,b}\ \tfrac{1}{2N}\|HW^\top+1b^\top-Y\|_F^2+\tfrac{\lambda_W}{2}\|W\|_F^2+\tfrac{\lambda_H}{2}\|H\|_F^2$$

With $Z=HW^\top$ the penalties are at least $c\|Z\|_*$, $c=\sqrt{\lambda_W\lambda_H}$, with equality when balanced. A
free bias takes the mean of what is left; centring, $P=I-11^\top/N$, leaves $\|P(Z-Y)\|$, and $PZ$ costs no more than
$Z$: with a bias replace $Y$ by $PY$. By von Neumann, $\|Z-Y\|_F^2\ge\sum_i(\sigma_i(Z)-\sigma_i(Y))^2$, with
equality for common singular vectors, so the problem falls apart into one for each singular value: soft-thresholded by
$Nc$, and in $d$ dimensions only the $d$ largest can be kept. One-hot $Y$ has $\sigma=\sqrt{n_k}$, balanced $PY$ has
$K-1$ times $\sqrt n$. Sources: tirer2022extended, zhu2021geometric (free bias); fewer dimensions: our derivation.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from jaxtyping import Float64
from torch import Tensor

from caltrop.theory.fits import SquaredError
from caltrop.theory.one_layer import OneLayer, simplex_axes
from caltrop.theory.optimum import Optimum, Params
from caltrop.theory.predictions import NO_SPREAD, collapsed_frame, collapsed_simplex, flat_frame, flat_simplex
from caltrop.theory.registry import problem


@problem("ufm-mse")
@dataclass(frozen=True, kw_only=True)
class UfmMse(OneLayer):
    r"""One-layer unconstrained features model with squared error against one-hot targets, 1/(2N) of the sum.

    Balanced, no bias, dim ≥ K: value $K(c\sqrt n-Nc^2/2)$ where $c<1/(K\sqrt n)$, else $1/2$ (zero); class means are an
    orthogonal frame. With a bias, dim ≥ K−1: $(K-1)(c\sqrt n-Nc^2/2)$, else $(1-1/K)/2$; class means are a simplex.
    In fewer dimensions, d of these directions are kept, any of them, and each of the others costs $1/(2K)$.

    Unequal counts, no bias: class means stay orthogonal, and the d largest classes that reach $\sqrt{n_k}>Nc$ are told
    apart. With a bias the directions are the singular vectors of the centred targets.
    """

    @property
    def fit_of(self) -> SquaredError:
        """Half the squared distance to the one-hot target."""
        return SquaredError()

    @property
    def strength(self) -> float | None:
        """The class logits along each direction kept, 1 − Kc√n or 0; None for unequal counts, where they differ."""
        if not self.is_balanced:
            return None
        return max(0.0, 1 - self.num_classes * self.coupling * math.sqrt(self.class_counts[0]))

    @property
    def strengths(self) -> Float64[Tensor, "kept"]:
        """Singular values of the logits of all samples, largest first, as many as there are directions and room."""
        return (self._spectrum[: self._kept] - self.num_samples * self.coupling).clamp(min=0)

    @property
    def optimal_value(self) -> float:
        r"""The infimum of the loss.

        Of the singular values σ of the targets (see the module) each of the d largest costs $c\sigma-Nc^2/2$, or
        $\sigma^2/(2N)$ below the threshold $Nc$ as all others do.
        """
        strength = self.strength
        if strength is not None:
            return self._value(strength)
        spectrum, edge = self._spectrum, self.num_samples * self.coupling
        lost = spectrum.square() / (2 * self.num_samples)
        kept = torch.where(spectrum > edge, self.coupling * (spectrum - edge / 2), lost)
        return float(kept[: self.dim].sum() + lost[self.dim :].sum())

    @property
    def lower_bound(self) -> float:
        """The optimal value."""
        return self.optimal_value

    def optimum(self) -> Optimum:
        """A global optimum.

        Others differ by rotations of the features and, with fewer dimensions than directions that are equally strong,
        by which are kept: without a bias here the largest of the classes, and the first of the equally large.
        """
        balanced = self.strength is not None
        params = self._equal_factors() if balanced else self._unequal_factors()
        if self.bias:
            # balanced: exactly 1/K
            params["bias"] = torch.tensor(self.class_counts, dtype=torch.float64) / self.num_samples
        kept = self.strengths
        rank = int((kept > 0).sum()) if not balanced else (self._kept if self.strength else 0)
        return Optimum(
            value=self.optimal_value,
            params=params,
            features=params["features"],
            weights=params["weights"],
            rank=rank,
            is_zero=rank == 0,
            predictions=self._predictions(rank) if rank > 0 else {},
            bias=params.get("bias"),
            labels=self.labels,
        )

    def _equal_factors(self) -> Params:
        axes = simplex_axes(self.num_classes) if self.bias else torch.eye(self.num_classes, dtype=torch.float64)
        strength = torch.full((self._kept,), self.strength or 0.0, dtype=torch.float64)
        return self.factors(strength, axes[:, : self._kept])

    def _unequal_factors(self) -> Params:
        counts = torch.tensor(self.class_counts, dtype=torch.float64)
        if self.bias:
            left, _, right = torch.linalg.svd(self._centred_targets)
            rows, columns = left[:, : self._kept] / counts.sqrt()[:, None], right[: self._kept].T
        else:
            largest = counts.argsort(descending=True, stable=True)[: self._kept]
            columns = torch.eye(self.num_classes, dtype=torch.float64)[:, largest]
            rows = columns / counts.sqrt()[:, None]
        return self.lift(self.split(rows, self.strengths, columns))

    @property
    def _directions(self) -> int:
        return self.num_classes - 1 if self.bias else self.num_classes

    @property
    def _kept(self) -> int:
        return min(self.dim, self._directions)

    @property
    def _centred_targets(self) -> Float64[Tensor, "classes classes"]:
        """PY with the n_k equal rows of a class as one, √n_k times: the same right vectors and singular values."""
        counts = torch.tensor(self.class_counts, dtype=torch.float64)
        return counts.sqrt()[:, None] * (torch.eye(self.num_classes, dtype=torch.float64) - counts / self.num_samples)

    @property
    def _spectrum(self) -> Float64[Tensor, "directions"]:
        """Singular values of the targets, centred where there is a bias, the largest first."""
        if not self.bias:
            return torch.tensor(self.class_counts, dtype=torch.float64).sort(descending=True).values.sqrt()
        # one more is 0, that of the vector of ones
        found: Tensor = torch.linalg.svdvals(self._centred_targets)[: self._directions]
        return found

    def _value(self, strength: float) -> float:
        # per direction: fit (1 − s)²/(2K), penalty c√n s
        lost = (1 - strength) ** 2 / (2 * self.num_classes)
        kept = self._kept * (lost + self.coupling * math.sqrt(self.class_counts[0]) * strength)
        return kept + (self._directions - self._kept) / (2 * self.num_classes)

    def _predictions(self, rank: int) -> dict[str, float]:
        if not self.is_balanced:
            return self._unequal_predictions(rank)
        if self._kept == self._directions:
            return (collapsed_simplex if self.bias else collapsed_frame)(self.num_classes)
        return (flat_simplex if self.bias else flat_frame)(self.num_classes, self._kept)

    def _unequal_predictions(self, rank: int) -> dict[str, float]:
        counts = torch.tensor(self.class_counts, dtype=torch.float64)
        found = {**NO_SPREAD, "means_rank": float(min(rank, self.num_classes - 1))}
        if self.bias:
            # features are centred over samples, so that the bias alone is left
            return found | {"bias_collapse": float((counts / self.num_samples).std(correction=0))}
        own = (counts.sqrt() - self.num_samples * self.coupling).clamp(min=0)
        if rank < self.num_classes:
            return found
        # orthogonal rows of the squared norms s_k √(λ_H/λ_W); class k's logit is s_k/√n_k, of which the mean has n_k/N
        norms, centre = own.sqrt(), own * counts.sqrt() / self.num_samples
        return found | {
            "head_norm_deviation": float(norms.std(correction=0) / norms.mean()),
            "bias_collapse": float(centre.std(correction=0)),
            "accuracy": 1.0,
            "nearest_centre_accuracy": 1.0,
            "nearest_centre_disagreement": 0.0,
            "minority_merge": 0.0,
        }
