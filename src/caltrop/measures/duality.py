"""Self-duality: whether the head's rows and the class means are one configuration."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from caltrop.geometry import flatness_floor
from caltrop.linalg import gram, matmul
from caltrop.measures.configuration import centred_norms, head_norms
from caltrop.measures.registry import Undefined, measure
from caltrop.stats import ClassMoments, Head


def _gap_rows(moments: ClassMoments, head: Head) -> Tensor:
    centred_norms(moments)
    head_norms(head)
    means = moments.centred_means
    gap: Tensor = head.weights / torch.linalg.vector_norm(head.weights) - means / torch.linalg.vector_norm(means)
    return gap


def _gap_by_class(moments: ClassMoments, head: Head) -> Tensor:
    norms: Tensor = torch.linalg.vector_norm(_gap_rows(moments, head), dim=1)
    return norms


@measure(
    symbol="NC3",
    at_collapse=0.0,
    source="papyan2020prevalence, there squared",
    invariances="scale translation rotation",
    per_class=_gap_by_class,
)
def self_duality_gap(moments: ClassMoments, head: Head) -> float:
    r"""$\|W/\|W\|_F-M/\|M\|_F\|_F$: the head against the centred class means, each scaled to unit norm.

    Dimensionless, in $[0,2]$; 0 when the head is a positive multiple of the centred class means. Not squared.
    W is not centred. Squares of the per-class values add up to the square of the value.
    """
    return float(torch.linalg.vector_norm(_gap_rows(moments, head)))


def _floor(num_classes: int, dim: int) -> float:
    return flatness_floor(num_classes - 1, dim)


@measure(
    symbol="NC3 (simplex)",
    at_collapse=_floor,
    source="zhu2021geometric",
    invariances="scale translation rotation",
)
def duality_simplex_distance(moments: ClassMoments, head: Head) -> float:
    r"""$\|WM^\top/\|WM^\top\|_F-(I-11^\top/K)/\sqrt{K-1}\|_F$: head and centred class means against one simplex.

    Dimensionless, in $[0,2]$; 0 needs both self-duality and a simplex. In d < K−1 dimensions the floor is
    $\sqrt{2-2\sqrt{d/(K-1)}}$. With two classes the means are opposite whatever the data, but the head's rows need
    not be, so this one says something.
    """
    count = moments.num_classes
    centred_norms(moments)
    head_norms(head)
    means = moments.centred_means
    # ‖WMᵀ‖² = tr(WᵀW MᵀM): nothing of size K×K
    if count <= moments.dim + 1:
        return _explicit(matmul(head.weights, means.T.contiguous()), count)
    squared = float((gram(head.weights) * gram(means)).sum())
    if not squared > 0:
        raise Undefined("undefined: the head sees no difference between class means")
    # rows of M sum to 0, so the inner product with I−11ᵀ/K is the trace; the distance has a floor here
    # (d < K−1), so the square root cannot cancel
    overlap = float((head.weights * means).sum()) / math.sqrt(squared * (count - 1))
    return math.sqrt(max(0.0, 2 - 2 * overlap))


def _explicit(products: Tensor, count: int) -> float:
    norm = products.norm()
    if not float(norm) > 0:
        raise Undefined("undefined: the head sees no difference between class means")
    simplex = torch.eye(count, dtype=torch.float64) - 1 / count
    return float(torch.linalg.vector_norm(products / norm - simplex / math.sqrt(count - 1)))
