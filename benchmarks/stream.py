"""Seeded features in a file, read back batch by batch."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from io import FileIO
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from benchmarks.cases import Case

SPREAD = 0.5
# Per weight: enough that the head and the nearest class mean differ on some samples.
HEAD_NOISE = 0.2
BLOCK = 2**22


@dataclass(frozen=True)
class Stored:
    """A feature file with everything beside it. Iterating yields (features, labels, head's decisions)."""

    case: Case
    path: Path
    labels: np.ndarray
    decisions: np.ndarray
    weights: np.ndarray
    bias: np.ndarray

    def __iter__(self) -> Iterator[tuple[Tensor, Tensor, Tensor]]:
        labels, decisions = torch.from_numpy(self.labels), torch.from_numpy(self.decisions)
        with self.path.open("rb", buffering=0) as file:
            for start in range(0, self.case.samples, self.case.batch):
                stop = min(start + self.case.batch, self.case.samples)
                rows = np.empty((stop - start, self.case.dim), dtype=np.float32)
                read_into(file, rows)
                yield torch.from_numpy(rows), labels[start:stop], decisions[start:stop]

    def in_memory(self) -> np.ndarray:
        """All features as one array."""
        rows = np.empty((self.case.samples, self.case.dim), dtype=np.float32)
        with self.path.open("rb", buffering=0) as file:
            read_into(file, rows)
        return rows

    def mapped(self) -> np.ndarray:
        """All features, mapped from the file."""
        return np.memmap(self.path, np.float32, "r", shape=(self.case.samples, self.case.dim))


def read_into(file: FileIO, rows: np.ndarray) -> None:
    """Fill `rows` from a raw file, whose single reads stop at 2 GiB."""
    view = rows.reshape(-1).view(np.uint8).data
    done = 0
    while done < len(view):
        got = file.readinto(view[done:])
        if not got:
            raise ValueError(f"the feature file ended {len(view) - done} bytes early; delete it and run again.")
        done += got


def write(case: Case, folder: Path, seed: int = 0) -> None:
    """Write features around random class means, with a noisy head, its decisions taken in float32.

    Means have norm about 1 and samples lie `SPREAD` around them; labels are drawn evenly.
    """
    folder.mkdir(parents=True, exist_ok=True)
    generator = np.random.default_rng(seed)
    scale = np.float32(1 / np.sqrt(case.dim))
    means = generator.standard_normal((case.classes, case.dim), dtype=np.float32) * scale
    labels = generator.integers(0, case.classes, case.samples)
    noise = np.float32(HEAD_NOISE) * generator.standard_normal((case.classes, case.dim), dtype=np.float32)
    weights = means - means.mean(0) + noise
    bias = 0.1 * generator.standard_normal(case.classes, dtype=np.float32)
    decisions = np.empty(case.samples, dtype=np.int64)
    rows_per_block = max(1, min(BLOCK // case.dim, BLOCK * 4 // case.classes))
    with (folder / "features.f32").open("wb") as file:
        for start in range(0, case.samples, rows_per_block):
            part = labels[start : start + rows_per_block]
            rows = generator.standard_normal((len(part), case.dim), dtype=np.float32)
            rows *= np.float32(SPREAD) * scale
            rows += means[part]
            decisions[start : start + len(part)] = (rows @ weights.T + bias).argmax(1)
            file.write(rows.tobytes())
    np.savez(folder / "beside.npz", labels=labels, decisions=decisions, weights=weights, bias=bias)


def read(case: Case, folder: Path) -> Stored:
    """The stored features of a folder written by `write`."""
    with np.load(folder / "beside.npz") as beside:
        arrays = {name: beside[name] for name in ("labels", "decisions", "weights", "bias")}
    return Stored(case, folder / "features.f32", **arrays)
