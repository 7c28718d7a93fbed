"""The second look at the same samples: everything that needs the class means to be known.

Residuals to the class means are projected on the span of the centred means; the same projection gives
the in-span scatter, its split into blocks for the jackknife, and the exact nearest-centre decisions.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from jaxtyping import Float, Int
from torch import Tensor

from caltrop.linalg import GramSum, matmul
from caltrop.stats.accumulator import FLOAT32_SQUARES, GRAM_ROWS, row_blocks, working
from caltrop.stats.class_moments import ClassMoments
from caltrop.stats.decisions import CentreDecisions, HeadDecisions
from caltrop.stats.nearest import NearestCentre
from caltrop.stats.span import Span, SpanMoments

# Blocks of the jackknife, and the memory their sums may take. Fewer than 5 say nothing about a spread.
BLOCKS = 20
FEWEST_BLOCKS = 5
BLOCK_BYTES = 2**25
MOST_BLOCK_BYTES = 2**28
# Residuals may add up to this share of what as many of their size could; and to so many units of rounding.
UNCHANGED = 1e-3
UNITS = 64
# Values of features whose projections may wait to be summed together.
WAITING_VALUES = 2**24
# Samples per class kept for pictures, on the leading axes only.
SAMPLE_PER_CLASS = 20
SAMPLE_AXES = 3
SAMPLE_CLASSES = 50


def jackknife_blocks(classes: int, width: int) -> int:
    """How many blocks: 20, fewer (not under 5) where their sums would exceed 32 MiB, 0 beyond 256 MiB."""
    each = 8 * (classes * width + width * width)
    if each * FEWEST_BLOCKS > MOST_BLOCK_BYTES:
        return 0
    return max(FEWEST_BLOCKS, min(BLOCKS, BLOCK_BYTES // max(1, each)))


@dataclass(frozen=True)
class Seen:
    """What the second look found: full class moments, span moments, their blocks, and decisions."""

    moments: ClassMoments
    span: SpanMoments
    blocks: tuple[SpanMoments, ...]
    centre: CentreDecisions
    head: HeadDecisions | None
    sample: tuple[Tensor, Tensor]  # labels [m] and leading coordinates [m, ≤3] of a few samples per class


class SecondLook:
    """Takes the samples once more, in any order and batching, against fixed class means.

    `counts` [classes] and `means` [classes, dim] are of all classes; absent ones are left out inside.
    `origin` [classes, dim] is what was already subtracted from the rows that will come (the anchors of
    a spool), or None for the features themselves. `predictions` are the head's classes per sample.
    """

    def __init__(
        self,
        moments: ClassMoments,
        *,
        origin: Float[Tensor, "classes dim"] | None = None,
        dtype: torch.dtype = torch.float32,
        scatter: bool = False,
        blocks: bool = True,
    ) -> None:
        self.moments = moments.present
        self.span = Span.of(self.moments)
        self._index = torch.full((moments.num_classes,), -1)
        self._index[moments.classes] = torch.arange(len(moments.classes))
        classes, width = self.span.coordinates.shape
        if width and (self.span.lengths[0] < FLOAT32_SQUARES[0] or self.span.scale > FLOAT32_SQUARES[1]):
            dtype = torch.float64
        exact = self.moments.means if origin is None else self.moments.means - origin[moments.classes]
        self._centres = exact.to(dtype)
        # what rounding the centres to working precision left over, put back inside the span
        rest = exact - self._centres
        self._rest = rest.square().sum(1)
        self._offset = matmul(rest, self.span.axes).to(dtype)
        self._axes = self.span.axes.to(dtype)
        self._gram = GramSum(self.moments.dim) if scatter else None
        self._rest_rows = rest if scatter else None
        count = jackknife_blocks(classes, width) if blocks else 0
        self._turn = torch.arange(classes) % max(1, count)
        self._single = self.moments.counts < 2
        self._blocks = [_Block(classes, width) for _ in range(count)]
        self._rest_block = _Block(classes, width)
        self._axis_squares = torch.zeros(classes, width, dtype=torch.float64)
        self._pending: list[tuple[Tensor, Tensor, Tensor, Tensor]] = []
        self._sample: list[tuple[Tensor, Tensor]] = []
        self._sampled = torch.zeros(classes, dtype=torch.long)
        self._hits = torch.zeros(3, classes, dtype=torch.float64)
        self._decided = False
        self._nearest = NearestCentre(self.span.coordinates, self.moments.num_samples)
        self._room: Tensor | None = None

    def update(
        self,
        rows: Float[Tensor, "n d"],
        labels: Int[Tensor, "n"],
        predictions: Int[Tensor, "n"] | None = None,
    ) -> None:
        """Look at a batch: features, or residuals to `origin`."""
        for block in row_blocks(len(labels), self.moments.dim):
            part = working(rows[block]).to("cpu").to(self._centres.dtype)
            where = self._index[labels[block].cpu()]
            residual = self._residual(part, where)
            sizes = torch.linalg.vector_norm(residual, dim=1).double()
            inside = matmul(residual, self._axes).sub_(self._offset[where])
            self._decided = self._decided or predictions is not None
            said = torch.full_like(where, -1) if predictions is None else predictions[block].cpu()
            self._pending.append((inside, where, sizes, said))
            self._keep_sample(inside, where)
            if self._gram is not None:
                self._gram.add(residual)
            waiting = sum(len(item[1]) for item in self._pending)
            # what waits lies between the blocks' own memory and keeps it from being reused, so it must not wait long
            if waiting >= 4 * GRAM_ROWS or waiting * self.moments.dim >= WAITING_VALUES:
                self._flush()

    def _residual(self, rows: Tensor, where: Tensor) -> Tensor:
        """Rows minus their centres, in memory that the next block reuses: fresh memory costs more than the gather."""
        if self._room is None or len(self._room) < len(where):
            self._room = torch.empty(len(where), self.moments.dim, dtype=self._centres.dtype)
        room = self._room[: len(where)]
        torch.index_select(self._centres, 0, where, out=room)
        return torch.sub(rows, room, out=room)

    def close(self) -> Seen:
        """Everything seen."""
        self._flush()
        counts = self.moments.counts
        blocks = tuple(block.close(self.span, self._rest) for block in self._blocks if block.counts.any())
        total = self._rest_block.close(self.span, self._rest)
        for block in blocks:
            total = total.merge(block)
        if not torch.equal(total.counts, counts):
            raise ValueError(
                f"the second look saw {int(total.counts.sum())} samples where the first saw "
                f"{int(counts.sum())}, or other labels; the data must not change between the two."
            )
        self._check_unchanged(total)
        # the means of all samples are known exactly: what is left of the sums is rounding
        total = SpanMoments(
            self.span,
            counts,
            torch.zeros_like(self.span.coordinates),
            total.squares.clamp(min=0),
            total.scatter,
            self._axis_squares,
        )
        scatter = None
        if self._gram is not None and self._rest_rows is not None:
            weighted = self._rest_rows * counts[:, None]
            scatter = self._gram.value() - weighted.T @ self._rest_rows
        if len(blocks) < FEWEST_BLOCKS:
            blocks = ()
        moments = ClassMoments(counts, self.moments.means, total.squares, scatter, self.moments.storage)
        head = HeadDecisions(counts, self._hits[1], self._hits[2]) if self._decided else None
        return Seen(moments, total, blocks, CentreDecisions(counts, self._hits[0]), head, self._sample_seen())

    def _check_unchanged(self, total: SpanMoments) -> None:
        # Residuals to a class mean add up to rounding, unless these are not the samples the mean is of.
        left = torch.linalg.vector_norm(total.sums, dim=1)
        rounding = torch.finfo(self._centres.dtype).eps * total.counts * self.span.scale
        allowed = UNCHANGED * (total.counts * total.squares.clamp(min=0)).sqrt() + UNITS * rounding
        changed = (left > allowed).nonzero().flatten()
        if len(changed):
            raise ValueError(
                f"samples of {len(changed)} of {len(left)} classes are not those of the first look; the data must not "
                "change between the two. Read a loader without augmentation, and a model in a fixed state."
            )

    def _keep_sample(self, inside: Tensor, where: Tensor) -> None:
        if len(self._sampled) > SAMPLE_CLASSES or int(self._sampled.min()) >= SAMPLE_PER_CLASS:
            return
        wanted = (self._sampled[where] < SAMPLE_PER_CLASS).nonzero().flatten()
        places = self.span.coordinates[where[wanted], :SAMPLE_AXES] + inside[wanted, :SAMPLE_AXES].double()
        self._sample.append((where[wanted], places))
        self._sampled += torch.bincount(where[wanted], minlength=len(self._sampled))

    def _sample_seen(self) -> tuple[Tensor, Tensor]:
        if not self._sample:
            return torch.zeros(0, dtype=torch.long), torch.zeros(0, SAMPLE_AXES, dtype=torch.float64)
        labels, places = (torch.cat(parts) for parts in zip(*self._sample, strict=True))
        order = torch.sort(labels, stable=True).indices
        rank = torch.arange(len(labels)) - torch.searchsorted(labels[order], labels[order])
        kept = order[rank < SAMPLE_PER_CLASS].sort().values
        return labels[kept], places[kept]

    def _decide(self, inside: Tensor, where: Tensor, sizes: Tensor, predictions: Tensor) -> None:
        known = (predictions >= 0) & (predictions < len(self._index))
        said = torch.where(known, self._index[predictions.clamp(0, len(self._index) - 1)], -1)
        own, agrees = self._nearest.decide(inside, where, said, sizes)
        for hits, hit in zip(self._hits, (own, said == where, agrees), strict=True):
            hits.index_add_(0, where, hit.double())

    def _flush(self) -> None:
        if not self._pending:
            return
        inside, where, sizes, said = (torch.cat(parts) for parts in zip(*self._pending, strict=True))
        self._pending.clear()
        # many small blocks at once: with few classes the calls cost more than the products
        self._decide(inside, where, sizes, said)
        squares = sizes.square()
        self._axis_squares.index_add_(0, where, inside.double().square())
        if not self._blocks:
            self._rest_block.add(inside, where, squares)
            return
        turns = self._turns(where)
        for number in range(-1, len(self._blocks)):
            rows = (turns == number).nonzero().flatten()
            block = self._rest_block if number < 0 else self._blocks[number]
            block.add(inside[rows], where[rows], squares[rows])

    def _turns(self, where: Tensor) -> Tensor:
        """Deal the samples of each class to the blocks in turn; -1 for the only sample of a class.

        Leaving that one out would lose its class, which no estimate of spread should do.
        """
        order = torch.sort(where, stable=True).indices
        sorted_labels = where[order]
        starts = torch.searchsorted(sorted_labels, sorted_labels)
        rank = torch.empty_like(where)
        rank[order] = torch.arange(len(where)) - starts
        turns = (self._turn[where] + rank) % len(self._blocks)
        self._turn += torch.bincount(where, minlength=len(self._turn))
        turns[self._single[where]] = -1
        return turns


class _Block:
    """Sums of one jackknife block."""

    def __init__(self, classes: int, width: int) -> None:
        self.counts = torch.zeros(classes, dtype=torch.float64)
        self.sums = torch.zeros(classes, width, dtype=torch.float64)
        self.squares = torch.zeros(classes, dtype=torch.float64)
        self.gram = GramSum(width)

    def add(self, inside: Tensor, where: Tensor, squares: Tensor) -> None:
        self.counts.index_add_(0, where, torch.ones_like(squares))
        self.sums.index_add_(0, where, inside.double())
        self.squares.index_add_(0, where, squares)
        self.gram.add(inside)

    def close(self, span: Span, rest: Tensor) -> SpanMoments:
        squares = self.squares - self.counts * rest
        return SpanMoments(span, self.counts, self.sums, squares, self.gram.value())
