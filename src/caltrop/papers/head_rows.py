"""What a deep head costs and how many directions it uses, along training: penalised loss, balance, singular values."""

from __future__ import annotations

import copy

import torch
from jaxtyping import Float
from torch import Tensor, nn

from caltrop.data import Batches
from caltrop.models import DeepHead
from caltrop.rows import Row
from caltrop.train import Objective
from caltrop.train.fit import evaluation_mode

# What only decays has fallen to e^-5 = 0.7 % after the five weight-decay times a claim asks for: above this share of
# the largest a singular value is not the remnant of a start.
VISIBLE = 1e-2


class HeadRows:
    r"""Numbers of the whole training set, at every epoch it looks, all from a float64 copy of the network.

    Of the whole model: `penalised_loss` $=$ `fit` $+$ `weight_cost` $+$ `feature_cost`, with
    $\tfrac{\lambda_W}2\sum_l\|W_l\|^2$ and $\tfrac{\lambda_H}2\sum_i\|h_i\|^2$; `balance_gap`, the largest minus the
    smallest of $\lambda_H\|H\|^2,\lambda_W\|W_1\|^2,\dots,\lambda_W\|W_L\|^2$ over their mean: 0 at every stationary
    point. Of each layer ("layer 1" is the features H, "layer l" what $W_l$ is given, "layer l pre" the same before
    ReLU, "logits" the logits): `factor_cost` $\lambda\|\cdot\|^2$ of the factor behind it, and of its class means
    `means_singular_value_1` … `_K`, uncentred and largest first (as many as there are), and `means_rank_visible`, how
    many singular values of the centred ones are above a hundredth of the largest.
    """

    def __init__(self, model: nn.Module, batches: Batches, objective: Objective, weight_decay: float) -> None:
        head = model.get_submodule("head")
        if not isinstance(head, DeepHead):
            raise TypeError(f"head is a {type(head).__name__}; these rows are those of a DeepHead.")
        self.rows: list[Row] = []
        self._model, self._batches, self._objective, self._decay = model, batches, objective, weight_decay

    def look(self, epoch: int) -> None:
        """Measure now."""
        model = copy.deepcopy(self._model).double()
        head: DeepHead = model.get_submodule("head")  # type: ignore[assignment]
        with evaluation_mode(model), torch.no_grad():
            features, labels = self._features(model)
            layers = layers_of(head, features)
        self.rows += [
            *self._costs(head, features, layers["logits"], labels, epoch),
            *(row for name, values in layers.items() for row in _spectrum(name, values, labels, epoch)),
        ]

    def _features(self, model: nn.Module) -> tuple[Tensor, Tensor]:
        backbone = model.get_submodule("backbone")
        device = next(model.parameters()).device
        read = [(backbone(inputs.to(device).double()).cpu(), labels) for inputs, labels in self._batches]
        model.cpu()
        return torch.cat([features for features, _ in read]), torch.cat([labels for _, labels in read])

    def _costs(self, head: DeepHead, features: Tensor, logits: Tensor, labels: Tensor, epoch: int) -> list[Row]:
        fit = float(self._objective.loss(logits, labels))
        matrices = [self._decay * float(weights.detach().square().sum()) for weights in head.weights]
        below = self._objective.feature_decay * float(features.square().sum())
        factors = [below, *matrices]
        mean = sum(factors) / len(factors)
        numbers = {
            "fit": ("g", fit),
            "weight_cost": ("λ_W/2 Σ‖W_l‖²", sum(matrices) / 2),
            "feature_cost": ("λ_H/2 ‖H‖²", below / 2),
            "penalised_loss": ("L + penalties", fit + sum(factors) / 2),
            "balance_gap": ("max−min of λ‖·‖² over mean", (max(factors) - min(factors)) / mean),
        }
        names = ["features", *(f"matrix {number}" for number in range(1, head.depth + 1))]
        return [
            *(_row("", name, symbol, value, epoch) for name, (symbol, value) in numbers.items()),
            *(_row(name, "factor_cost", "λ‖·‖²", value, epoch) for name, value in zip(names, factors, strict=True)),
        ]


def layers_of(head: DeepHead, features: Float[Tensor, "samples dim"]) -> dict[str, Tensor]:
    """What each matrix is given, "layer 1" (the features) to "layer L"; before ReLU "layer l pre"; "logits"."""
    found = {"layer 1": features}
    values = features
    for number, matrix in enumerate(head.matrices, start=2):
        values = matrix(values)
        if number > head.depth:
            found["logits"] = values
        elif head.relu:
            found[f"layer {number} pre"] = values
            values = values.relu()
            found[f"layer {number}"] = values
        else:
            found[f"layer {number}"] = values
    return found


def _spectrum(layer: str, values: Tensor, labels: Tensor, epoch: int) -> list[Row]:
    means = torch.stack([values[labels == label].mean(dim=0) for label in range(int(labels.max()) + 1)])
    plain = torch.linalg.svdvals(means)
    centred = torch.linalg.svdvals(means - means.mean(dim=0))
    return [
        *(
            _row(layer, f"means_singular_value_{number}", f"s_{number}(M)", float(value), epoch)
            for number, value in enumerate(plain, start=1)
        ),
        _row(layer, "means_rank_visible", "rank M (1e-2)", float((centred > VISIBLE * centred[0]).sum()), epoch),
    ]


def _row(layer: str, measure: str, symbol: str, value: float, epoch: int) -> Row:
    return Row(layer=layer, measure=measure, symbol=symbol, value=value, split="train", step=epoch)
