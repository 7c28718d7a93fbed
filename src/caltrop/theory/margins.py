r"""Cross-entropy of logits β S in the scale β, and the scale at which it and a concave penalty are least.

$$\varphi(\beta)=f(\beta)+A\beta^p,\qquad
f(\beta)=\frac1K\sum_k\Bigl[\log\Bigl(1+\sum_{j\ne k}e^{-\beta\delta_{kj}}\Bigr)
+\frac{\varepsilon\beta}K\sum_{j\ne k}\delta_{kj}\Bigr],\qquad 0<p\le1$$

f is convex, φ is not where p < 1: 0 is then a local minimum, and where others lie is bounded. With
$q$ the softmax, $-f'=E_q\delta-\varepsilon\bar\delta$ and $0\le f''\le\delta_{\max}^2/4$, so that
$-f'(\beta)\ge(1-\varepsilon)\bar\delta-\beta\delta_{\max}^2/4$; at a local minimum $\beta f''\ge(1-p)(-f')$, hence
$\beta\ge\frac{1-p}{2-p}\cdot4(1-\varepsilon)\bar\delta/\delta_{\max}^2$. Above, f' must still be above the smallest
float. Between these φ is tabulated in even steps of log β, and the least place refined to a root of φ'.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from jaxtyping import Float64

_STEPS = 1024
_CELLS = 2048
# exp(−745.2) is the smallest float above 0
_UNDERFLOW = 745.2


@dataclass(frozen=True)
class Margins:
    """Groups of classes with the same margins: (share of the classes, ((margin δ > 0, how many other classes), …))."""

    groups: tuple[tuple[float, tuple[tuple[float, int], ...]], ...]

    @classmethod
    def same(cls, margins: tuple[tuple[float, int], ...]) -> Margins:
        """The same margins for every class."""
        return cls(((1.0, margins),))

    @property
    def num_classes(self) -> int:
        """K."""
        return 1 + sum(times for _, times in self.groups[0][1])

    @cached_property
    def least(self) -> float:
        """The smallest margin that occurs."""
        return min(margin for _, margins in self.groups for margin, times in margins if times)

    @cached_property
    def most(self) -> float:
        """The largest margin that occurs."""
        return max(margin for _, margins in self.groups for margin, times in margins if times)

    @cached_property
    def mean(self) -> float:
        r"""$\bar\delta=\frac1{K^2}\sum_{k,j}\delta_{kj}$."""
        total = sum(share * sum(margin * times for margin, times in margins) for share, margins in self.groups)
        return total / self.num_classes

    def fit(self, scale: Float64[np.ndarray, "*scales"], smoothing: float = 0.0) -> Float64[np.ndarray, "*scales"]:
        """f(β) in nats, β ≥ 0."""
        total: Float64[np.ndarray, "*scales"] = smoothing * self.mean * scale
        for share, margins in self.groups:
            total += share * np.log1p(sum(times * np.exp(-margin * scale) for margin, times in margins))
        return total

    def slope(self, scale: Float64[np.ndarray, "*scales"], smoothing: float = 0.0) -> Float64[np.ndarray, "*scales"]:
        """f'(β)."""
        total: Float64[np.ndarray, "*scales"] = np.full_like(scale, smoothing * self.mean)
        for share, margins in self.groups:
            others = [times * np.exp(-margin * scale) for margin, times in margins]
            pulled = sum(margin * other for (margin, _), other in zip(margins, others, strict=True))
            total -= share * pulled / (1 + sum(others))
        return total

    def best_scale(
        self,
        strength: Float64[np.ndarray, "cells"],
        exponent: Float64[np.ndarray, "cells"],
        smoothing: float = 0.0,
    ) -> tuple[Float64[np.ndarray, "cells"], Float64[np.ndarray, "cells"]]:
        """The β ≥ 0 of least f(β) + A βᵖ and its value, for each A > 0 and p in (0, 1]; β = 0 with the value log K."""
        pieces = [
            self._best(strength[start : start + _CELLS], exponent[start : start + _CELLS], smoothing)
            for start in range(0, len(strength), _CELLS)
        ]
        scales, values = zip(*pieces, strict=True)
        return np.concatenate(scales), np.concatenate(values)

    def _best(
        self, strength: Float64[np.ndarray, "cells"], exponent: Float64[np.ndarray, "cells"], smoothing: float
    ) -> tuple[Float64[np.ndarray, "cells"], Float64[np.ndarray, "cells"]]:
        # a straight penalty makes φ convex, with its least place anywhere above 0
        share = np.where(exponent < 1, (1 - exponent) / (2 - exponent), 0).min()
        low = max(share * 4 * (1 - smoothing) * self.mean / self.most**2, 1e-12)
        table = np.geomspace(low, _UNDERFLOW / self.least, _STEPS)
        logs = np.log(table)
        values = self.fit(table, smoothing) + strength[:, None] * np.exp(exponent[:, None] * logs)
        place = values.argmin(axis=1)
        here, left = table[place], table[np.maximum(place - 1, 0)]
        left = np.where((place == 0) & (exponent == 1), 0.0, left)
        right = table[np.minimum(place + 1, _STEPS - 1)]

        def rising(scale: Float64[np.ndarray, "cells"]) -> Float64[np.ndarray, "cells"]:
            pushed: Float64[np.ndarray, "cells"] = strength * exponent * scale ** (exponent - 1)
            pushed += self.slope(scale, smoothing)
            return pushed

        up = rising(here) > 0
        left, right = np.where(up, left, here), np.where(up, here, right)
        # brackets are within a few per cent, or reach down to 0: halving meets the next float
        for _ in range(120):
            middle = (left + right) / 2
            up = rising(middle) > 0
            left, right = np.where(up, left, middle), np.where(up, middle, right)
        scale = (left + right) / 2
        value = self.fit(scale, smoothing) + strength * scale**exponent
        nothing = math.log(self.num_classes)
        # where φ is convex its slope at 0 decides, not the rounding of its values
        downhill = (exponent < 1) | (strength < (1 - smoothing) * self.mean)
        found = downhill & (value < nothing)
        return np.where(found, scale, 0.0), np.where(found, value, nothing)
