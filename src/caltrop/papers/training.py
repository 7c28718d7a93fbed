"""A network trained and watched on the way, as every paper that trains one does it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, TypeVar

from torch import nn

from caltrop.data import Batches, ImageSet, contradictions
from caltrop.observe import Observation, Watch
from caltrop.papers.recipe import training_of
from caltrop.papers.session import Session
from caltrop.papers.watching import Look, WatchMemory
from caltrop.rows import Rows
from caltrop.train import Objective, Trained, log_spaced, train
from caltrop.train.objective import PLAIN
from caltrop.train.seeding import one_thread, seeded

_MEASURE_BATCH = 500
L = TypeVar("L", bound=Look)


def train_watched(
    config: Any,
    session: Session,
    images: ImageSet,
    beside: Callable[[nn.Module, Batches], L],
    *,
    layers: Sequence[str],
    head: str | None = None,
    measures: Sequence[str] | None = None,
    objective: Objective = PLAIN,
) -> tuple[Trained, Observation, L]:
    """The network that `config` builds, trained by its recipe, taken up where it was interrupted.

    `beside(model, training batches)` gives what looks at it beside the watch. Measured are `config.points` epochs.
    """
    splits = {
        "train": Batches(images.train_inputs, images.train_labels, _MEASURE_BATCH),
        "test": Batches(images.test_inputs, images.test_labels, _MEASURE_BATCH),
    }
    with one_thread():
        with seeded(session.seed):
            model = config.build(images).to(session.device)
        watch = Watch(
            model,
            splits,
            layers=list(layers),
            head=head,
            num_classes=images.num_classes,
            device=session.device,
            measures=measures,
            progress=False,
        )
        other = beside(model, splits["train"])
        memory = WatchMemory(watch, other)
        trained = train(
            model,
            splits,
            training_of(config, session.seed),
            memory.look,
            objective=objective,
            measured_epochs=log_spaced(config.epochs, min(config.points, config.epochs + 1)),
            progress=session.progress,
            checkpoint=session.checkpoint,
            memory=memory,
        )
    return trained, watch.seen, other


def conditions_of(images: ImageSet, trained: Trained) -> dict[str, float]:
    """What must be known of a training before a claim on it may be judged."""
    last = Rows.of(trained.rows).where(split="train")
    found = contradictions(images.train_inputs, images.train_labels)
    return {
        "training_error": last.where(measure="training_error").last(),
        "weight_decay_time": last.where(measure="weight_decay_time").last(),
        "contradictory_share": found.share,
        "best_possible_accuracy": found.best_accuracy,
    }
