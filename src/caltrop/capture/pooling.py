"""From a captured tensor to features [rows, dim]: pooled over positions, flattened, or row by row."""

from __future__ import annotations

from dataclasses import dataclass
from math import prod
from typing import Literal

import torch
from torch import Tensor

from caltrop.capture.layout import Layout

Pool = Literal["auto", "mean", "flatten", "first", "last", "every"]
POOLS: tuple[Pool, ...] = ("auto", "mean", "flatten", "first", "last", "every")


@dataclass(frozen=True)
class Pooling:
    """How one layer becomes [rows, dim], decided once and applied to every batch.

    `how`: "vector" (already so), "rows" (one row per position already), or a `Pool` other than
    "auto". `said`: the same in words, with sizes.
    """

    layout: Layout
    how: str
    said: str

    def features(self, tensor: Tensor, kept: Tensor | None) -> Tensor:
        """[rows, dim] in the tensor's dtype and on its device, sharing no memory with it.

        What runs next may write into the tensor, so nothing is kept by reference.

        Raises:
            ValueError: a sample whose tokens are all padding.
        """
        if self.how == "rows":
            return tensor.detach()[_on(kept, tensor).flatten()] if kept is not None else tensor.detach().clone()
        if self.how == "flatten":
            tensor = tensor.transpose(0, 1) if self.layout.time_first else tensor
            pooled = tensor.detach().flatten(1)
        else:
            pooled = self._over_positions(self.layout.arrange(tensor.detach()), kept)
        if pooled.untyped_storage().data_ptr() == tensor.untyped_storage().data_ptr():
            pooled = pooled.clone(memory_format=torch.contiguous_format)
        return pooled

    def _over_positions(self, arranged: Tensor, kept: Tensor | None) -> Tensor:
        if kept is not None and (arranged.ndim != 3 or kept.shape != arranged.shape[:2]):
            kept = None  # a mask over other tokens than these, for instance before a class token was added
        if self.how == "every":
            return arranged[_on(kept, arranged)] if kept is not None else arranged.flatten(0, -2)
        if arranged.ndim == 2:
            return arranged
        if self.how == "mean":
            return arranged.mean(tuple(range(1, arranged.ndim - 1))) if kept is None else _mean(arranged, kept)
        if kept is None:
            return arranged[:, 0] if self.how == "first" else arranged[:, -1]
        return _end(arranged, kept, self.how)


def fits(kept: Tensor | None, positions: tuple[int, ...], samples: int) -> bool:
    """Whether a mask is about these tokens."""
    return kept is not None and len(positions) == 1 and kept.shape == (samples, positions[0])


def words(how: str, layout: Layout, shape: tuple[int, ...], masked: bool) -> str:
    """The pooling as a reader should see it."""
    positions = layout.positions(shape)
    tokens = layout.side == "last" and len(positions) == 1
    grid = "×".join(str(size) for size in positions)
    if how == "rows":
        return "every token, one row each" + (", padding dropped" if masked else "")
    if how == "flatten":
        return "flattened " + "×".join(str(size) for size in _sizes(shape, layout))
    if how == "every":
        return (f"every one of {grid} positions" if not tokens else "every token") + (
            ", padding dropped" if masked else ""
        )
    if how in ("first", "last"):
        return f"{how} token" + (", padding not counted" if masked else "")
    if how == "vector" or not positions:
        return "vector"
    if tokens:
        return "mean over tokens" + (", padding masked" if masked else "")
    return f"mean over {grid} positions" if prod(positions) > 1 else "vector"


def _sizes(shape: tuple[int, ...], layout: Layout) -> tuple[int, ...]:
    return (shape[0], *shape[2:]) if layout.time_first else shape[1:]


def _on(kept: Tensor | None, tensor: Tensor) -> Tensor:
    assert kept is not None
    return kept.to(tensor.device)


def _mean(tokens: Tensor, kept: Tensor) -> Tensor:
    kept = _on(kept, tokens)
    _refuse_empty(kept)
    # Half precision would overflow in the sum; padding may hold anything, NaN included.
    wide = torch.float32 if tokens.dtype in (torch.float16, torch.bfloat16) else tokens.dtype
    total = tokens.masked_fill(~kept[..., None], 0).sum(1, dtype=wide)
    return (total / kept.sum(1, keepdim=True)).to(tokens.dtype)


def _end(tokens: Tensor, kept: Tensor, how: str) -> Tensor:
    kept = _on(kept, tokens)
    _refuse_empty(kept)
    steps = torch.arange(kept.shape[1], device=tokens.device)
    # not argmax of the mask: ties in argmax have no promised winner
    at = torch.where(kept, steps, -1).amax(1) if how == "last" else torch.where(kept, steps, len(steps)).amin(1)
    return tokens[torch.arange(len(tokens), device=tokens.device), at]


def _refuse_empty(kept: Tensor) -> None:
    empty = ~kept.any(1)
    if bool(empty.any()):
        raise ValueError(
            f"sample {int(empty.nonzero()[0])} of the batch has no token outside its padding, "
            "so it has no features; leave it out of the data."
        )
