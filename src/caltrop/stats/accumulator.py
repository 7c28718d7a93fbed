"""Accumulators: take batches, close to frozen moments.

Means come from float64 sums of the features themselves. Everything quadratic comes from residuals to
a per-class anchor: raw second moments lose the terminal phase in every precision, and so do moments
about one common shift.
"""

from __future__ import annotations

from collections.abc import Iterator

import torch
from jaxtyping import Float, Int
from torch import Tensor

from caltrop.linalg import GramSum
from caltrop.stats.class_moments import ClassMoments

# d x d is kept by default only below this width; 12 d² bytes is what it costs.
SCATTER_DIM = 512
# Values per block: 4 MiB of float32, which stays in cache through convert, subtract, norm and sum.
BLOCK_VALUES = 2**20
# Rows a Gram product should have at least: below, its d x d update costs more than the product.
GRAM_ROWS = 1024
# Norms whose squares, and sums of millions of them, are float32 numbers with all their digits.
FLOAT32_SQUARES = (1e-10, 1e10)


def row_blocks(count: int, dim: int) -> Iterator[slice]:
    """Slices of at most `BLOCK_VALUES` values."""
    step = max(1, BLOCK_VALUES // max(1, dim))
    return (slice(start, min(start + step, count)) for start in range(0, count, step))


def working(features: Tensor) -> Tensor:
    """Features in the precision products run in: float32 at least. Never a copy where none is needed."""
    rows = features.detach()
    if rows.device.type not in ("cpu", "cuda"):
        rows = rows.cpu()  # some devices have no float64 to flush to
    return rows if rows.dtype in (torch.float32, torch.float64) else rows.float()


def within_range(rows: Float[Tensor, "n d"], norms: Float[Tensor, "n"]) -> Float[Tensor, "n d"]:
    """Float64 where float32 squares would overflow in sums, or vanish: features of 1e-24 have a variability, too."""
    if rows.dtype == torch.float64 or len(rows) == 0 or FLOAT32_SQUARES[0] < float(norms.max()) < FLOAT32_SQUARES[1]:
        return rows
    return rows.double()


def check_finite(rows: Float[Tensor, "n d"], norms: Float[Tensor, "n"], layer: str, positions: Tensor) -> None:
    """Refuse NaN and infinite features by layer and sample. Row norms already know: no extra pass."""
    if bool(torch.isfinite(norms.sum())):
        return
    bad = (~torch.isfinite(rows)).any(1).nonzero().flatten()
    if len(bad) == 0:
        if bool(torch.isfinite(norms).all()):
            return
        raise ValueError(
            f"features of layer '{layer}' are finite but so large that their squares overflow {rows.dtype}; "
            "pass them as float64, or rescale them."
        )
    row = int(bad[0])
    column = int((~torch.isfinite(rows[row])).nonzero()[0])
    raise ValueError(
        f"features of layer '{layer}' are not finite: sample {int(positions[row])} has "
        f"{float(rows[row, column])} at coordinate {column}"
        f"{f' ({len(bad)} such samples in this batch)' if len(bad) > 1 else ''}. "
        "Find out where the network overflows, or leave these samples out."
    )


class MeanAccumulator:
    """Counts and float64 class sums: the first of two passes, and the mean half of every pass."""

    def __init__(self, num_classes: int, dim: int, *, layer: str = "features") -> None:
        self.layer = layer
        self.storage: torch.dtype | None = None
        self.num_seen = 0
        self.num_classes = num_classes
        self.counts = torch.zeros(num_classes, dtype=torch.float64)
        self.sums = torch.zeros(num_classes, dim, dtype=torch.float64)
        self._wide: Tensor | None = None

    @property
    def dim(self) -> int:
        """Width of the features."""
        return self.sums.shape[1]

    def update(
        self,
        features: Float[Tensor, "n d"],
        labels: Int[Tensor, "n"],
        positions: Int[Tensor, "n"] | None = None,
    ) -> None:
        """Add a batch. `positions` are the samples' places in the stream, for error messages."""
        self._check(features, labels)
        places = torch.arange(len(labels)) + self.num_seen if positions is None else positions
        for block in row_blocks(len(labels), self.dim):
            rows = working(features[block])
            check_finite(rows, torch.linalg.vector_norm(rows, dim=1), self.layer, places[block])
            self.add(rows, labels[block].to(rows.device))
        self.num_seen += len(labels)

    def add(self, rows: Tensor, labels: Tensor) -> None:
        """Add one checked block, already in working precision."""
        if self.sums.device != rows.device:
            self.sums = self.sums.to(rows.device)
            self.counts = self.counts.to(rows.device)
        if self._wide is None or len(self._wide) < len(rows) or self._wide.device != rows.device:
            self._wide = torch.empty(rows.shape, dtype=torch.float64, device=rows.device)
        # Converting into one kept buffer is several times faster than into fresh memory.
        wide = rows if rows.dtype == torch.float64 else self._wide[: len(rows)].copy_(rows)
        self.sums.index_add_(0, labels, wide)
        self.counts.index_add_(0, labels, torch.ones_like(labels, dtype=torch.float64))

    def means(self) -> tuple[Float[Tensor, "classes"], Float[Tensor, "classes dim"]]:
        """Counts and class means, on the CPU; the mean of a class without samples is 0."""
        counts = self.counts.cpu()
        return counts, self.sums.cpu() / counts.clamp(min=1)[:, None]

    def grow(self, num_classes: int) -> None:
        """Make room for labels up to `num_classes - 1`."""
        self.num_classes = max(self.num_classes, num_classes)
        extra = max(num_classes, 2 * len(self.counts)) - len(self.counts)
        if num_classes > len(self.counts):
            self.counts = torch.cat([self.counts, self.counts.new_zeros(extra)])
            self.sums = torch.cat([self.sums, self.sums.new_zeros(extra, self.dim)])

    def trim(self) -> None:
        """Drop the spare room that `grow` left."""
        self.counts, self.sums = self.counts[: self.num_classes], self.sums[: self.num_classes]

    def _check(self, features: Tensor, labels: Tensor) -> None:
        if len(features) != len(labels):
            raise ValueError(
                f"layer '{self.layer}' has {len(features)} feature rows but {len(labels)} labels; "
                "every sample needs exactly one of each."
            )
        if features.shape[1] != self.dim:
            raise ValueError(
                f"layer '{self.layer}' had {self.dim} features per sample before and has "
                f"{features.shape[1]} now; samples of different sizes need pooling first."
            )
        if len(labels) and not 0 <= int(labels.min()) <= int(labels.max()) < self.num_classes:
            raise ValueError(
                f"labels span [{int(labels.min())}, {int(labels.max())}], but num_classes={self.num_classes} "
                f"allows only 0..{self.num_classes - 1}. Relabel the data, or pass the true number of classes."
            )
        if self.storage is None or torch.finfo(features.dtype).eps > torch.finfo(self.storage).eps:
            self.storage = features.dtype


class ClassAccumulator:
    r"""One anchored pass: closes to `ClassMoments`, with the dim × dim scatter if asked for.

    The anchor $a_k$ of a class is the mean of its samples in the first batch that has any, rounded to
    working precision. Residuals $r=x-a_y$ are exact, or nearly so, once features collapse (Sterbenz), so
    float32 products of residuals lose nothing that matters:
    $N\Sigma_W=\sum rr^\top-\sum_k n_k\delta_k\delta_k^\top$ with $\delta_k=\mu_k-a_k$.
    """

    def __init__(self, num_classes: int, dim: int, *, scatter: bool = False, layer: str = "features") -> None:
        self.first = MeanAccumulator(num_classes, dim, layer=layer)
        self.anchors: Tensor | None = None
        self._seen = torch.zeros(num_classes, dtype=torch.bool)
        self._squares = torch.zeros(num_classes, dtype=torch.float64)
        self._gram = GramSum(dim) if scatter else None
        self._pending: list[Tensor] = []
        self._room: Tensor | None = None

    def update(
        self,
        features: Float[Tensor, "n d"],
        labels: Int[Tensor, "n"],
        positions: Int[Tensor, "n"] | None = None,
    ) -> None:
        """Add a batch; see `residuals`."""
        for _ in self.residuals(features, labels, positions):
            pass

    def residuals(
        self, features: Tensor, labels: Tensor, positions: Tensor | None = None
    ) -> Iterator[tuple[Tensor, Tensor]]:
        """Add a batch, and hand on its residuals with their labels, block by block, for a spool."""
        first = self.first
        first._check(features, labels)
        places = torch.arange(len(labels)) + first.num_seen if positions is None else positions
        for block in row_blocks(len(labels), first.dim):
            rows = working(features[block])
            where = labels[block].to(rows.device)
            norms = torch.linalg.vector_norm(rows, dim=1)
            check_finite(rows, norms, first.layer, places[block])
            rows = within_range(rows, norms)
            first.add(rows, where)
            anchors = self._anchors_for(rows, where)
            if self._room is None or len(self._room) < len(rows) or self._room.dtype != anchors.dtype:
                self._room = torch.empty(rows.shape, dtype=anchors.dtype, device=rows.device)
            # a gather into kept memory is several times faster; the residuals themselves are handed on
            residual = rows - torch.index_select(anchors, 0, where, out=self._room[: len(rows)])
            self._add_residuals(residual, where)
            yield residual, labels[block]
        first.num_seen += len(labels)

    def grow(self, num_classes: int) -> None:
        """Make room for labels up to `num_classes - 1`."""
        self.first.grow(num_classes)
        extra = len(self.first.counts) - len(self._seen)
        if extra > 0:
            self._seen = torch.cat([self._seen, self._seen.new_zeros(extra)])
            self._squares = torch.cat([self._squares, self._squares.new_zeros(extra)])
            if self.anchors is not None:
                self.anchors = torch.cat([self.anchors, self.anchors.new_zeros(extra, self.first.dim)])

    def close(self) -> ClassMoments:
        """The moments so far."""
        self.first.trim()
        counts, means = self.first.means()
        size = len(counts)
        self._seen, self._squares = self._seen[:size], self._squares[:size]
        if self.anchors is not None:
            self.anchors = self.anchors[:size]
        shift = torch.zeros_like(means) if self.anchors is None else means - self.anchors.cpu().double()
        shift[counts == 0] = 0
        # Rounding may leave a spread of -1e-20 where all samples of a class are equal.
        spread = (self._squares.cpu() - counts * shift.square().sum(1)).clamp(min=0)
        scatter = None
        if self._gram is not None:
            self._flush_gram()
            scatter = self._gram.value() - (shift * counts[:, None]).T @ shift
        return ClassMoments(counts, means, spread, scatter, self.first.storage or torch.float32)

    def _anchors_for(self, rows: Tensor, labels: Tensor) -> Tensor:
        if self.anchors is None:
            size = (len(self._seen), self.first.dim)
            self.anchors = torch.zeros(size, dtype=rows.dtype, device=rows.device)
            self._seen, self._squares = self._seen.to(rows.device), self._squares.to(rows.device)
        elif rows.dtype == torch.float64 and self.anchors.dtype != torch.float64:
            self.anchors = self.anchors.double()  # exact; the other way round would move the anchors
        fresh = ~self._seen[labels]
        if bool(fresh.any()):
            classes, inverse = torch.unique(labels[fresh], return_inverse=True)
            sums = torch.zeros(len(classes), self.first.dim, dtype=torch.float64, device=rows.device)
            sums.index_add_(0, inverse, rows[fresh].double())
            sizes = torch.bincount(inverse, minlength=len(classes))[:, None]
            self.anchors[classes] = (sums / sizes).to(rows.dtype).to(self.anchors.dtype)
            self._seen[classes] = True
        return self.anchors

    def _add_residuals(self, residual: Tensor, labels: Tensor) -> None:
        norms = torch.linalg.vector_norm(residual, dim=1).double()
        self._squares.index_add_(0, labels, norms.square())
        if self._gram is None:
            return
        self._pending.append(residual)
        if sum(map(len, self._pending)) >= GRAM_ROWS:
            self._flush_gram()

    def _flush_gram(self) -> None:
        if self._gram is not None and self._pending:
            self._gram.add(torch.cat(self._pending) if len(self._pending) > 1 else self._pending[0])
            self._pending.clear()
