"""A head of several weight matrices without bias: linear, or with ReLU between them."""

from __future__ import annotations

import math
from collections import OrderedDict

from jaxtyping import Float
from torch import Tensor, nn


class DeepHead(nn.Module):
    r"""Logits $W_L\,\sigma(W_{L-1}\cdots\sigma(W_1h))$ of features h, $\sigma$ the identity or ReLU, no biases.

    This is the head of the deep unconstrained features models: ReLU stands between the matrices, not in front of the
    first one. `matrices.0` … `matrices.{depth−1}` are $W_1$ … $W_L$, all but the last [dim, dim]; they are drawn from
    torch's global generator, normal with standard deviation `init_scale`/√dim. (torch's own linear layers have
    0.58/√dim, from which a deep head with ReLU and penalties may never learn some of the classes.)

    Raises ValueError for a depth or a width below 1, or a scale that is not positive.
    """

    def __init__(self, dim: int, num_classes: int, depth: int, *, relu: bool = False, init_scale: float = 1.0) -> None:
        super().__init__()
        if depth < 1 or dim < 1 or not 0 < init_scale < math.inf:
            raise ValueError(
                f"depth={depth} and dim={dim} must be 1 or more, and init_scale={init_scale} positive: "
                "otherwise there is no head, or one that never learns."
            )
        outputs = [*[dim] * (depth - 1), num_classes]
        self.matrices = nn.ModuleList(nn.Linear(dim, after, bias=False) for after in outputs)
        self.relu = relu
        for weights in self.weights:
            nn.init.normal_(weights, std=init_scale / math.sqrt(dim))

    @property
    def depth(self) -> int:
        """L, the number of matrices."""
        return len(self.matrices)

    @property
    def weights(self) -> list[Tensor]:
        """W_1 … W_L, each [outputs, inputs]."""
        return list(self.parameters())

    def forward(self, features: Float[Tensor, "samples dim"]) -> Float[Tensor, "samples classes"]:
        """Logits."""
        values: Tensor = self.matrices[0](features)
        for matrix in self.matrices[1:]:
            values = matrix(values.relu() if self.relu else values)
        return values


def with_deep_head(backbone: nn.Module, head: DeepHead) -> nn.Sequential:
    """`backbone`, whose outputs are features of any sign, and `head` on top of it, under these two names."""
    return nn.Sequential(OrderedDict(backbone=backbone, head=head))
