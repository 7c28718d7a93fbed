"""Configuration of the class means and of the head's rows: equal norms, equal angles, ideal frames."""

from __future__ import annotations

import torch
from torch import Tensor

from caltrop.geometry import flatness, flatness_floor
from caltrop.linalg import COINCIDE, eigenvalues
from caltrop.measures.registry import Undefined, measure
from caltrop.stats import ClassMoments, Head, Pairs, SpreadMoments

TWO_CLASSES = "undefined: with two classes the centred means are opposite whatever the data, so this says nothing"


def refuse_two(num_classes: int) -> None:
    """Where two classes make a measure the same for all data, say so instead of reporting a proud 0."""
    if num_classes == 2:
        raise Undefined(TWO_CLASSES)


def norms_of(rows: Tensor, scale: float) -> Tensor:
    """Norms of rows; undefined where all of them are rounding."""
    norms: Tensor = torch.linalg.vector_norm(rows, dim=1)
    if not float(norms.max()) > COINCIDE * scale:
        raise Undefined("undefined: all class means coincide")
    return norms


def centred_norms(moments: ClassMoments) -> Tensor:
    """Norms of the centred class means."""
    scale = float(torch.linalg.vector_norm(moments.means, dim=1).max())
    return norms_of(moments.centred_means, scale)


def head_norms(head: Head) -> Tensor:
    """Norms of the head's rows; undefined where all are 0."""
    norms: Tensor = torch.linalg.vector_norm(head.weights, dim=1)
    if not float(norms.max()) > 0:
        raise Undefined("undefined: the head's weights are all 0")
    return norms


def _deviation(norms: Tensor) -> float:
    return float(norms.std(correction=0) / norms.mean())


def _norms_by_class(moments: ClassMoments) -> Tensor:
    refuse_two(moments.num_classes)
    norms = centred_norms(moments)
    return norms / norms.mean() - 1


@measure(
    symbol="NC2 (norms)",
    at_collapse=0.0,
    source="papyan2020prevalence",
    invariances="scale translation rotation",
    per_class=_norms_by_class,
)
def norm_deviation(moments: ClassMoments) -> float:
    r"""Population standard deviation over mean of the norms $\|\mu_k-\mu_C\|$.

    Dimensionless, in $[0,\sqrt{K-1}]$; 0 when all centred class means are equally long. Undefined for K = 2.
    """
    refuse_two(moments.num_classes)
    return _deviation(centred_norms(moments))


def _angles_by_class(moments: ClassMoments, pairs: Pairs) -> Tensor:
    refuse_two(moments.num_classes)
    return pairs.angle


def _simplex_fits(num_classes: int, dim: int) -> float | None:
    return 0.0 if dim >= num_classes - 1 else None


@measure(
    symbol="NC2 (angles)",
    at_collapse=_simplex_fits,
    source="papyan2020prevalence",
    invariances="scale translation rotation",
    per_class=_angles_by_class,
)
def angle_deviation(moments: ClassMoments, pairs: Pairs) -> float:
    r"""Mean over pairs of $|\cos(\mu_k-\mu_C,\mu_{k'}-\mu_C)+1/(K-1)|$.

    Dimensionless, in $[0,1+1/(K-1)]$; 0 when the centred class means have the angles of a simplex. Undefined
    for K = 2, and where a class mean lies on the centre and so has no direction.
    """
    refuse_two(moments.num_classes)
    return _mean_over_classes(pairs.angle, centred_norms(moments))


def _mean_over_classes(values: Tensor, norms: Tensor) -> float:
    if bool(torch.isnan(values).any()):
        raise Undefined(f"undefined: the row of class {{{int(norms.argmin())}}} is 0 and has no direction")
    return float(values.mean())


def _simplex_floor(num_classes: int, dim: int) -> float:
    return flatness_floor(num_classes - 1, dim)


@measure(
    symbol="NC2 (simplex)",
    at_collapse=_simplex_floor,
    source="zhu2021geometric, of the centred class means",
    invariances="scale translation rotation",
)
def simplex_distance(span: SpreadMoments) -> float:
    r"""$\|MM^\top/\|MM^\top\|_F-(I-11^\top/K)/\sqrt{K-1}\|_F$ for centred class means M, from eigenvalues.

    Dimensionless, in $[0,\sqrt2)$; 0 for a simplex ETF. In d < K−1 dimensions no simplex exists and the floor
    is $\sqrt{2-2\sqrt{d/(K-1)}}$. Undefined for K = 2.
    """
    refuse_two(span.num_classes)
    if not span.between_trace > 0:
        raise Undefined("undefined: all class means coincide")
    return flatness(span.between, span.num_classes - 1)


