"""Within-class variability: how small the classes are, compared with how far apart they lie."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from caltrop.linalg import COINCIDE
from caltrop.measures.registry import Undefined, measure
from caltrop.stats import Pairs, SpanMoments, SpreadMoments


def _has_spread(span: SpreadMoments, classes: slice | list[int]) -> bool:
    # means of equal numbers carry rounding, so the spread about them does too
    rounding = float(span.counts[classes].sum()) * (COINCIDE * span.span.scale) ** 2
    return float(span.spread[classes].sum()) > rounding


def _refuse_coinciding(span: SpreadMoments) -> None:
    if span.between_trace > 0:
        return
    if not _has_spread(span, slice(None)):
        raise Undefined("undefined: all features are equal")
    raise Undefined("infinite: all class means coincide", math.inf)


def _by_class_over(span: SpanMoments, rank: int) -> Tensor:
    _refuse_coinciding(span)
    if span.axis_squares is None or span.shift is not None:
        raise Undefined("per-class values need the second look at the features")
    weights = span.axis_squares[:, :rank] / span.counts[:, None]
    return (weights / span.between[:rank]).sum(1) / span.num_classes


def _variability_by_class(span: SpanMoments) -> Tensor:
    return _by_class_over(span, span.rank)


def _unresolved(span: SpanMoments) -> str | None:
    """Where sampling noise of the class means has directions of its own, the plain number is about samples."""
    resolved, rank = span.resolved_rank, span.rank
    if resolved < 0:
        return "every class has one sample, so it is unknown which directions stand out of sampling noise"
    if resolved == rank:
        return None
    return (
        f"only {resolved} of {rank} directions stand out of sampling noise: see the resolved number "
        "(this one's half-width is a lower bound)"
    )


def _resolved_by_class(span: SpanMoments) -> Tensor:
    return _by_class_over(span, _resolved_rank(span))


def _resolved_rank(span: SpanMoments) -> int:
    _refuse_coinciding(span)
    if span.resolved_rank < 0:
        raise Undefined("undefined: every class has one sample, so the sampling noise of its mean is unknown")
    if span.resolved_rank == 0:
        raise Undefined("undefined: no direction of the class means stands out of their sampling noise")
    return span.resolved_rank


@measure(
    symbol="NC1",
    at_collapse=0.0,
    source="papyan2020prevalence; divided by K as in zhu2021geometric",
    invariances="scale translation rotation",
    per_class=_variability_by_class,
    is_variability=True,
    caution=_unresolved,
)
def within_class_variability(span: SpanMoments) -> float:
    r"""Within-class variability against between-class spread, $\operatorname{tr}(\Sigma_W\Sigma_B^+)/K$.

    The pseudo-inverse is over the numerical rank: singular values of the centred class means above 1e-6 of
    the largest. Dimensionless, in $[0,\infty)$; 0 when every sample equals its class mean. Where class means
    have a lower rank than K−1 up to sampling noise, this counts samples, not collapse: compare
    `within_class_variability_resolved` and both ranks. Per class $v_k$ with $\sum_k(n_k/N)v_k$ the value.
    """
    _refuse_coinciding(span)
    return span.quotient(span.rank) / span.num_classes


@measure(
    symbol="NC1 (resolved)",
    at_collapse=0.0,
    source="our rule: directions above 10 × the sampling noise of the class means",
    invariances="scale translation rotation",
    per_class=_resolved_by_class,
    is_variability=True,
)
def within_class_variability_resolved(span: SpanMoments) -> float:
    r"""$\operatorname{tr}(\Sigma_W\Sigma_B^+)/K$ over the directions of $\Sigma_B$ that stand out of sampling noise.

    An eigenvalue counts above 10 × noise trace/(K−1), the noise trace being what class means estimated from
    $n_c$ samples scatter by themselves. Dimensionless, in $[0,\infty)$; 0 at exact collapse.
    """
    return span.quotient(_resolved_rank(span)) / span.num_classes


def _ratio_by_class(span: SpreadMoments) -> Tensor:
    _refuse_coinciding(span)
    return span.variances / span.between_trace


@measure(
    symbol="NC1 (trace ratio)",
    at_collapse=0.0,
    source="tirer2022extended and the deep-collapse papers",
    invariances="scale translation rotation",
    per_class=_ratio_by_class,
    is_variability=True,
)
def variability_ratio(span: SpreadMoments) -> float:
    r"""Mean squared distance to the own class mean over that of class means to their centre,
    $\operatorname{tr}\Sigma_W/\operatorname{tr}\Sigma_B$.

    Dimensionless, in $[0,\infty)$; 0 at exact collapse. Needs no inverse, so it is safe for low-rank means.
    """
    _refuse_coinciding(span)
    return span.within_trace / span.between_trace


def _cdnv_by_class(span: SpreadMoments, pairs: Pairs) -> Tensor:
    return pairs.cdnv


@measure(
    symbol="CDNV",
    at_collapse=0.0,
    source="galanti2022role",
    invariances="scale translation rotation",
    per_class=_cdnv_by_class,
    is_variability=True,
)
def class_distance_normalized_variance(span: SpreadMoments, pairs: Pairs) -> float:
    r"""Mean over pairs $k<k'$ of $(v_k+v_{k'})/(2\|\mu_k-\mu_{k'}\|^2)$, $v_k$ the mean squared distance to $\mu_k$.

    Population variances (÷$n_k$). Dimensionless, in $[0,\infty)$; 0 at exact collapse; infinite as soon as two
    class means coincide.
    """
    _refuse_coinciding(span)
    if not bool(torch.isfinite(pairs.cdnv).all()):
        first = int(pairs.nearest.argmin())
        both = sorted((first, int(pairs.partner[first])))
        word, value = ("infinite", math.inf) if _has_spread(span, both) else ("undefined", math.nan)
        raise Undefined(f"{word}: classes {{{both[0]}}} and {{{both[1]}}} coincide", value)
    # Σ over pairs of (v_k+v_k')/(2D²) is Σ_k v_k Σ_k' 1/(2D²): other variances need no other scan
    return 2 * float(span.variances @ pairs.inverse) / span.num_classes


@measure(
    symbol="noise floor",
    source="our rule: expected trace of Σ_B from sampling noise alone, over its trace",
    invariances="scale translation rotation",
)
def variability_noise_floor(span: SpreadMoments) -> float:
    r"""$\frac1K(1-\frac1K)\sum_c\operatorname{tr}S_c/n_c\,/\operatorname{tr}\Sigma_B$, $S_c$ unbiased.

    The share of the between-class spread that the finite number of samples would give by itself. In
    $[0,\infty)$; near 1 the class means are not resolved at all. One-sample classes take the pooled $S$.
    """
    _refuse_coinciding(span)
    if math.isnan(span.noise_trace):
        raise Undefined("undefined: every class has one sample, so the sampling noise of its mean is unknown")
    return span.noise_trace / span.between_trace
