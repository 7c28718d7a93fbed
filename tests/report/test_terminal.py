"""The table for terminals."""

from __future__ import annotations

import math

import pytest

from caltrop.report import text_table
from caltrop.rows import Row
from report.studies import demo_study

ROWS = (
    Row("fc:input", "within_class_variability", "NC1", 0.29, step=1, half_width=0.01, at_collapse=0.0),
    Row("fc:input", "within_class_variability", "NC1", 0.0077123, step=120, half_width=0.00031, at_collapse=0.0),
    Row(
        "fc:input",
        "coherence",
        "",
        math.nan,
        step=120,
        reason="K = 2: two centred class means always oppose each other",
    ),
)


def test_the_last_step_is_shown_and_named():
    table = text_table(ROWS)
    assert table.startswith("Shown: step 120, the last of 2.\n")
    assert "0.00771" in table
    assert "0.290" not in table


def test_a_line_holds_value_half_width_collapse_and_reason():
    lines = text_table(ROWS).splitlines()
    assert next(line.split() for line in lines if "NC1" in line) == [
        "NC1", "within_class_variability", "0.00771", "0.00031", "0",
    ]  # fmt: skip
    assert "–" in next(line for line in lines if "coherence" in line)
    assert "two centred class means" in " ".join(text_table(ROWS).split())


def test_columns_are_aligned():
    lines = text_table(ROWS).splitlines()
    head = next(line for line in lines if "± 95 %" in line)
    row = next(line for line in lines if "NC1" in line)
    assert head.index("± 95 %") + len("± 95 %") == row.index("0.00031") + len("0.00031")


def test_no_line_of_a_usual_table_is_wider_than_110_columns():
    assert max(map(len, text_table(demo_study().rows).splitlines())) <= 110


def test_layers_and_splits_are_blocks_in_order():
    lines = text_table(demo_study().rows).splitlines()
    blocks = [line for line in lines if line and not line.startswith(" ") and "Shown" not in line]
    assert blocks[0] == "conv1 · train"
    assert blocks[5:7] == ["fc:input · train", "whole network · train"]


@pytest.mark.parametrize(
    ("seeds", "headings"), [((7, 7), ["a"]), ((7, None), ["a"]), ((7, 8), ["a · seed 7", "a · seed 8"])]
)
def test_a_seed_is_named_only_where_there_are_several(seeds, headings):
    rows = [Row("a", name, "", 0.5, seed=seed) for name, seed in zip(("coherence", "uniformity"), seeds, strict=True)]
    lines = text_table(rows).splitlines()
    assert [line for line in lines if line.startswith("a")] == headings


def test_no_rows_is_said_in_words():
    assert text_table([]) == "No rows.\n"


def test_a_series_that_ended_early_is_kept_and_the_heading_says_so():
    rows = [
        Row("a", "coherence", "", 0.5, step=1),
        Row("a", "uniformity", "", 0.25, step=1),
        Row("a", "uniformity", "", 0.125, step=2),
    ]
    table = text_table(rows)
    assert "last step of each series, step 1 to step 2" in table
    assert "0.5" in table
