"""MNIST from its four idx files, recognised by their SHA-256 wherever they lie."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch
from jaxtyping import UInt8

from caltrop.data.idx import IdxFile, read_idx
from caltrop.data.images import ImageSet

# SHA-256 of the unpacked files, so that a gzipped and a plain copy are the same file.
SHA256 = {
    "train-images-idx3-ubyte": "ba891046e6505d7aadcbbe25680a0738ad16aec93bde7f9b65e87a2fc25776db",
    "train-labels-idx1-ubyte": "65a50cbbf4e906d70832878ad85ccda5333a97f0f4c3dd2ef09a8a9eef7101c5",
    "t10k-images-idx3-ubyte": "0fa7898d509279e482958e8ce81c8e77db3f2f8254e26661ceb7762c4d494ce7",
    "t10k-labels-idx1-ubyte": "ff7bcfd416de33731a308c3f266cc351222c34898ecbeaf847f06e48f7ec33f2",
}
# Where the files lie inside a folder that people name: there, or where torchvision's `root` puts them.
_PLACES = (".", "MNIST/raw", "raw")


def find_idx_folder(root: Path) -> Path | None:
    """The folder at or below `root` that holds all four idx files (gzipped or plain), or None."""
    for place in _PLACES:
        folder = root / place
        if all(_idx_file(folder, stem) is not None for stem in SHA256):
            return folder
    return None


def read_mnist(folder: Path, *, source: str) -> ImageSet:
    """MNIST, 60,000 + 10,000 images of 28×28, from a folder with its four idx files.

    Raises ValueError for a damaged file, and for well-formed files that are not MNIST: other sets use the
    same file names (`read_idx_set` takes those).
    """
    files = _read_files(folder)
    for stem, file in files.items():
        if file.sha256 != SHA256[stem]:
            raise ValueError(
                f"{stem} is not MNIST's: its SHA-256 is {file.sha256[:12]}…, MNIST's {SHA256[stem][:12]}…. "
                "The file is damaged or belongs to another set with the same file names; "
                'load such a set with load_images("idx", path=...).'
            )
    return _image_set("MNIST", source, "", files)


def read_idx_set(folder: Path, *, source: str) -> ImageSet:
    """Any set of grey images that comes as the same four idx files; the note says that it is unchecked."""
    files = _read_files(folder)
    marks = ", ".join(file.sha256[:12] for file in files.values())
    return _image_set("idx files", source, f"Taken as found, SHA-256 {marks}.", files)


def _read_files(folder: Path) -> dict[str, IdxFile]:
    files = {}
    for stem in SHA256:
        path = _idx_file(folder, stem)
        if path is None:
            raise ValueError(f"{stem} is missing beside the other idx files, gzipped or plain.")
        files[stem] = read_idx(path)
    return files


def _idx_file(folder: Path, stem: str) -> Path | None:
    # torchvision's oldest layout writes "train-images.idx3-ubyte"; the plain file wins over the gzipped one.
    spellings = (stem, f"{stem}.gz", stem.replace("-idx", ".idx"))
    return next((folder / name for name in spellings if (folder / name).is_file()), None)


def _image_set(name: str, source: str, note: str, files: dict[str, IdxFile]) -> ImageSet:
    train_images, train_labels, test_images, test_labels = (file.values for file in files.values())
    for images, labels in ((train_images, train_labels), (test_images, test_labels)):
        if images.ndim != 3 or labels.ndim != 1 or len(images) == 0:
            raise ValueError(
                f"the idx files hold images of shape {images.shape} and labels of shape {labels.shape}; "
                "needed are [samples, height, width] and [samples], at least one."
            )
    num_classes = int(max(train_labels.max(), test_labels.max())) + 1
    return ImageSet(
        name=name,
        source=source,
        note=note,
        train_inputs=_pixels(train_images),
        train_labels=torch.from_numpy(train_labels.astype(np.int64)),
        test_inputs=_pixels(test_images),
        test_labels=torch.from_numpy(test_labels.astype(np.int64)),
        class_names=tuple(str(label) for label in range(num_classes)),
    )


def _pixels(images: UInt8[np.ndarray, "samples height width"]) -> torch.Tensor:
    return torch.from_numpy(images.astype(np.float32) / np.float32(255))[:, None]
