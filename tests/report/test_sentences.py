"""Sentences are written from the rows they stand beside."""

from __future__ import annotations

import math

import pytest

from caltrop.report.sentences import curve_sentence, missing_sentence, profile_sentence
from caltrop.report.series import all_series
from caltrop.rows import Row

NAME = "within_class_variability"


def course(layer="fc:input", values=(0.29, 0.0077), split="train", **more):
    steps = (1, 120)
    return [
        Row(layer, NAME, "NC1", value, split=split, step=step, **more)
        for step, value in zip(steps, values, strict=True)
    ]


def test_a_curve_says_where_it_started_and_ended_and_what_collapse_would_be():
    rows = course("conv1", (3.0, 2.0)) + course(at_collapse=0.0)
    assert curve_sentence(all_series(rows), "epoch") == (
        "At fc:input, NC1 fell from 0.29 to 0.0077 between epoch 1 and 120; 0 would be exact collapse."
    )


def test_a_curve_names_the_other_split():
    rows = course() + course(values=(0.3, 0.012), split="test")
    assert "(train; test ends at 0.012)" in curve_sentence(all_series(rows), "epoch")


@pytest.mark.parametrize(
    ("values", "half_width", "words"),
    [
        ((0.1, 0.2), None, "rose from 0.10 to 0.20"),
        ((0.1, 0.2), 0.01, "rose from 0.10 to 0.20"),
        ((0.1, 0.2), 0.08, "did not move by more than sampling noise"),
        ((0.1, 0.1), None, "is 0.10 at both epoch 1 and 120"),
    ],
)
def test_a_change_within_its_half_widths_is_not_called_a_change(values, half_width, words):
    assert words in curve_sentence(all_series(course(values=values, half_width=half_width)), "epoch")


def test_a_profile_names_the_smallest_and_the_largest_layer():
    rows = [Row(layer, NAME, "NC1", value, step=9) for layer, value in (("a", 3.0), ("b", 0.5), ("c", 0.01))]
    assert profile_sentence(rows, "epoch") == "At epoch 9, NC1 is smallest at c (0.010) and largest at a (3)."


def test_a_measure_without_a_letter_is_called_by_its_title():
    row = Row("", "accuracy", "", 0.5)
    assert profile_sentence([row], None) == "Accuracy is 0.50."


def test_missing_values_are_explained_once_for_each_reason():
    rows = [Row(layer, NAME, "NC1", math.nan, reason="one sample a class") for layer in ("a", "b")]
    assert missing_sentence(rows) == "No number at a and b: one sample a class."


def test_a_missing_value_without_a_reason_says_so():
    assert "no reason recorded" in missing_sentence([Row("a", NAME, "NC1", math.nan)])
