"""The training loop: plain, seeded, and stopping at measuring epochs to let others look."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Collection, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass

import torch
from torch import nn

from caltrop.data import Batches, ImageSet
from caltrop.rows import Row
from caltrop.train.config import TrainConfig, log_spaced
from caltrop.train.fit import Fit, fit_of
from caltrop.train.objective import PLAIN, Objective
from caltrop.train.progress import TrainingProgress
from caltrop.train.resume import Checkpoint, Memory, restore_training, training_state
from caltrop.train.seeding import seeded
from caltrop.train.terminal import TerminalPhase

# Only memory depends on it: evaluation sees every sample once, whatever the batch.
_EVALUATION_BATCH = 1000
_DEFAULT_POINTS = 14
# Between measuring epochs a point is saved this often, so that long gaps are not lost; rows do not depend on it.
_SAVE_SECONDS = 30.0


@dataclass(frozen=True)
class Trained:
    """What training leaves behind, beside the model: loss rows per measured epoch, and the terminal phase."""

    rows: tuple[Row, ...]
    phase: TerminalPhase


def train(
    model: nn.Module,
    images: ImageSet | Mapping[str, Batches],
    config: TrainConfig | None = None,
    on_epoch: Callable[[int], object] | None = None,
    *,
    objective: Objective = PLAIN,
    measured_epochs: Collection[int] | None = None,
    progress: bool = True,
    checkpoint: Checkpoint | None = None,
    memory: Memory | None = None,
) -> Trained:
    """Train `model` in place on the training part, by `config`, and call `on_epoch(epoch)` to measure.

    `images` is an image set, or one loader per split, of which "train" is trained on; every split gets its
    loss rows, without penalties. `objective` says what is minimised, cross-entropy with weight decay on all
    parameters unless told otherwise. Epoch 0 is the untrained network; `measured_epochs` (14 log-spaced ones by
    default) are those at which loss rows are kept and `on_epoch` is called. Errors on the whole training set
    are counted in evaluation mode after every epoch.

    With a `checkpoint`, the state is saved after every measuring epoch (and every half minute in between), and
    training goes on from what it holds: on the processor the rows then are, to the last bit, those of a training
    that was never interrupted. `memory` is what `on_epoch` gathers and must find again.

    The same seed gives the same numbers on the same machine; torch's random state is as before afterwards.
    Whatever interrupts the training (Ctrl-C too), the model keeps the weights reached, its mode is
    restored and its gradients are dropped.

    Raises ValueError for splits or measuring epochs that do not fit, FloatingPointError where the loss is
    not finite.
    """
    config = config or TrainConfig()
    splits = _splits(images)
    if measured_epochs is None:
        measured_epochs = log_spaced(config.epochs, _DEFAULT_POINTS)
    _check(model, splits["train"], config, measured_epochs)
    device = next(model.parameters()).device
    shuffled = Batches(splits["train"].inputs, splits["train"].labels, config.batch_size, shuffle_seed=config.seed)
    optimizer = _optimizer(model, objective, config)
    rows: list[Row] = []
    phase = TerminalPhase()
    with (
        seeded(config.seed, device),
        _left_consistent(model),
        TrainingProgress(config.epochs, shown=progress) as shown,
    ):
        start = 0
        saved = None if checkpoint is None else checkpoint.load()
        taken_up = None if saved is None else restore_training(saved, model, optimizer, shuffled, memory)
        if taken_up is not None:
            reached, phase, rows = taken_up
            start = reached + 1
            shown.resumed(reached)
        last_save = time.monotonic()
        for epoch in range(start, config.epochs + 1):
            if epoch > 0:
                _train_epoch(model, objective, shuffled, optimizer, config, epoch, device)
            fit = fit_of(model, splits["train"], device, objective.loss)
            phase.update(epoch, fit.errors)
            shown.after(epoch, fit, measured=epoch in measured_epochs)
            if epoch in measured_epochs:
                others = {name: part for name, part in splits.items() if name != "train"}
                fits = {name: fit_of(model, part, device, objective.loss) for name, part in others.items()}
                rows += _loss_rows({"train": fit, **fits}, epoch, config.seed)
                rows += _condition_rows(fit, config.weight_decay_time(epoch, len(shuffled)), epoch, config.seed)
                if on_epoch is not None:
                    on_epoch(epoch)
            due = epoch in measured_epochs or time.monotonic() - last_save > _SAVE_SECONDS
            if checkpoint is not None and due:
                state = training_state(epoch, model, optimizer, shuffled, phase, rows, memory)
                checkpoint.save(state, done=epoch, total=config.epochs)
                last_save = time.monotonic()
    return Trained(tuple(rows), phase)


def _optimizer(model: nn.Module, objective: Objective, config: TrainConfig) -> torch.optim.SGD:
    return torch.optim.SGD(
        objective.groups(model, config.weight_decay),
        config.learning_rate,
        config.momentum,
        weight_decay=config.weight_decay,
    )


def _train_epoch(
    model: nn.Module,
    objective: Objective,
    batches: Batches,
    optimizer: torch.optim.Optimizer,
    config: TrainConfig,
    epoch: int,
    device: torch.device,
) -> None:
    model.train()
    for group in optimizer.param_groups:
        group["lr"] = config.learning_rate_at(epoch)
    for number, (inputs, labels) in enumerate(batches, start=1):
        optimizer.zero_grad()
        loss = objective.of_batch(model, inputs.to(device), labels.to(device), len(batches.labels))
        if not math.isfinite(loss.item()):
            raise FloatingPointError(
                f"the loss is {loss.item()} in epoch {epoch}, batch {number} of {len(batches)}: training "
                f"diverged with learning_rate={config.learning_rate_at(epoch):g}, or the inputs are not "
                "finite. Lower the learning rate, or look at the inputs."
            )
        loss.backward()  # type: ignore[no-untyped-call]
        optimizer.step()


def _loss_rows(fits: Mapping[str, Fit], epoch: int, seed: int) -> list[Row]:
    return [
        Row(layer="", measure="loss", symbol="L", value=fit.loss, seed=seed, split=split, step=epoch)
        for split, fit in fits.items()
    ]


def _condition_rows(fit: Fit, decay_time: float, epoch: int, seed: int) -> list[Row]:
    """What must be known of a training before anybody may speak of missing collapse."""
    facts = (("training_error", "", fit.errors / fit.samples), ("weight_decay_time", "", decay_time))
    return [
        Row(layer="", measure=measure, symbol=symbol, value=value, seed=seed, split="train", step=epoch)
        for measure, symbol, value in facts
    ]


def _splits(images: ImageSet | Mapping[str, Batches]) -> dict[str, Batches]:
    if isinstance(images, ImageSet):
        parts = {"train": Batches(images.train_inputs, images.train_labels, _EVALUATION_BATCH)}
        if len(images.test_labels):
            parts["test"] = Batches(images.test_inputs, images.test_labels, _EVALUATION_BATCH)
        return parts
    if "train" not in images:
        raise ValueError(f'the splits are {sorted(images)}; one must be called "train".')
    return dict(images)


def _check(model: nn.Module, batches: Batches, config: TrainConfig, measured_epochs: Collection[int]) -> None:
    outside = sorted(epoch for epoch in measured_epochs if not 0 <= epoch <= config.epochs)
    if outside:
        raise ValueError(f"measuring epochs {outside} lie outside 0..{config.epochs}, the epochs trained.")
    num_samples = len(batches.labels)
    normed = any(isinstance(module, nn.modules.batchnorm._BatchNorm) for module in model.modules())
    if normed and num_samples % config.batch_size == 1:
        raise ValueError(
            f"with batch_size={config.batch_size} the last batch of {num_samples} samples holds a single "
            "one, on which batch norm cannot train; choose another batch size."
        )


@contextmanager
def _left_consistent(model: nn.Module) -> Iterator[None]:
    modes = [(module, module.training) for module in model.modules()]
    try:
        yield
    finally:
        model.zero_grad(set_to_none=True)
        for module, training in modes:
            module.training = training
