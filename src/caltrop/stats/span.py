r"""Inside the span of the centred class means: the only place $\operatorname{tr}(\Sigma_W\Sigma_B^+)$ looks.

$\Sigma_B$ has rank at most $K-1$, so everything that compares within-class with between-class spread
lives in at most $\min(K-1,d)$ coordinates. `Span` fixes those coordinates; `SpreadMoments` and `SpanMoments`
are what is seen in them. All of it is about the fixed class centres of the span, so shards simply add.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any, TypeVar

import torch
from jaxtyping import Float
from torch import Tensor

from caltrop.linalg import COINCIDE, RANK_CUT, matmul, principal_axes, right_vectors, spacing, trace_of_quotient
from caltrop.stats.class_moments import ClassMoments

# A class mean that moved by less than float32 rounding of residuals has not moved.
STILL = 1e-13
# An eigenvalue of Σ_B counts as resolved above this many times the sampling noise of one direction.
RESOLVED = 10.0

Kind = TypeVar("Kind", bound="SpreadMoments")


@dataclass(frozen=True, eq=False)
class Span:
    r"""Principal axes of the centred class means of the classes that have samples.

    `axes` [dim, r] are orthonormal, $r=\min(K-1,d)$, `coordinates` [classes, r] are the centred class
    means on them, `lengths` [r] their singular values, largest first; `scale` is the largest norm of an
    uncentred class mean, against which rounding is judged.
    """

    axes: Float[Tensor, "dim r"]
    coordinates: Float[Tensor, "classes r"]
    lengths: Float[Tensor, "r"]
    scale: float

    @classmethod
    def of(cls, moments: ClassMoments) -> Span:
        """The span of the centred class means; every class must have samples."""
        rows = moments.centred_means
        axes, lengths = principal_axes(rows)
        scale = float(torch.linalg.vector_norm(moments.means, dim=1).max())
        return cls(axes, matmul(rows, axes), lengths, scale)

    def is_same(self, other: Span) -> bool:
        """Whether residuals seen in both may be added: the same axes, about the same centres."""
        if self is other:
            return True
        # one axis is the same axis in every span: the centres tell them apart
        return torch.equal(self.axes, other.axes) and torch.equal(self.coordinates, other.coordinates)

    @property
    def width(self) -> int:
        """r, the number of coordinates."""
        return self.axes.shape[1]


@dataclass(frozen=True)
class SpreadMoments:
    r"""Counts, sums and squares of the residuals $p=V^\top(h-c_y)$ about the span's fixed centres $c_k$.

    `sums` [classes, r] $=\sum p$ (zero for the sample that defined the span), `squares` [classes]
    $=\sum\|h-c_y\|^2$ over *all* dimensions. Class moments without scatter are enough for these.
    """

    span: Span
    counts: Float[Tensor, "classes"]
    sums: Float[Tensor, "classes r"]
    squares: Float[Tensor, "classes"]

    @classmethod
    def of(
        cls,
        moments: ClassMoments,
        span: Span | None = None,
        centres: Float[Tensor, "classes dim"] | None = None,
    ) -> SpreadMoments:
        """From class moments; every class must have samples.

        A shard is seen in the `span` of all shards, about `centres`, the class means of all; it may
        lack classes.
        """
        frame = Span.of(moments) if span is None else span
        if centres is None:
            return SpreadMoments(frame, moments.counts, torch.zeros_like(frame.coordinates), moments.spread)
        away = torch.where(moments.counts[:, None] > 0, moments.means - centres, 0.0)
        sums = moments.counts[:, None] * matmul(away, frame.axes)
        squares = moments.spread + moments.counts * away.square().sum(1)
        return SpreadMoments(frame, moments.counts, sums, squares)

    def merge(self: Kind, other: Kind) -> Kind:
        """Combine two disjoint shards seen in the same span."""
        return self._combined(other, 1.0)

    def without(self: Kind, other: Kind) -> Kind:
        """Take a shard out again: the inverse of `merge`."""
        return self._combined(other, -1.0)

    def _combined(self: Kind, other: Kind, sign: float) -> Kind:
        if not self.span.is_same(other.span):
            raise ValueError(
                "these span moments were seen in different spans and do not merge; compute one span from "
                "the merged class moments, and look at every shard in it."
            )
        return replace(
            self,
            counts=self.counts + sign * other.counts,
            sums=self.sums + sign * other.sums,
            squares=self.squares + sign * other.squares,
            **self._combined_inside(other, sign),
        )

    def _combined_inside(self, other: SpreadMoments, sign: float) -> dict[str, Any]:
        return {}

    @cached_property
    def num_samples(self) -> float:
        """N."""
        return float(self.counts.sum())

    @property
    def num_classes(self) -> int:
        """K, all of them present."""
        return len(self.counts)

    @cached_property
    def shift(self) -> Float[Tensor, "classes r"] | None:
        """How far the class means lie from the span's centres, or None where they do not."""
        shift = self.sums / self.counts[:, None]
        moved = float((self.counts[:, None] * shift.square()).sum())
        still = moved <= STILL * self.num_classes / self.num_samples * float(self.squares.sum())
        return None if still else shift

    @cached_property
    def means(self) -> Float[Tensor, "classes r"]:
        """Centred class means in the span."""
        if self.shift is None:
            return self.span.coordinates
        rows = self.span.coordinates + self.shift
        return rows - rows.mean(0)

    @cached_property
    def spread(self) -> Float[Tensor, "classes"]:
        r"""$\sum_i\|h_i-\mu_k\|^2$ per class, over all dimensions."""
        if self.shift is None:
            return self.squares
        return (self.squares - self.counts * self.shift.square().sum(1)).clamp(min=0)

    @cached_property
    def variances(self) -> Float[Tensor, "classes"]:
        r"""$\operatorname{tr}\Sigma_k$, over all dimensions."""
        return self.spread / self.counts

    @cached_property
    def within_trace(self) -> float:
        r"""$\operatorname{tr}\Sigma_W$."""
        return float(self.spread.sum()) / self.num_samples

    @cached_property
    def between(self) -> Float[Tensor, "r"]:
        r"""Eigenvalues of $\Sigma_B=M^\top M/K$ inside the span, largest first; rounding is set to 0."""
        lengths = self.span.lengths if self.shift is None else self._principal[1]
        values = lengths.square()
        floor = (COINCIDE * self.span.scale) ** 2
        return torch.where(values > floor, values, 0.0) / self.num_classes

    @cached_property
    def between_trace(self) -> float:
        r"""$\operatorname{tr}\Sigma_B$."""
        return float(self.between.sum())

    @cached_property
    def rank(self) -> int:
        """Singular values of the centred means above 1e-6 of the largest."""
        return int((self.between > RANK_CUT**2 * self.between[0]).sum())

    @cached_property
    def noise_trace(self) -> float:
        r"""Expected trace of $\Sigma_B$ from sampling noise alone, $\frac1K(1-\frac1K)\sum_c\operatorname{tr}S_c/n_c$.

        $S_c$ is the unbiased class covariance. A class with one sample takes the pooled value of the
        others; NaN where every class has one sample.
        """
        freedom = self.counts - 1
        pooled = self.spread.sum() / freedom.sum()
        unbiased = torch.where(freedom > 0, self.spread / freedom.clamp(min=1), pooled)
        count = self.num_classes
        return float((unbiased / self.counts).sum()) * (1 - 1 / count) / count

    @cached_property
    def resolved_rank(self) -> int:
        r"""Eigenvalues of $\Sigma_B$ above 10 × noise trace/(K−1), within the numerical rank; -1 if unknown."""
        if self.noise_trace != self.noise_trace:
            return -1
        bar = RESOLVED * self.noise_trace / (self.num_classes - 1)
        return min(self.rank, int((self.between > bar).sum()))

    @cached_property
    def _principal(self) -> tuple[Float[Tensor, "r r"], Float[Tensor, "r"]]:
        """Principal axes of the class means within the span, and their singular values."""
        return right_vectors(self.means)


