"""The last layer of a network: what turns features into scores."""

from __future__ import annotations

from dataclasses import dataclass

from jaxtyping import Float
from torch import Tensor


@dataclass(frozen=True)
class Head:
    """Weights, bias and thresholds of the last layer, float64 on the CPU. Heads do not merge.

    `thresholds` belong to ordinal heads only.
    """

    weights: Float[Tensor, "classes dim"]
    bias: Float[Tensor, "classes"] | None = None
    thresholds: Float[Tensor, "cuts"] | None = None

    @classmethod
    def of(cls, weights: Tensor, bias: Tensor | None = None, thresholds: Tensor | None = None) -> Head:
        """Float64 copies on the CPU, detached; later training steps do not change them."""

        def copy(tensor: Tensor | None) -> Tensor | None:
            return None if tensor is None else tensor.detach().to("cpu").double().clone()

        rows = copy(weights)
        if rows is None or rows.ndim != 2:
            given = "none" if rows is None else list(rows.shape)
            raise ValueError(f"head weights have shape {given}; expected [classes, dim].")
        if bias is not None and bias.ndim != 1:
            raise ValueError(f"the head's bias has shape {list(bias.shape)}; expected [classes], one entry per class.")
        if bias is not None and len(bias) != len(rows):
            raise ValueError(
                f"the head has {len(rows)} weight rows but {len(bias)} biases; both must have one entry per class."
            )
        return cls(rows, copy(bias), copy(thresholds))

    @property
    def num_classes(self) -> int:
        """Rows of the head."""
        return len(self.weights)

    def select(self, classes: Tensor) -> Head:
        """The head restricted to the given class indices."""
        bias = None if self.bias is None else self.bias[classes]
        return Head(self.weights[classes], bias, self.thresholds)
