r"""One number against a target of 1 under a concave power: what points with equal singular values come down to.

$$\min_{x\ge0}\ \tfrac12(1-x)^2+\tfrac{L+1}2\,\kappa\,x^{2/(L+1)}$$

is the squared error of one direction whose scale $x$ is a product of $L+1$ balanced factors. Stationary points have
$x^{(L-1)/(L+1)}(1-x)=\kappa$; the left side rises from 0 to its maximum at $x=(L-1)/(2L)$ and falls to 0 at 1, the
smaller root is a maximum and the larger one a minimum, of value $(1-x)(1+Lx)/2$. That is below ½, what $x=0$ costs,
exactly where $x>(L-1)/L$.

Source: the thresholds of sukenik2024lowrank and of its forerunner for two classes, in units of κ; our derivation.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import NamedTuple


class Shrunk(NamedTuple):
    """A stationary point: its scale x in [0, 1], and its value, at most ½ where it is the minimum."""

    scale: float
    value: float


def existence_threshold(depth: int) -> float:
    r"""The largest κ with a stationary point beside 0, $(\frac{L-1}{2L})^{(L-1)/(L+1)}\frac{L+1}{2L}$; 1 at depth 1."""
    at = (depth - 1) / (2 * depth)
    return float(at ** ((depth - 1) / (depth + 1)) * (1 - at))


def collapse_threshold(depth: int) -> float:
    r"""The κ from which 0 is the minimum, $\frac1L(\frac{L-1}L)^{(L-1)/(L+1)}$; 1 at depth 1."""
    at = (depth - 1) / depth
    return float(at ** ((depth - 1) / (depth + 1)) * (1 - at))


def stationary(kappa: float, depth: int) -> Shrunk | None:
    """The minimum beside 0, global or not; None for κ beyond `existence_threshold`.

    κ must be positive and depth at least 1.
    """
    if kappa > existence_threshold(depth):
        return None
    power = (depth - 1) / (depth + 1)
    # In y = 1 − x the equation is y(1−y)^power = κ, of which the left side is concave and rising up to its maximum.
    # Newton from the left of the root then rises to it without ever passing it, and keeps small y to full precision.
    highest = (depth + 1) / (2 * depth)
    lost = min(kappa, highest)
    while True:
        short = kappa - lost * (1 - lost) ** power
        slope = 1.0 if power == 0 else (1 - lost) ** (power - 1) * (1 - (1 + power) * lost)
        if short <= 0 or slope <= 0:
            break
        nearer = min(lost + short / slope, highest)
        if nearer <= lost:
            break
        lost = nearer
    return Shrunk(1 - lost, lost * (1 + depth * (1 - lost)) / 2)


def shrink(kappa: float, depth: int) -> Shrunk:
    """The minimum over x ≥ 0: x = 0 with value ½ from `collapse_threshold` on."""
    found = stationary(kappa, depth) if kappa < collapse_threshold(depth) else None
    return Shrunk(0.0, 0.5) if found is None else found


class Priced(NamedTuple):
    """Where a bound is least: the sum of singular values there, and the bound."""

    nuclear_norm: float
    value: float


def nuclear_norm_bound(targets: Sequence[float], coupling: float, num_samples: int, depth: int) -> Priced:
    r"""The minimum over $\sigma\ge0$ of $\tfrac1{2N}\sum_i(\sigma_i-\tau_i)^2+\tfrac{L+1}2c(\sum_i\sigma_i)^{2/(L+1)}$.

    `targets` are the τ, positive and the largest first. At a given sum the fit is least where the m largest lie the
    same distance below their targets and the others at 0: with T the sum of those m targets and $s=\sum_i\sigma_i$ it
    is $(T-s)^2/(2Nm)+\sum_{i>m}\tau_i^2/(2N)$, for s between $T-m\tau_m$ and $T-m\tau_{m+1}$. On each of these pieces
    the least value is at an end or at a stationary point of the scalar problem with $x=s/T$.
    """
    power = 2 / (depth + 1)
    below = [*targets[1:], 0.0]
    least = Priced(0.0, math.fsum(target**2 for target in targets) / (2 * num_samples))
    for kept, (last, following) in enumerate(zip(targets, below, strict=True), start=1):
        total = math.fsum(targets[:kept])
        places = [total - kept * last, total - kept * following]
        found = stationary(coupling * num_samples * kept * float(total ** (power - 2)), depth)
        if found is not None and places[0] < found.scale * total < places[1]:
            places.append(found.scale * total)
        lost = math.fsum(target**2 for target in targets[kept:]) / (2 * num_samples)
        for place in places:
            # rounding may leave the sum of one target just below 0
            size = max(place, 0.0)
            fit = (total - size) ** 2 / (2 * num_samples * kept) + lost
            value = fit + (depth + 1) / 2 * coupling * float(size**power)
            least = Priced(size, value) if value < least.value else least
    return least
