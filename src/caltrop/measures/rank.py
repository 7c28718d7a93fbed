"""Ranks: how many directions the class means, and all features, really use."""

from __future__ import annotations

from caltrop.linalg import effective_rank as entropy_rank
from caltrop.measures.registry import Undefined, measure
from caltrop.stats import SpreadMoments, TotalSpectrum


def _simplex_rank(num_classes: int, dim: int) -> float:
    return float(min(num_classes - 1, dim))


def _spread_rank(num_classes: int, dim: int) -> float | None:
    # in fewer dimensions than a simplex needs, collapsed means need not spread evenly
    return float(num_classes - 1) if dim >= num_classes - 1 else None


@measure(
    symbol="rank M",
    at_collapse=_simplex_rank,
    source="definition",
    invariances="scale translation rotation",
)
def means_rank(span: SpreadMoments) -> float:
    """Singular values of the centred class means above 1e-6 of the largest: K−1 at most.

    A count; 0 where all class means coincide.
    """
    return float(span.rank)


@measure(
    symbol="rank M (resolved)",
    at_collapse=_simplex_rank,
    source="our rule: eigenvalues of Σ_B above 10 × noise trace/(K−1)",
    invariances="scale translation rotation",
)
def means_rank_resolved(span: SpreadMoments) -> float:
    """Directions of the class means that stand out of their sampling noise, within `means_rank`. A count."""
    if span.resolved_rank < 0:
        raise Undefined("undefined: every class has one sample, so the sampling noise of its mean is unknown")
    return float(span.resolved_rank)


@measure(
    symbol="effective rank",
    at_collapse=_spread_rank,
    source="Roy & Vetterli 2007, of the eigenvalues of the total covariance",
    invariances="scale translation rotation",
)
def effective_rank(spectrum: TotalSpectrum) -> float:
    r"""$\exp(-\sum_i p_i\log p_i)$, $p_i$ the eigenvalues of $\Sigma_T$ as shares of their sum.

    In $[1,d]$; K−1 for a collapsed, balanced simplex. Weighs samples equally, so imbalance lowers it.
    """
    _refuse_equal(spectrum)
    return entropy_rank(spectrum.values)


@measure(
    symbol="stable rank",
    at_collapse=_spread_rank,
    source="definition",
    invariances="scale translation rotation",
)
def stable_rank(spectrum: TotalSpectrum) -> float:
    r"""$\operatorname{tr}\Sigma_T/\|\Sigma_T\|$: total variance over the largest eigenvalue. In $[1,d]$."""
    _refuse_equal(spectrum)
    return float(spectrum.values.sum() / spectrum.values[0])


def _refuse_equal(spectrum: TotalSpectrum) -> None:
    if not float(spectrum.values.sum()) > 0:
        raise Undefined("undefined: all features are equal")
