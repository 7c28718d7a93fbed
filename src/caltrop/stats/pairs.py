"""Everything that needs a look at all pairs of classes, from one blocked scan."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor

from caltrop.linalg import COINCIDE, TILE, upper_tiles

# Above this many rows products run in float32; pairs that come close are done again in float64.
WIDE_SCAN = 8192
# ‖a‖²+‖b‖²−2ab cancels: below this share of ‖a‖²+‖b‖² the distance is taken from the difference itself.
CANCEL = {torch.float64: 1e-6, torch.float32: 1e-2}


@dataclass(frozen=True)
class Pairs:
    r"""Per-class statistics over all partners, of rows $x_k$ [classes, r] with variances $v_k$.

    `angle` mean of $|\cos+1/(K-1)|$; `largest` and `largest_abs`: largest cosine and largest $|\cos|$;
    `cdnv` mean of $(v_k+v_{k'})/(2\|x_k-x_{k'}\|^2)$, `inverse` mean of $1/(2\|x_k-x_{k'}\|^2)$;
    `log_inverse` mean of $\log(1/\|\hat x_k-\hat x_{k'}\|)$;
    `nearest` smallest distance $\|x_k-x_{k'}\|$ and `partner` who has it. A row of zeros has no direction:
    its cosines are NaN.
    """

    angle: Float[Tensor, "classes"]
    largest: Float[Tensor, "classes"]
    largest_abs: Float[Tensor, "classes"]
    cdnv: Float[Tensor, "classes"]
    inverse: Float[Tensor, "classes"]
    log_inverse: Float[Tensor, "classes"]
    nearest: Float[Tensor, "classes"]
    partner: Tensor

    @classmethod
    def of(cls, rows: Float[Tensor, "classes r"], variances: Float[Tensor, "classes"], scale: float = 0.0) -> Pairs:
        """One scan of the upper triangle: O(K² r) work, O(tile²) memory.

        `scale`: norm against which rounding is judged; differences below 1e-13 of it are zero.
        """
        return _Scan(rows, variances, scale).run()


class _Scan:
    def __init__(self, rows: Tensor, variances: Tensor, scale: float) -> None:
        count = len(rows)
        self.rows, self.variances, self.count = rows, variances, count
        self.norms = torch.linalg.vector_norm(rows, dim=1)
        self.floor = (COINCIDE * max(scale, float(self.norms.max()))) ** 2
        # A direction shorter than rounding is no direction.
        self.lengths = torch.where(self.norms.square() > self.floor, self.norms, torch.nan)
        self.work = rows.float() if count > WIDE_SCAN else rows
        self.angle, self.cdnv, self.inverse, self.log_inverse = torch.zeros(4, count, dtype=torch.float64)
        self.largest = torch.full((count,), -torch.inf, dtype=torch.float64)
        self.largest_abs = torch.full((count,), -torch.inf, dtype=torch.float64)
        self.nearest = torch.full((count,), torch.inf, dtype=torch.float64)
        self.partner = torch.zeros(count, dtype=torch.long)

    def run(self) -> Pairs:
        for tile in upper_tiles(self.work, TILE):
            products = tile.products.double()
            self._angles(products, tile.left, tile.right, tile.pairs)
            self._distances(products, tile.left, tile.right, tile.pairs)
        others = self.count - 1
        return Pairs(
            self.angle / others,
            self.largest,
            self.largest_abs,
            self.cdnv / others,
            self.inverse / others,
            self.log_inverse / others,
            self.nearest.clamp(min=0).sqrt(),
            self.partner,
        )

    def _angles(self, products: Tensor, left: Tensor, right: Tensor, pairs: Tensor) -> None:
        cosines = products / self.lengths[left, None] / self.lengths[None, right]
        # ‖û−v̂‖² = 2−2cos cancels for close directions: there the difference decides, and gives the cosine back
        squares = 2 - 2 * cosines
        close = pairs & (squares < CANCEL[self.work.dtype])
        self._exact(squares, close, left, right, 1 / self.lengths)
        cosines = torch.where(close, 1 - squares / 2, cosines)
        self._sum(self.angle, (cosines + 1 / (self.count - 1)).abs(), left, right, pairs)
        self._max(self.largest, cosines, left, right, pairs)
        self._max(self.largest_abs, cosines.abs(), left, right, pairs)
        squares = torch.where(squares <= COINCIDE**2, 0.0, squares)
        self._sum(self.log_inverse, -0.5 * torch.log(squares), left, right, pairs)

    def _distances(self, products: Tensor, left: Tensor, right: Tensor, pairs: Tensor) -> None:
        size = self.norms[left, None].square() + self.norms[None, right].square()
        squares = size - 2 * products
        close = pairs & (squares < CANCEL[self.work.dtype] * size)
        self._exact(squares, close, left, right, torch.ones_like(self.lengths))
        squares = torch.where(squares > self.floor, squares, 0.0)
        spread = self.variances[left, None] + self.variances[None, right]
        # no spread around two means at one place is 0/0: undefined, which NaN says
        self._sum(self.cdnv, spread / (2 * squares), left, right, pairs)
        self._sum(self.inverse, 0.5 / squares, left, right, pairs)
        apart = squares.masked_fill(~pairs, torch.inf)
        for axis, mine, theirs in ((1, left, right), (0, right, left)):
            value, place = apart.min(axis)
            better = value < self.nearest[mine]
            self.nearest[mine] = torch.where(better, value, self.nearest[mine])
            self.partner[mine] = torch.where(better, theirs[place], self.partner[mine])

    def _exact(self, squares: Tensor, close: Tensor, left: Tensor, right: Tensor, scale: Tensor) -> None:
        """Replace squared distances that cancelled by those of the differences of scaled rows."""
        if not bool(close.any()):
            return
        first, second = close.nonzero(as_tuple=True)
        for part in torch.split(torch.arange(len(first)), TILE):
            mine, theirs = left[first[part]], right[second[part]]
            gap = self.rows[mine] * scale[mine, None] - self.rows[theirs] * scale[theirs, None]
            squares[first[part], second[part]] = gap.square().sum(1)

    @staticmethod
    def _sum(into: Tensor, values: Tensor, left: Tensor, right: Tensor, pairs: Tensor) -> None:
        kept = values.masked_fill(~pairs, 0.0)
        into[left] += kept.sum(1)
        into[right] += kept.sum(0)

    @staticmethod
    def _max(into: Tensor, values: Tensor, left: Tensor, right: Tensor, pairs: Tensor) -> None:
        kept = values.masked_fill(~pairs, -torch.inf)
        into[left] = torch.maximum(into[left], kept.amax(1))
        into[right] = torch.maximum(into[right], kept.amax(0))
