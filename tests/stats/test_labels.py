"""Labels as people have them: every rule of the contract."""

from __future__ import annotations

import re

import numpy as np
import pytest
import torch

from caltrop.stats import check_range, read_labels

WIDTHS = ["int8", "int16", "int32", "int64", "uint8", "uint16", "uint32", "uint64", "bool", "float32", "float64"]


@pytest.mark.parametrize("width", WIDTHS)
def test_integers_of_any_width_are_classes(width):
    read = read_labels(np.array([0, 1, 1, 0]).astype(width))
    assert read.classes.dtype == torch.int64
    assert read.classes.tolist() == [0, 1, 1, 0]
    assert read.kept.all()


def read_only(array):
    array.setflags(write=False)
    return array


FORMS = {
    "list": [2, 0, 1],
    "tuple": (2, 0, 1),
    "column": np.array([[2], [0], [1]]),
    "tensor": torch.tensor([2, 0, 1], dtype=torch.int32),
    "column tensor": torch.tensor([[2], [0], [1]]),
    "one-hot": np.eye(3)[[2, 0, 1]],
    "one-hot of booleans": np.eye(3, dtype=bool)[[2, 0, 1]],
    "one-hot tensor": torch.eye(3)[[2, 0, 1]].half(),
    "foreign byte order": np.array([2, 0, 1], dtype=np.dtype(np.int32).newbyteorder()),
    "backwards": np.array([1, 0, 2])[::-1],
    "every other": np.array([2, 9, 0, 9, 1])[::2],
    "read-only": read_only(np.array([2, 0, 1])),
    "NumPy scalars": [np.int64(2), np.uint8(0), np.int16(1)],
}


@pytest.mark.parametrize("form", FORMS)
def test_every_form_of_the_same_labels_reads_alike(form):
    assert read_labels(FORMS[form]).classes.tolist() == [2, 0, 1]


def test_a_series_is_read_by_position_whatever_its_index():
    pandas = pytest.importorskip("pandas")
    assert read_labels(pandas.Series([2, 0, 1], index=[7, 1, 0])).classes.tolist() == [2, 0, 1]


def test_ignored_by_default_are_minus_one_and_minus_a_hundred():
    assert read_labels([3, -1, 0, -100]).kept.tolist() == [True, False, True, False]


def test_255_is_a_class_unless_it_is_named():
    assert read_labels([255, 1]).kept.all()
    assert read_labels([255, 1], ignore_index=(255,)).kept.tolist() == [False, True]


def test_naming_another_ignored_label_makes_minus_one_an_error():
    with pytest.raises(ValueError, match=re.escape("labels contain -1") + ".*" + re.escape("ignore_index=(255,)")):
        read_labels([-1, 255], ignore_index=(255,))


@pytest.mark.parametrize("label", [-2, -99, -101])
def test_other_negatives_are_refused(label):
    with pytest.raises(ValueError, match=f"labels contain {label}, which is negative and not ignored"):
        read_labels([0, 1, label])


@pytest.mark.parametrize(
    ("labels", "error", "said"),
    [
        ([0.0, 1.5, 2.0], TypeError, "label 1 is 1.5, not a whole number; .* mean regression"),
        ([0.0, np.nan], ValueError, "label 1 is nan; every sample needs a class"),
        ([np.inf, 0.0], ValueError, "label 0 is inf"),
        (["cat", "dog"], TypeError, "no number; pass integer class labels"),
        ([1 + 2j, 0], TypeError, "complex"),
        (3, ValueError, r"labels have shape \[\]"),
        (np.zeros((2, 3, 1)), ValueError, r"labels have shape \[2, 3, 1\]"),
        ([[0.9, 0.1], [0.2, 0.8]], ValueError, r"soft labels \(row 0: \[0.9, 0.1\]\).*argmax"),
        ([[1, 0], [1, 1]], ValueError, r"neither class indices nor one-hot rows \(row 1: \[1, 1\]\)"),
        ([[1, 0], [0, 0]], ValueError, "neither class indices nor one-hot rows"),
        ([[1, 0], [np.nan, 0]], ValueError, "label row 1 has a value that is not finite"),
        ([[0, 1, 2, 3, 4, 5]], ValueError, r"\[0, 1, 2, 3, …\]"),
    ],
)
def test_what_is_no_label_is_refused_with_its_place(labels, error, said):
    with pytest.raises(error, match=said):
        read_labels(labels)


def test_the_number_of_classes_is_the_largest_label_plus_one():
    assert check_range(0, 6, None, 3) == 7


def test_a_given_number_of_classes_is_kept():
    assert check_range(1, 3, 9, 3) == 9


@pytest.mark.parametrize("count", [1, 3, 10])
def test_labels_exactly_one_to_k_are_taken_for_a_mistake(count):
    with pytest.raises(ValueError, match=rf"exactly 1\.\.{count}.*Subtract 1, or pass num_classes"):
        check_range(1, count, None, count)


def test_a_gap_makes_one_to_k_a_choice():
    assert check_range(1, 5, None, 4) == 6


def test_a_label_beyond_the_number_of_classes_names_both():
    with pytest.raises(ValueError, match=r"labels span \[0, 7\], but num_classes=5 allows only 0\.\.4"):
        check_range(0, 7, 5, 3)
