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
from caltrop.theory.optimum import Optimum
from caltrop.theory.predictions import collapsed_frame, collapsed_simplex, flat_frame, flat_simplex
from caltrop.theory.registry import problem


@problem("ufm-mse")
@dataclass(frozen=True, kw_only=True)
class UfmMse(OneLayer):
    r"""One-layer unconstrained features model with squared error against one-hot targets, 1/(2N) of the sum.

    Balanced, no bias, dim ≥ K: value $K(c\sqrt n-Nc^2/2)$ where $c<1/(K\sqrt n)$, else $1/2$ (zero); class means are an
    orthogonal frame. With a bias, dim ≥ K−1: $(K-1)(c\sqrt n-Nc^2/2)$, else $(1-1/K)/2$; class means are a simplex.
    In fewer dimensions, d of these directions are kept, any of them, and each of the others costs $1/(2K)$.

    With unequal counts `optimum()` and `optimal_value` are None.
    """

    @property
    def fit_of(self) -> SquaredError:
        """Half the squared distance to the one-hot target."""
        return SquaredError()

    @property
    def strength(self) -> float | None:
        """The class logits along each direction kept, 1 − Kc√n or 0; None for unequal counts."""
        if not self.is_balanced:
            return None
        return max(0.0, 1 - self.num_classes * self.coupling * math.sqrt(self.class_counts[0]))

    @property
    def optimal_value(self) -> float | None:
        """The infimum of the loss; None for unequal counts."""
        strength = self.strength
        return None if strength is None else self._value(strength)

    @property
    def lower_bound(self) -> float:
        r"""The optimal value where it is stated, else the sum over singular values σ of the targets (see the module).

        Each of the d largest costs $c\sigma-Nc^2/2$, or $\sigma^2/(2N)$ below the threshold $Nc$ as all others do.
        """
        value = self.optimal_value
        if value is not None:
            return value
        spectrum, edge = self._spectrum, self.num_samples * self.coupling
        lost = spectrum.square() / (2 * self.num_samples)
        kept = torch.where(spectrum > edge, self.coupling * (spectrum - edge / 2), lost)
        return float(kept[: self.dim].sum() + lost[self.dim :].sum())

    def optimum(self) -> Optimum | None:
        """A global optimum; None for unequal counts.

        Others differ by rotations of the features and, with fewer dimensions than directions, by which are kept:
        without a bias here the first classes are told apart and the others given up.
        """
        strength = self.strength
        if strength is None:
            return None
        axes = simplex_axes(self.num_classes) if self.bias else torch.eye(self.num_classes, dtype=torch.float64)
        kept = axes[:, : self._kept]
        params = self.factors(torch.full((self._kept,), strength, dtype=torch.float64), kept)
        if self.bias:
            params["bias"] = torch.full((self.num_classes,), 1 / self.num_classes, dtype=torch.float64)
        return Optimum(
            value=self._value(strength),
            params=params,
            features=params["features"],
            weights=params["weights"],
            rank=self._kept if strength > 0 else 0,
            is_zero=strength == 0,
            predictions=self._predictions() if strength > 0 else {},
            bias=params.get("bias"),
            labels=self.labels,
        )

    @property
    def _directions(self) -> int:
        return self.num_classes - 1 if self.bias else self.num_classes

    @property
    def _kept(self) -> int:
        return min(self.dim, self._directions)

    @property
    def _spectrum(self) -> Float64[Tensor, "directions"]:
        """Singular values of the targets, centred where there is a bias, the largest first."""
        counts = torch.tensor(self.class_counts, dtype=torch.float64)
        if not self.bias:
            return counts.sort(descending=True).values.sqrt()
        squares = torch.linalg.eigvalsh(torch.diag(counts) - counts[:, None] * counts / self.num_samples)
        # one eigenvalue is 0, of the vector of ones: a rounding below it has no root
        values: Tensor = squares.flip(0)[: self._directions].clamp(min=0).sqrt()
        return values

    def _value(self, strength: float) -> float:
        # per direction: fit (1 − s)²/(2K), penalty c√n s
        lost = (1 - strength) ** 2 / (2 * self.num_classes)
        kept = self._kept * (lost + self.coupling * math.sqrt(self.class_counts[0]) * strength)
        return kept + (self._directions - self._kept) / (2 * self.num_classes)

    def _predictions(self) -> dict[str, float]:
        if self._kept == self._directions:
            return (collapsed_simplex if self.bias else collapsed_frame)(self.num_classes)
        return (flat_simplex if self.bias else flat_frame)(self.num_classes, self._kept)
