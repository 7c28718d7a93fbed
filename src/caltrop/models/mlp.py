"""A multilayer perceptron."""

from __future__ import annotations

import itertools
from collections.abc import Sequence

from jaxtyping import Float
from torch import Tensor, nn


class Mlp(nn.Module):
    """Fully connected layers of the given `widths`, each with batch norm and ReLU, then a linear head.

    Inputs of any shape `[samples, ...]` are flattened to `in_features`. The modules are `blocks.0`,
    `blocks.1`, … (linear, batch norm, ReLU; `blocks.0` outputs the activations) and `head` (with bias).
    Weights are torch's defaults, drawn from its global generator.
    """

    def __init__(self, in_features: int, widths: Sequence[int], num_classes: int, batch_norm: bool = True) -> None:
        super().__init__()
        if not widths:
            raise ValueError("widths is empty; an Mlp needs at least one hidden layer.")
        sizes = [in_features, *widths]
        self.blocks = nn.ModuleList(_block(before, after, batch_norm) for before, after in itertools.pairwise(sizes))
        self.head = nn.Linear(sizes[-1], num_classes)

    def forward(self, inputs: Float[Tensor, "samples *shape"]) -> Float[Tensor, "samples classes"]:
        """Logits."""
        features = inputs.flatten(1)
        for block in self.blocks:
            features = block(features)
        logits: Tensor = self.head(features)
        return logits


def _block(before: int, after: int, batch_norm: bool) -> nn.Sequential:
    # A bias in front of batch norm would be subtracted again at once.
    linear = nn.Linear(before, after, bias=not batch_norm)
    return nn.Sequential(linear, *([nn.BatchNorm1d(after)] if batch_norm else []), nn.ReLU())
