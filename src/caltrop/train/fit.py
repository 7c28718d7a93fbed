"""Loss and errors of a network as it stands, over a whole part of the data."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn.functional import cross_entropy

from caltrop.train.objective import Loss


@dataclass(frozen=True)
class Fit:
    """Mean loss without penalties (nats per sample for cross-entropy), and how many samples are misclassified."""

    loss: float
    errors: int
    samples: int


def fit_of(
    model: nn.Module, batches: Iterable[tuple[Tensor, Tensor]], device: torch.device, loss: Loss = cross_entropy
) -> Fit:
    """The fit in evaluation mode; the mode of every submodule is restored, also on error."""
    total, errors, samples = 0.0, 0, 0
    with evaluation_mode(model), torch.no_grad():
        for inputs, labels in batches:
            logits, targets = model(inputs.to(device)), labels.to(device)
            # Summed in float64: in the terminal phase the losses are tiny and many.
            total += float(loss(logits.double(), targets, reduction="sum"))
            errors += int((logits.argmax(dim=1) != targets).sum())
            samples += len(targets)
    return Fit(total / samples, errors, samples)


@contextmanager
def evaluation_mode(model: nn.Module) -> Iterator[None]:
    """Every submodule in evaluation mode inside the block, as it was afterwards."""
    modes = [(module, module.training) for module in model.modules()]
    model.eval()
    try:
        yield
    finally:
        for module, training in modes:
            module.training = training
