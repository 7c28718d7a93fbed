"""The last layer of a network: what turns features into scores."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from caltrop.linalg import tensor_of
from caltrop.stats.pairs import Pairs


@dataclass(frozen=True)
class Head:
    """Weights, bias and thresholds of the last layer, float64 on the CPU. Heads do not merge.

    `thresholds` belong to ordinal heads only.
    """

    weights: Float[Tensor, "classes dim"]
    bias: Float[Tensor, "classes"] | None = None
    thresholds: Float[Tensor, "cuts"] | None = None

    @classmethod
    def of(
        cls,
        weights: Tensor | np.ndarray | Sequence[Any],
        bias: Tensor | np.ndarray | Sequence[Any] | None = None,
        thresholds: Tensor | np.ndarray | Sequence[Any] | None = None,
    ) -> Head:
        """Float64 copies on the CPU of weights [classes, dim] and bias [classes]; later training does not change them.

        Raises
        ------
        ValueError
            Where shapes are not these, or disagree.
        """
        rows = _copied(weights)
        offsets = None if bias is None else _copied(bias)
        if rows.ndim != 2:
            raise ValueError(f"head weights have shape {list(rows.shape)}; expected [classes, dim].")
        if offsets is not None and offsets.ndim != 1:
            raise ValueError(f"the head's bias has shape {list(offsets.shape)}; expected [classes], one per class.")
        if offsets is not None and len(offsets) != len(rows):
            raise ValueError(
                f"the head has {len(rows)} weight rows but {len(offsets)} biases; both must have one entry per class."
            )
        return cls(rows, offsets, None if thresholds is None else _copied(thresholds))

    @property
    def num_classes(self) -> int:
        """Rows of the head."""
        return len(self.weights)

    @cached_property
    def pairs(self) -> Pairs:
        """All pairs of rows as they are, looked at once."""
        return Pairs.of(self.weights, torch.zeros(self.num_classes, dtype=torch.float64))

    def select(self, classes: Tensor) -> Head:
        """The head restricted to the given class indices."""
        bias = None if self.bias is None else self.bias[classes]
        return Head(self.weights[classes], bias, self.thresholds)


def _copied(values: object) -> Tensor:
    return tensor_of(values).to("cpu").double().clone()
