"""Decisions: the head's, the nearest class mean's, and the bias that goes into the head's."""

from __future__ import annotations

from torch import Tensor

from caltrop.measures.registry import Undefined, measure
from caltrop.stats import CentreDecisions, ClassMoments, Head, HeadDecisions, SpreadMoments


def _refuse_coinciding(span: SpreadMoments) -> None:
    if not span.between_trace > 0:
        raise Undefined("undefined: all class means coincide, so every one of them is nearest")


def _disagreement_by_class(decisions: HeadDecisions, span: SpreadMoments) -> Tensor:
    _refuse_coinciding(span)
    return 1 - decisions.agreements / decisions.counts


@measure(
    symbol="NC4",
    at_collapse=0.0,
    source="papyan2020prevalence",
    invariances="scale translation rotation",
    per_class=_disagreement_by_class,
)
def nearest_centre_disagreement(decisions: HeadDecisions, span: SpreadMoments) -> float:
    r"""Share of samples on which the head (bias included) and the nearest class mean differ, in $[0,1]$.

    Distances are to the class means as they are. A head that names a class tied for nearest agrees.
    """
    _refuse_coinciding(span)
    return float(1 - decisions.agreements.sum() / decisions.counts.sum())


def _centre_accuracy_by_class(decisions: CentreDecisions, span: SpreadMoments) -> Tensor:
    _refuse_coinciding(span)
    return decisions.hits / decisions.counts


@measure(
    symbol="NCC accuracy",
    at_collapse=1.0,
    source="galanti2022role",
    invariances="scale translation rotation",
    per_class=_centre_accuracy_by_class,
)
def nearest_centre_accuracy(decisions: CentreDecisions, span: SpreadMoments) -> float:
    r"""Share of samples nearest to the mean of their own class, in $[0,1]$. Class means of the same samples."""
    _refuse_coinciding(span)
    return float(decisions.hits.sum() / decisions.counts.sum())


def _accuracy_by_class(decisions: HeadDecisions) -> Tensor:
    return decisions.hits / decisions.counts


@measure(
    symbol="accuracy",
    at_collapse=None,
    source="definition",
    invariances="scale translation rotation",
    per_class=_accuracy_by_class,
    is_whole_model=True,
)
def accuracy(decisions: HeadDecisions) -> float:
    r"""Share of samples whose label is the class with the head's largest score, in $[0,1]$."""
    return float(decisions.hits.sum() / decisions.counts.sum())


def _offsets(moments: ClassMoments, head: Head) -> Tensor:
    offsets = head.weights @ moments.sample_mean
    return offsets if head.bias is None else offsets + head.bias


def _bias_by_class(moments: ClassMoments, head: Head) -> Tensor:
    offsets = _offsets(moments, head)
    return offsets - offsets.mean()


@measure(
    symbol="bias collapse",
    at_collapse=0.0,
    source="zhu2021geometric; a constant shift of the bias is free",
    invariances="scale translation rotation",
    per_class=_bias_by_class,
)
def bias_collapse(moments: ClassMoments, head: Head) -> float:
    r"""Population standard deviation over classes of $b+W\mu_G$, in units of the head's scores.

    0 when the head scores the average sample equally for every class. A head without bias has b = 0.
    """
    return float(_offsets(moments, head).std(correction=0))