def _frame_floor(num_classes: int, dim: int) -> float:
    return flatness_floor(num_classes, dim)


@measure(
    symbol="NC2 (frame)",
    at_collapse=_frame_floor,
    source="the deep-collapse papers, for non-negative features",
    invariances="scale rotation",
)
def orthogonal_frame_distance(moments: ClassMoments) -> float:
    r"""$\|UU^\top/\|UU^\top\|_F-I/\sqrt K\|_F$ for the class means U as they are, not centred.

    Dimensionless, in $[0,\sqrt2)$; 0 when class means are orthogonal and equally long, as collapsed ReLU
    features are. An orthogonal frame, centred, is a simplex. In d < K dimensions the floor is
    $\sqrt{2-2\sqrt{d/K}}$.
    """
    if not float(moments.means.abs().max()) > 0:
        raise Undefined("undefined: all class means are 0")
    return flatness(eigenvalues(moments.means), moments.num_classes)


def _head_norms_by_class(head: Head) -> Tensor:
    norms = head_norms(head)
    return norms / norms.mean() - 1


@measure(
    symbol="NC2 (head norms)",
    at_collapse=0.0,
    source="papyan2020prevalence, of the head's rows as they are",
    invariances="scale rotation",
    per_class=_head_norms_by_class,
)
def head_norm_deviation(head: Head) -> float:
    r"""Population standard deviation over mean of the norms of the head's rows, in $[0,\sqrt{K-1}]$."""
    return _deviation(head_norms(head))


def _head_pairs(head: Head) -> Pairs:
    head_norms(head)
    return head.pairs


def _head_angles_by_class(head: Head) -> Tensor:
    return _head_pairs(head).angle


@measure(
    symbol="NC2 (head angles)",
    at_collapse=_simplex_fits,
    source="papyan2020prevalence, of the head's rows as they are",
    invariances="scale rotation",
    per_class=_head_angles_by_class,
)
def head_angle_deviation(head: Head) -> float:
    r"""Mean over pairs of head rows, not centred, of $|\cos(w_k,w_{k'})+1/(K-1)|$, in $[0,1+1/(K-1)]$."""
    return _mean_over_classes(_head_pairs(head).angle, head_norms(head))


@measure(
    symbol="NC2 (head simplex)",
    at_collapse=_simplex_floor,
    source="zhu2021geometric, of the head's centred rows",
    invariances="scale translation rotation",
)
def head_simplex_distance(head: Head) -> float:
    r"""`simplex_distance` of the head's rows, centred on their average (a common row changes no decision)."""
    refuse_two(head.num_classes)
    rows = head.weights - head.weights.mean(0)
    rows = rows - rows.mean(0)
    if not float(torch.linalg.vector_norm(rows)) > COINCIDE * float(head_norms(head).max()):
        raise Undefined("undefined: all rows of the head are equal")
    return flatness(eigenvalues(rows), head.num_classes - 1)


@measure(
    symbol="NC2 (head frame)",
    at_collapse=_frame_floor,
    source="the deep-collapse papers",
    invariances="scale rotation",
)
def head_orthogonal_frame_distance(head: Head) -> float:
    r"""`orthogonal_frame_distance` of the head's rows as they are, in $[0,\sqrt2)$."""
    head_norms(head)
    return flatness(eigenvalues(head.weights), head.num_classes)


def _merge_by_class(head: Head) -> Tensor:
    return _head_pairs(head).largest


def _simplex_cosine(num_classes: int, dim: int) -> float | None:
    return -1 / (num_classes - 1) if dim >= num_classes - 1 else None


@measure(
    symbol="minority merge",
    at_collapse=_simplex_cosine,
    source="fang2021layer: minority classifiers become parallel",
    invariances="scale rotation",
    per_class=_merge_by_class,
)
def minority_merge(head: Head) -> float:
    r"""Largest cosine between two rows of the head, in $[-1/(K-1),1]$; 1 when two classes have merged."""
    pairs = _head_pairs(head)
    _mean_over_classes(pairs.largest, head_norms(head))
    return float(pairs.largest.max())
