"""The demonstration: a small network trained on real images until it collapses, or says that it did not."""

from __future__ import annotations

import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass, replace

from torch import nn

from caltrop.data import Batches, ImageSet, load_images
from caltrop.models import Mlp, ResNet
from caltrop.observe import Watch
from caltrop.rows import Study
from caltrop.train.config import TrainConfig, log_spaced
from caltrop.train.loop import train
from caltrop.train.seeding import one_thread, seeded
from caltrop.train.verdict import HEAD_INPUT, collapse_sentences

NETWORKS = ("mlp", "resnet")
_POINTS = 14
_TEST_PER_CLASS = 150
_MEASURE_BATCH = 500


@dataclass(frozen=True)
class Recipe:
    """A network and how to train it; `widths` are its hidden layers or its stages."""

    network: str
    widths: tuple[int, ...]
    config: TrainConfig

    def build(self, images: ImageSet) -> nn.Module:
        """The untrained network for these images, from torch's global generator."""
        _, channels, height, width = images.train_inputs.shape
        if self.network == "resnet":
            return ResNet(channels, images.num_classes, self.widths)
        return Mlp(channels * height * width, self.widths, images.num_classes)

    def layers(self) -> list[str]:
        """What is measured: every block or stage but the last, whose output is the head's input."""
        depth = range(len(self.widths) - 1)
        if self.network == "resnet":
            return ["stem", *(f"stages.{index}" for index in depth), HEAD_INPUT]
        return [*(f"blocks.{index}" for index in depth), HEAD_INPUT]

    def describe(self, images: ImageSet) -> str:
        """The network in one line, for records."""
        _, channels, height, width = images.train_inputs.shape
        sizes = "-".join(str(width) for width in self.widths)
        if self.network == "resnet":
            return f"ResNet, stages of width {sizes}, one block each, {images.num_classes} classes"
        return f"MLP {channels * height * width}-{sizes}-{images.num_classes}, batch norm"


# Chosen by what collapsed on 5,000 digits: a high learning rate keeps the features noisy until it is cut,
# and after the cut weight decay has no time left to act. A low rate with strong decay has time throughout.
RECIPES = {
    "mlp": Recipe("mlp", (512, 512, 512), TrainConfig(epochs=100, learning_rate=0.01, weight_decay=2e-2)),
    "resnet": Recipe("resnet", (12, 24, 48), TrainConfig(epochs=40, learning_rate=0.02, weight_decay=1e-2)),
}
QUICK_RECIPES = {
    "mlp": Recipe("mlp", (64, 64), TrainConfig(epochs=12, batch_size=64)),
    "resnet": Recipe("resnet", (8, 16), TrainConfig(epochs=6, batch_size=64)),
}


def run_demo(
    *,
    out_epochs: Sequence[int] | None = None,
    network: str = "mlp",
    seed: int = 0,
    per_class: int = 500,
    quick: bool = False,
    progress: bool = True,
    classes: Sequence[int] | None = None,
) -> Study:
    """Train on real images into the terminal phase and measure every layer along the way.

    Parameters
    ----------
    out_epochs : epochs to measure at, 0 being the untrained network; 14 log-spaced ones by default.
    network : "mlp" or "resnet".
    seed : decides the images drawn, the initial weights and the order of the samples.
    per_class : training images per class; fewer are taken, with a note, where the set has fewer.
    quick : scikit-learn's 8×8 digits and a few epochs instead: seconds, and no collapse to expect.
    classes : digits to keep, all by default; with four of them the class means span three dimensions.

    Ctrl-C raises KeyboardInterrupt. Raises ValueError for an unknown network, classes the set does not
    have, or fewer than two of them.
    """
    if network not in NETWORKS:
        raise ValueError(f"network={network!r} is unknown; choose one of {', '.join(NETWORKS)}.")
    if classes is not None and len(classes) < 2:
        raise ValueError(f"classes={tuple(classes)} leaves nothing to tell apart; give at least two digits.")
    started = time.monotonic()
    images, notes = _images(quick, classes, per_class, seed)
    recipe = (QUICK_RECIPES if quick else RECIPES)[network]
    config = replace(recipe.config, seed=seed)
    epochs = log_spaced(config.epochs, _POINTS) if out_epochs is None else tuple(sorted(set(out_epochs)))
    if progress:
        sys.stderr.write(f"{recipe.describe(images)} on {images.name}, {config.epochs} epochs\n")
    with one_thread():
        with seeded(seed):
            model = recipe.build(images)
        watch = Watch(model, _loaders(images), layers=recipe.layers(), num_classes=images.num_classes, progress=False)
        trained = train(
            model, images, config, lambda epoch: watch(step=epoch), measured_epochs=epochs, progress=progress
        )
    provenance = {
        "dataset": f"{images.name}: {len(images.train_labels)} training and {len(images.test_labels)} test images",
        "classes": ", ".join(images.class_names),
        "source": images.source,
        "network": recipe.describe(images),
        "recipe": config.describe(),
        "seed": seed,
        "duration": f"{time.monotonic() - started:.0f} s, training and measuring",
    }
    study = watch.seen.study(
        title=f"Neural collapse of {provenance['network']}, trained on {images.name}",
        clock="epoch",
        provenance=provenance,
    )
    rows = tuple(replace(row, seed=seed) for row in study.rows)
    told = (trained.phase.sentence(), *collapse_sentences(rows), *notes, *study.notes)
    return replace(study, rows=(*rows, *trained.rows), notes=told)


def _images(quick: bool, classes: Sequence[int] | None, per_class: int, seed: int) -> tuple[ImageSet, tuple[str, ...]]:
    """The standardised images to train and test on, and what a reader should know about them."""
    images = load_images("digits" if quick else "mnist")
    if classes is not None:
        images = images.only(tuple(classes))
    fewest = int(images.train_labels.bincount(minlength=images.num_classes).min())
    fewest_test = int(images.test_labels.bincount(minlength=images.num_classes).min())
    notes = [images.note] if images.note else []
    if per_class > fewest:
        notes.append(f"Only {fewest} training images per class are used: the smallest class has no more.")
    drawn = images.balanced_subset(min(per_class, fewest), seed, test_per_class=min(_TEST_PER_CLASS, fewest_test))
    return drawn.standardised(), tuple(notes)


def _loaders(images: ImageSet) -> dict[str, Batches]:
    return {
        "train": Batches(images.train_inputs, images.train_labels, _MEASURE_BATCH),
        "test": Batches(images.test_inputs, images.test_labels, _MEASURE_BATCH),
    }
