"""A labelled image set with its train and test parts, and the few ways to cut it down."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch
from jaxtyping import Float32, Int64
from torch import Tensor


@dataclass(frozen=True, eq=False)
class ImageSet:
    """Images as float32 `[samples, channels, height, width]` (in [0, 1] as loaded) with int64 labels.

    `class_names[k]` names label k. `source` says where the files came from without naming a place on this
    machine, so that it may travel in records; `note` says what a reader should know ("" if nothing).

    Raises ValueError where counts of images and labels differ or a label has no class name.
    """

    name: str
    source: str
    note: str
    train_inputs: Float32[Tensor, "train channels height width"]
    train_labels: Int64[Tensor, "train_labels"]
    test_inputs: Float32[Tensor, "test channels height width"]
    test_labels: Int64[Tensor, "test_labels"]
    class_names: tuple[str, ...]

    def __post_init__(self) -> None:
        for part, inputs, labels in self._parts():
            if len(inputs) != len(labels):
                raise ValueError(f"{self.name}: {len(inputs)} {part} images come with {len(labels)} labels.")
            if len(labels) and not 0 <= int(labels.min()) <= int(labels.max()) < self.num_classes:
                raise ValueError(
                    f"{self.name}: {part} labels span [{int(labels.min())}, {int(labels.max())}], "
                    f"but there are names for 0..{self.num_classes - 1} only."
                )

    @property
    def num_classes(self) -> int:
        """How many classes have a name (each may be absent from a part)."""
        return len(self.class_names)

    def standardised(self) -> ImageSet:
        """Both parts minus the train mean and over the train standard deviation (÷N) of each channel.

        A channel that never varies is centred only: there is nothing to divide by.
        """
        axes = (0, 2, 3)
        mean = self.train_inputs.mean(dim=axes, keepdim=True, dtype=torch.float64).float()
        deviation = (self.train_inputs - mean).square().mean(dim=axes, keepdim=True, dtype=torch.float64)
        # Rounding of the mean leaves about 1e-8 of the level in a constant channel; that is no variation.
        level = self.train_inputs.abs().amax(dim=axes, keepdim=True).double()
        constant = deviation.sqrt() <= 1e-6 * level
        scale = torch.where(constant, 1.0, deviation.sqrt()).float()
        return replace(
            self,
            train_inputs=(self.train_inputs - mean) / scale,
            test_inputs=(self.test_inputs - mean) / scale,
        )

    def balanced_subset(self, per_class: int, seed: int, *, test_per_class: int | None = None) -> ImageSet:
        """`per_class` training images of every class, drawn without repetition; always the same for a seed.

        The test part stays whole, or is cut to `test_per_class` likewise. The order of the set is kept.
        Raises ValueError where a class has fewer.
        """
        random = np.random.default_rng(seed)
        train = self._draw("train", self.train_labels, (per_class,) * self.num_classes, random)
        if test_per_class is None:
            test = torch.arange(len(self.test_labels))
        else:
            test = self._draw("test", self.test_labels, (test_per_class,) * self.num_classes, random)
        return self._picked(train, test)

    def subset(self, counts: Sequence[int], seed: int, *, test_per_class: int) -> ImageSet:
        """`counts[k]` training images of class k, and as many test images of every class, drawn without repetition.

        Always the same for a seed. Raises ValueError where a class has fewer, or counts are not one for each class.
        """
        if len(counts) != self.num_classes:
            raise ValueError(f"counts has {len(counts)} entries; give one for each of {self.num_classes} classes.")
        random = np.random.default_rng(seed)
        train = self._draw("train", self.train_labels, counts, random)
        test = self._draw("test", self.test_labels, (test_per_class,) * self.num_classes, random)
        return self._picked(train, test)

    def only(self, classes: Sequence[int]) -> ImageSet:
        """The set restricted to these labels, relabelled 0, 1, … in the order given.

        Raises ValueError for no class, a repeated one, or one the set does not have.
        """
        unknown = sorted(set(classes) - set(range(self.num_classes)))
        if unknown or not classes or len(set(classes)) != len(classes):
            raise ValueError(
                f"classes={tuple(classes)} must name different labels of 0..{self.num_classes - 1} "
                f"({', '.join(self.class_names)}), at least one."
            )
        chosen = torch.tensor(list(classes))
        part = self._picked(
            torch.isin(self.train_labels, chosen).nonzero()[:, 0],
            torch.isin(self.test_labels, chosen).nonzero()[:, 0],
        )
        new_label = torch.full((self.num_classes,), -1)
        new_label[chosen] = torch.arange(len(classes))
        return replace(
            part,
            train_labels=new_label[part.train_labels],
            test_labels=new_label[part.test_labels],
            class_names=tuple(self.class_names[label] for label in classes),
        )

    def _draw(
        self, part: str, labels: Int64[Tensor, "samples"], counts: Sequence[int], random: np.random.Generator
    ) -> Int64[Tensor, "chosen"]:
        numbers = labels.numpy()
        chosen = []
        for label, (name, per_class) in enumerate(zip(self.class_names, counts, strict=True)):
            if per_class < 1:
                raise ValueError(f"{per_class} {part} images per class is impossible; give 1 or more.")
            of_class = np.flatnonzero(numbers == label)
            if len(of_class) < per_class:
                raise ValueError(
                    f"{self.name} has {len(of_class)} {part} images of class {name}, "
                    f"fewer than the {per_class} asked for; ask for fewer, or use a larger set."
                )
            chosen.append(random.choice(of_class, per_class, replace=False))
        return torch.from_numpy(np.sort(np.concatenate(chosen)).astype(np.int64))

    def _picked(self, train: Int64[Tensor, "train"], test: Int64[Tensor, "test"]) -> ImageSet:
        return replace(
            self,
            train_inputs=self.train_inputs[train],
            train_labels=self.train_labels[train],
            test_inputs=self.test_inputs[test],
            test_labels=self.test_labels[test],
        )

    def _parts(self) -> tuple[tuple[str, Tensor, Tensor], ...]:
        return (
            ("train", self.train_inputs, self.train_labels),
            ("test", self.test_inputs, self.test_labels),
        )