@dataclass(frozen=True)
class SpanMoments(SpreadMoments):
    r"""`SpreadMoments` with the scatter inside the span.

    `scatter` [r, r] $=\sum pp^\top$, and `axis_squares` [classes, r] $=\sum p_j^2$ per class, or None where
    it was not kept. `given_rank` is a resolved rank to use instead of the own one: noise is read over the
    directions of what it disturbs.
    """

    scatter: Float[Tensor, "r r"]
    axis_squares: Float[Tensor, "classes r"] | None = None
    given_rank: int | None = None

    @classmethod
    def of(
        cls,
        moments: ClassMoments,
        span: Span | None = None,
        centres: Float[Tensor, "classes dim"] | None = None,
    ) -> SpanMoments:
        """From moments that kept their scatter; every class must have samples.

        A shard is seen in the `span` of all shards, about `centres`, the class means of all; it may
        lack classes.

        Raises
        ------
        ValueError
            Where the scatter was not kept: a second look at the features is needed then.
        """
        if moments.scatter is None:
            raise ValueError(
                "these class moments kept no scatter, so nothing is known inside the span of the means; "
                "pass scatter=True to ClassMoments.of, or look at the features a second time."
            )
        spread = SpreadMoments.of(moments, span, centres)
        frame, sums = spread.span, spread.sums
        scatter = matmul(frame.axes.T.contiguous(), matmul(moments.scatter, frame.axes))
        scatter = (scatter + scatter.T) / 2
        if centres is not None:
            scatter = scatter + matmul((sums / spread.counts.clamp(min=1)[:, None]).T.contiguous(), sums)
        return cls(frame, spread.counts, sums, spread.squares, scatter)

    @classmethod
    def of_format(cls, moments: ClassMoments, span: Span, resolved_rank: int | None = None) -> SpanMoments:
        r"""What storing the class means in their format would give alone: rounding noise $u^2/12$ a coordinate.

        u is the spacing of representable numbers at each coordinate of each class mean. `resolved_rank` is that of
        the features themselves.
        """
        noise = spacing(moments.means, moments.storage).square_().div_(12)
        total = moments.counts @ noise
        along = matmul(span.axes.square().T.contiguous(), total[:, None])[:, 0]
        squares = moments.counts * noise.sum(1)
        return cls(
            span, moments.counts, torch.zeros_like(span.coordinates), squares, torch.diag(along), None, resolved_rank
        )

    def _combined_inside(self, other: SpreadMoments, sign: float) -> dict[str, Any]:
        assert isinstance(other, SpanMoments)
        axis_squares = None
        if self.axis_squares is not None and other.axis_squares is not None:
            axis_squares = self.axis_squares + sign * other.axis_squares
        return {"scatter": self.scatter + sign * other.scatter, "axis_squares": axis_squares}

    @cached_property
    def resolved_rank(self) -> int:
        """As of the spreads, unless another one was given."""
        return super().resolved_rank if self.given_rank is None else self.given_rank

    @cached_property
    def within(self) -> Float[Tensor, "r r"]:
        r"""$\Sigma_W$ inside the span."""
        scatter = self.scatter
        if self.shift is not None:
            scatter = scatter - matmul((self.shift * self.counts[:, None]).T.contiguous(), self.shift)
        return scatter / self.num_samples

    def quotient(self, rank: int) -> float:
        r"""$\operatorname{tr}(\Sigma_W\Sigma_B^+)$ over the `rank` leading directions of the class means."""
        if self.shift is None:  # the span's own axes are the eigenvectors
            return float((self.within.diagonal()[:rank] / self.between[:rank]).sum())
        return trace_of_quotient(self.within, *self._principal, rank) * self.num_classes
