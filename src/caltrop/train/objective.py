"""What training minimises: how far logits are from their labels, and which penalties stand beside it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from jaxtyping import Float, Int64
from torch import Tensor, nn
from torch.nn.functional import cross_entropy, one_hot

# (logits [samples, classes], labels [samples], reduction="mean" or "sum") to a scalar
Loss = Callable[..., Tensor]


def squared_error(
    logits: Float[Tensor, "samples classes"], labels: Int64[Tensor, "samples"], reduction: str = "mean"
) -> Float[Tensor, ""]:
    r"""$\tfrac12\|z-e_y\|^2$, the mean over samples or (reduction="sum") their sum."""
    errors = logits - one_hot(labels, logits.shape[1]).to(logits.dtype)
    total = errors.square().sum() / 2
    return total / len(labels) if reduction == "mean" else total


@dataclass(frozen=True)
class Objective:
    r"""The mean loss of the samples, weight decay on some of the parameters, and a ridge on some features.

    $$\tfrac1N\sum_i\ell(z_i,y_i)+\tfrac{\lambda_W}{2}\|\theta\|^2+\tfrac{\lambda_H}{2}\sum_{i=1}^N\|h_i\|^2$$

    loss
        ℓ: torch's `cross_entropy`, or `squared_error`.
    decayed
        The submodule to whose parameters θ weight decay (λ_W of the recipe) is confined; "" is the whole network.
    penalised
        The submodule whose input h is penalised.
    feature_decay
        λ_H for each of the N training samples, so that N λ_H/2 stands before the mean of ‖h‖² over a batch.
    """

    loss: Loss = field(default=cross_entropy)
    decayed: str = ""
    penalised: str = "head"
    feature_decay: float = 0.0

    def __post_init__(self) -> None:
        if not 0 <= self.feature_decay < float("inf"):
            raise ValueError(f"feature_decay={self.feature_decay} must be finite and at least 0.")

    def groups(self, model: nn.Module, weight_decay: float) -> list[dict[str, Any]]:
        """The parameters as the optimiser wants them, decayed and free ones apart."""
        decayed = list(model.get_submodule(self.decayed).parameters())
        marks = set(map(id, decayed))
        free = [parameter for parameter in model.parameters() if id(parameter) not in marks]
        groups = [{"params": decayed, "weight_decay": weight_decay}, {"params": free, "weight_decay": 0.0}]
        return [group for group in groups if group["params"]]

    def of_batch(self, model: nn.Module, inputs: Tensor, labels: Tensor, num_samples: int) -> Float[Tensor, ""]:
        """The batch's mean loss with its share of the feature penalty over `num_samples` training samples."""
        if self.feature_decay == 0:
            return self.loss(model(inputs), labels)
        kept: list[Tensor] = []
        # for this forward only: whoever looks at the network between two steps finds it without hooks
        hook = model.get_submodule(self.penalised).register_forward_pre_hook(lambda _, given: kept.append(given[0]))
        try:
            fit = self.loss(model(inputs), labels)
        finally:
            hook.remove()
        (features,) = kept
        return fit + self.feature_decay * num_samples / (2 * len(features)) * features.square().sum()

    def penalties(self, model: nn.Module, squares: float, weight_decay: float) -> tuple[float, float]:
        """λ_W/2‖θ‖² now, and λ_H/2 times `squares`, the sum of ‖h‖² over all samples."""
        decayed = model.get_submodule(self.decayed).parameters()
        norm = sum(float(parameter.detach().double().square().sum()) for parameter in decayed)
        return weight_decay / 2 * norm, self.feature_decay / 2 * squares

    def describe(self) -> str:
        """What is minimised, in a few words."""
        name = getattr(self.loss, "__name__", "a loss of one's own").replace("_", "-")
        ridge = f", feature penalty {self.feature_decay:g} for each sample" if self.feature_decay else ""
        return f"{name}{ridge}"

    def where_decayed(self) -> str:
        """Where weight decay acts, as an end of a sentence; "" where it is everywhere."""
        return f" on {self.decayed} only" if self.decayed else ""


PLAIN = Objective()
