"""Norms of the last layer and of its features, and the scale of the logits, along training."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from caltrop.data import Batches
from caltrop.rows import Row
from caltrop.train.fit import evaluation_mode


class NormRows:
    r"""Three numbers of the whole network on the training part, at every epoch it looks.

    `head_norm` $\|W\|_F$; `feature_norm` $\sqrt{\|H-\mu_G\|_F^2/N}$, the root mean square distance of a feature from
    the mean feature; `logit_scale`, the mean over samples of the label's logit minus the mean of the other logits,
    which is α where the logits are α(I − 11ᵀ/K). Sums are float64, features the network's own.
    """

    def __init__(self, model: nn.Module, batches: Batches, num_classes: int, head: str = "head") -> None:
        found = model.get_submodule(head)
        if not isinstance(found, nn.Linear):
            raise TypeError(f"{head} is a {type(found).__name__}; the norms are those of a linear head.")
        self.rows: list[Row] = []
        self._model, self._batches, self._num_classes, self._head = model, batches, num_classes, found

    @property
    def dim(self) -> int:
        """Width of the features."""
        return self._head.in_features

    def look(self, epoch: int) -> None:
        """Measure now."""
        features, margins = self._read()
        centred = features - features.mean(dim=0)
        numbers = {
            "head_norm": ("‖W‖", float(self._head.weight.detach().double().norm())),
            "feature_norm": ("‖h−μ_G‖", float(centred.square().sum().div(len(centred)).sqrt())),
            "logit_scale": ("α", float(margins.mean())),
        }
        self.rows += [
            Row(layer="", measure=measure, symbol=symbol, value=value, split="train", step=epoch)
            for measure, (symbol, value) in numbers.items()
        ]

    def _read(self) -> tuple[Tensor, Tensor]:
        kept: list[Tensor] = []
        hook = self._head.register_forward_pre_hook(lambda _, inputs: kept.append(inputs[0].double().cpu()))
        margins = []
        device = self._head.weight.device
        try:
            with evaluation_mode(self._model), torch.no_grad():
                for inputs, labels in self._batches:
                    logits = self._model(inputs.to(device)).double().cpu()
                    own = logits.gather(1, labels[:, None])[:, 0]
                    margins.append(own - (logits.sum(dim=1) - own) / (self._num_classes - 1))
        finally:
            hook.remove()
        return torch.cat(kept), torch.cat(margins)
