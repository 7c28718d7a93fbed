"""A loader small enough to read: pairs of tensors, in order or reshuffled each pass from a seed."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import torch
from jaxtyping import Int64, Shaped
from torch import Tensor


class Batches:
    """Re-iterable `(inputs, labels)` batches of `batch_size` samples; the last one may be smaller.

    With `shuffle_seed`, pass number p (0, 1, …, counted by `passes`) visits the samples in the order drawn
    from the pair (seed, p): two loaders with the same seed give the same batches, whatever else runs. No
    other random state is read or changed. Without it, every pass is the same, as measuring demands.

    Raises ValueError for empty inputs, lengths that differ, or a batch size below 1.
    """

    def __init__(
        self,
        inputs: Shaped[Tensor, "samples ..."],
        labels: Int64[Tensor, "labels"],
        batch_size: int,
        *,
        shuffle_seed: int | None = None,
    ) -> None:
        if len(inputs) != len(labels):
            raise ValueError(
                f"{len(inputs)} inputs come with {len(labels)} labels; every input needs exactly one label."
            )
        if len(inputs) == 0:
            raise ValueError("there are no samples to batch; give at least one input and its label.")
        if batch_size < 1:
            raise ValueError(f"batch_size={batch_size} is impossible; give 1 or more.")
        self.inputs = inputs
        self.labels = labels
        self.batch_size = batch_size
        self.shuffle_seed = shuffle_seed
        self.passes = 0

    def __len__(self) -> int:
        return -(-len(self.inputs) // self.batch_size)

    def __iter__(self) -> Iterator[tuple[Tensor, Tensor]]:
        # The pass is counted here, not in the generator's body, so that an abandoned pass counts too
        # and the next one never repeats its order.
        number = self.passes
        self.passes += 1
        return self._batches(number)

    def _batches(self, number: int) -> Iterator[tuple[Tensor, Tensor]]:
        order = self._order(number)
        for start in range(0, len(self.inputs), self.batch_size):
            if order is None:
                chosen: slice | Tensor = slice(start, start + self.batch_size)
            else:
                chosen = order[start : start + self.batch_size]
            yield self.inputs[chosen], self.labels[chosen]

    def _order(self, number: int) -> Int64[Tensor, "samples"] | None:
        if self.shuffle_seed is None:
            return None
        order = np.random.default_rng([self.shuffle_seed, number]).permutation(len(self.inputs))
        return torch.from_numpy(order.astype(np.int64)).to(self.inputs.device)
