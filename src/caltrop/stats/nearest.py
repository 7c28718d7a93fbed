"""Whose mean is nearest: exact decisions inside the span, without products where the triangle inequality decides."""

from __future__ import annotations

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from caltrop.linalg import TILE, matmul, upper_tiles
from caltrop.stats.accumulator import row_blocks

# A tie for nearest: scores that differ by less than rounding. What is known in float64 is wrong by a few units of
# its last place, scaled by squared norms; a projection by a few units of its own precision, scaled by the residual.
TIE = 1e-12
UNITS = 4
# From here on one scan of all pairs of means is worth the products it saves.
MANY_CLASSES = 256
# More than a float32 norm can be wrong by.
ROUNDED_UP = 1.001


class NearestCentre:
    """Decides against fixed centres [classes, r].

    A sample closer to its own centre than half the way to the next is nearest to its own (Elkan, 2003): with
    many classes and enough samples most are certified so, and only the rest is compared with all centres.
    """

    def __init__(self, centres: Float[Tensor, "classes r"], num_samples: float) -> None:
        self.centres = centres
        self._heights = centres.square().sum(1) / 2
        self._gaps: Tensor | None = None
        self._certify = MANY_CLASSES < len(centres) <= num_samples

    def decide(
        self,
        inside: Float[Tensor, "n r"],
        where: Int[Tensor, "n"],
        said: Int[Tensor, "n"],
        sizes: Float[Tensor, "n"],
    ) -> tuple[Bool[Tensor, "n"], Bool[Tensor, "n"]]:
        """Whether the own centre, and whether the centre `said` (-1 for none of them), is (among) the nearest.

        `inside` are positions relative to the own centre, `sizes` the norms of the residuals they were projected from.
        """
        own, agrees = torch.ones(len(where), dtype=torch.bool), said == where
        rest = self._uncertified(inside, where, sizes)
        for part in row_blocks(len(rest), len(self.centres)):
            rows = rest[part]
            own[rows], agrees[rows] = self._compare(inside[rows], where[rows], said[rows], sizes[rows])
        return own, agrees

    def _uncertified(self, inside: Tensor, where: Tensor, sizes: Tensor) -> Tensor:
        if not self._certify:
            return torch.arange(len(where))
        if self._gaps is None:
            self._gaps = _gaps(self.centres)
        away = ROUNDED_UP * torch.linalg.vector_norm(inside, dim=1).double()
        gap = self._gaps[where]
        # scores are half squared distances: another centre at distance D is behind by D(D/2−‖p‖) at least
        highest = 2 * self._heights.max()
        certified = gap * (gap / 2 - away) > self._tie(inside, sizes, 3 * highest + 2 * away.square())
        rest: Tensor = (~certified).nonzero().flatten()
        return rest

    def _compare(self, inside: Tensor, where: Tensor, said: Tensor, sizes: Tensor) -> tuple[Tensor, Tensor]:
        # The part of a sample outside the span is equally far from every class mean: drop it.
        places = self.centres[where] + inside.double()
        scores = self._heights[None, :] - matmul(places, self.centres.T)
        least = scores.amin(1) + self._tie(inside, sizes, places.square().sum(1) + 2 * self._heights.max())
        own = scores.gather(1, where[:, None])[:, 0] <= least
        agrees = (scores.gather(1, said.clamp(min=0)[:, None])[:, 0] <= least) & (said >= 0)
        return own, agrees

    def _tie(self, inside: Tensor, sizes: Tensor, scale: Tensor) -> Tensor:
        """How far scores may differ by rounding: of themselves (`scale`), and of the projection of residuals."""
        projected = UNITS * torch.finfo(inside.dtype).eps * sizes * (2 * self._heights.max()).sqrt()
        return TIE * scale + projected


def _gaps(centres: Tensor) -> Tensor:
    """A lower bound of the distance of each centre to the next one."""
    scale = torch.linalg.vector_norm(centres, dim=1).max()
    rows = (centres / scale).float()
    sizes = rows.square().sum(1)
    # float32 products of unit rows are wrong by at most r units in the last place
    slack = (rows.shape[1] + 8) * torch.finfo(torch.float32).eps
    nearest = torch.full_like(sizes, torch.inf)
    for tile in upper_tiles(rows, TILE):
        squares = tile.products.mul_(-2).add_((1 - slack) * sizes[tile.left, None])
        squares.add_((1 - slack) * sizes[None, tile.right]).masked_fill_(~tile.pairs, torch.inf)
        nearest[tile.left] = torch.minimum(nearest[tile.left], squares.amin(1))
        nearest[tile.right] = torch.minimum(nearest[tile.right], squares.amin(0))
    gaps: Tensor = scale * nearest.clamp(min=0).double().sqrt()
    return gaps
