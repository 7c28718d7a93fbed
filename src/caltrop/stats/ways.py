"""The three ways to see everything, and the rule that chooses one of them."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

import torch

from caltrop.stats.accumulator import SCATTER_DIM

# A stream's residuals may take this much memory or temporary disk in all before it is replayed instead.
SPOOL_BYTES = 2 * 2**30


class Way(StrEnum):
    """How the statistics of a layer are taken; every row says which was used."""

    ONE_PASS = "one pass"
    TWO_PASSES = "two passes"
    SPOOL = "residual spool"


@dataclass(frozen=True)
class Look:
    """What the requested measures need of a layer."""

    spread: bool = True  # spreads of the classes, with their half-widths
    span: bool = True  # the scatter inside the span of the class means
    decisions: bool = True  # nearest-centre or head decisions, sample by sample
    scatter: bool = False  # the dim x dim scatter itself


def choose_way(
    look: Look,
    *,
    dim: int,
    num_samples: int | None,
    in_hand: bool,
    storage: torch.dtype,
    budget: int = SPOOL_BYTES,
) -> Way:
    """The way for one layer.

    * Where only class means and the head are looked at: one pass.
    * Features in hand: two passes over them; nothing is cheaper than reading again.
    * A stream whose residuals fit `budget` bytes: one pass and a spool.
    * A longer stream of which no sample has to be seen twice (no decisions, and the scatter fits, d ≤ 512): one
      pass, without half-widths.
    * Any other stream is read twice. An unknown length counts as too long.
    """
    if not (look.spread or look.span or look.decisions or look.scatter):
        return Way.ONE_PASS
    if in_hand:
        return Way.TWO_PASSES
    if num_samples is not None and num_samples * dim * storage.itemsize <= budget:
        return Way.SPOOL
    if not look.decisions and (dim <= SCATTER_DIM or not (look.span or look.scatter)):
        return Way.ONE_PASS
    return Way.TWO_PASSES
