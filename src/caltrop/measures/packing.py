"""More classes than a simplex has room for: how well the class means are packed."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from caltrop.geometry import welch_bound
from caltrop.measures.configuration import centred_norms, refuse_two
from caltrop.measures.registry import Undefined, measure
from caltrop.stats import ClassMoments, Pairs


def _refuse_directionless(moments: ClassMoments, values: Tensor) -> None:
    refuse_two(moments.num_classes)
    norms = centred_norms(moments)
    if bool(torch.isnan(values).any()):
        raise Undefined(f"undefined: the mean of class {{{int(norms.argmin())}}} lies on the centre")


def _coherence_by_class(moments: ClassMoments, pairs: Pairs) -> Tensor:
    _refuse_directionless(moments, pairs.largest_abs)
    return pairs.largest_abs


def _simplex_coherence(num_classes: int, dim: int) -> float | None:
    return 1 / (num_classes - 1) if dim >= num_classes - 1 else None


@measure(
    symbol="coherence",
    at_collapse=_simplex_coherence,
    source="liu2023generalizing; coherence as in Welch 1974",
    invariances="scale translation rotation",
    per_class=_coherence_by_class,
)
def coherence(moments: ClassMoments, pairs: Pairs) -> float:
    r"""Largest $|\cos|$ between two centred class means, in $[0,1]$; 1/(K−1) for a simplex.

    The absolute value makes it the coherence of a line packing, which Welch's bound speaks of.
    """
    _refuse_directionless(moments, pairs.largest_abs)
    return float(pairs.largest_abs.max())


def _welch_fits(num_classes: int, dim: int) -> float | None:
    return 0.0 if dim >= num_classes - 1 else None


@measure(
    symbol="Welch gap",
    at_collapse=_welch_fits,
    source="Welch 1974, in min(d, K−1) dimensions",
    invariances="scale translation rotation",
)
def welch_gap(moments: ClassMoments, pairs: Pairs) -> float:
    r"""`coherence` minus the least possible, $\sqrt{(K-m)/(m(K-1))}$ with $m=\min(d,K-1)$. In $[0,1]$.

    0 for equiangular tight frames, the simplex among them; for most K > d+1 no frame reaches 0.
    """
    _refuse_directionless(moments, pairs.largest_abs)
    room = min(moments.dim, moments.num_classes - 1)
    return float(pairs.largest_abs.max()) - welch_bound(moments.num_classes, room)


def _uniformity_by_class(moments: ClassMoments, pairs: Pairs) -> Tensor:
    _refuse_directionless(moments, pairs.log_inverse)
    return pairs.log_inverse


def _simplex_uniformity(num_classes: int, dim: int) -> float | None:
    return -0.5 * math.log(2 * num_classes / (num_classes - 1)) if dim >= num_classes - 1 else None


@measure(
    symbol="uniformity",
    at_collapse=_simplex_uniformity,
    source="liu2023generalizing, logarithmic kernel",
    invariances="scale translation rotation",
    per_class=_uniformity_by_class,
)
def uniformity(moments: ClassMoments, pairs: Pairs) -> float:
    r"""Mean over pairs of $\log(1/\|\hat\mu_k-\hat\mu_{k'}\|)$ of the centred class means, scaled to unit length.

    In nats; least, $-\frac12\log(2K/(K-1))$, for a simplex; infinite where two means have one direction.
    """
    _refuse_directionless(moments, pairs.log_inverse)
    if bool(torch.isinf(pairs.log_inverse).any()):
        place = int(pairs.log_inverse.argmax())
        raise Undefined(f"infinite: class {{{place}}} has the same direction as another", math.inf)
    return float(pairs.log_inverse.mean())
