"""Loaders to look through, one of them failing."""

from __future__ import annotations

import numpy as np
import torch
from torch.utils.data import DataLoader, TensorDataset

K, SAMPLES = 4, 150
LAYERS = ["1", "4:input"]


def samples(count=SAMPLES, seed=0):
    draw = np.random.default_rng(seed)
    labels = np.arange(count) % K
    inputs = draw.standard_normal((K, 8))[labels] * 2 + draw.standard_normal((count, 8))
    return torch.from_numpy(inputs).float(), torch.from_numpy(labels)


def loader(batch_size=32, seed=0, count=SAMPLES, **more):
    return DataLoader(TensorDataset(*samples(count, seed)), batch_size=batch_size, **more)


class Failing:
    """A loader that raises in its third batch, from the given pass on."""

    def __init__(self, error, first=2):
        self.error, self.passes, self.first = error, 0, first

    def __iter__(self):
        self.passes += 1
        failing = self.passes > self.first
        for number, batch in enumerate(loader()):
            if failing and number == 2:
                raise self.error
            yield batch

    def __len__(self):
        return 5
