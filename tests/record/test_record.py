"""A record: what a page and a data frame show of its cells."""

from __future__ import annotations

import math
import sys
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from caltrop.record import Planned, Record
from caltrop.rows import COLUMNS, Row, Rows
from record.runs import RUN, cell

SEEDS = replace(RUN, cells=tuple(cell(seed) for seed in (0, 1, 2)))


def test_a_study_shows_each_note_with_the_seeds_that_say_it():
    study = SEEDS.study()
    assert study.notes[:3] == ("The same.", "seed 0: Only of 0.", "seed 1: Only of 1.")
    assert study.clock == "epoch"
    assert study.title == RUN.title


def test_what_all_cells_share_is_told_once_and_the_rest_by_cell():
    told = SEEDS.study().provenance
    assert (told["torch"], told["status"], told["config"]) == ("2", "complete", RUN.config)
    assert told["runs"] == {"seed 0": "seconds 3.0", "seed 1": "seconds 4.0", "seed 2": "seconds 5.0"}
    alone = replace(RUN, cells=(cell(0),)).provenance
    assert (alone["seconds"], alone["status"]) == (3.0, "1 of 3 cells")
    assert "runs" not in alone
    assert RUN.provenance["status"] == "0 of 3 cells"


def test_pictures_are_those_of_the_first_cell_that_has_any():
    bare = cell(0, pictures=(), per_class=())
    study = replace(SEEDS, cells=(bare, cell(1), cell(2))).study()
    assert study.pictures == cell(1).pictures
    assert study.per_class == cell(1).per_class
    assert "Class means and values of single classes are those of seed 1." in study.notes


@pytest.mark.parametrize(
    "cells", [(cell(0),), tuple(cell(seed, pictures=(), per_class=()) for seed in (0, 1))], ids=["one", "none"]
)
def test_where_pictures_cannot_be_mistaken_nothing_is_said(cells):
    assert not any("Class means" in note for note in replace(RUN, cells=cells).study().notes)


def test_failed_and_unreadable_cells_come_first_among_the_notes():
    failures = {"key1": "FloatingPointError: the loss is nan", "key2": "cells/key2.json is not a whole JSON file"}
    record = replace(
        RUN, cells=(cell(0),), failures=failures, damaged={"cells/key2.json": failures["key2"], "x": "no cell"}
    )
    assert record.notes[:2] == (
        "seed 1 failed: FloatingPointError: the loss is nan",
        "seed 2 cannot be read: cells/key2.json is not a whole JSON file",
    )
    assert record.status == "1 of 3 cells, 2 failed"


def test_preconditions_are_told_by_key():
    assert SEEDS.preconditions["key1"] == {"training_error": 0.0, "weight_decay_time": 5.5}


def test_cases_are_named_and_cells_are_called_by_them():
    planned = (Planned("a", "depth=3", 0, {"depth": 3}), Planned("b", "depth=4", None, {"depth": 4}))
    record = replace(RUN, planned=(*planned, Planned("c", None, None, {})))
    assert record.cases == {"depth=3": {"depth": 3}, "depth=4": {"depth": 4}}
    assert [record.called(key) for key in "abcd"] == ["depth=3, seed 0", "depth=4", "The run", "d"]


def test_the_data_frame_has_training_error_and_weight_decay_time_as_columns():
    pytest.importorskip("pandas")
    frame = replace(RUN, cells=(cell(),)).to_pandas()
    assert list(frame["training_error"][:2]) == pytest.approx([0.25, math.nan], nan_ok=True)
    assert frame["weight_decay_time"].isna().all()
    assert list(frame["measure"]) == ["loss", "loss", "loss", "training_error"]


rows = st.lists(
    st.builds(
        Row,
        layer=st.sampled_from(["", "fc"]),
        measure=st.sampled_from(["training_error", "loss"]),
        symbol=st.just(""),
        value=st.floats(),
        origin=st.sampled_from(["trained", "closed form"]),
        seed=st.sampled_from([None, 0, 1]),
        case=st.sampled_from([None, "a"]),
        split=st.sampled_from(["train", "test"]),
        step=st.sampled_from([None, 1, 2, 2.0]),
        half_width=st.one_of(st.none(), st.floats(0, 1)),
    ),
    max_size=10,
)


@settings(max_examples=40, deadline=None)
@given(rows)
def test_the_data_frame_is_that_of_the_rows_with_the_training_error_of_a_loop_beside_it(listed):
    pandas = pytest.importorskip("pandas")
    held = Rows.of(listed)
    frame = Record("a", "desk", "t", {}, (), (cell(rows=held),)).to_pandas()
    assert list(frame.columns) == [*COLUMNS, "training_error", "weight_decay_time"]
    pandas.testing.assert_frame_equal(frame[list(COLUMNS)], held.to_pandas())
    error = {}
    for row in listed:
        if (row.measure, row.layer, row.split) == ("training_error", "", "train"):
            error[row.case, row.seed, row.step] = row.value
    beside = [error.get((r.case, r.seed, r.step), math.nan) if r.origin == "trained" else math.nan for r in listed]
    assert list(map(repr, frame["training_error"])) == list(map(repr, beside))


def test_without_pandas_the_error_says_what_to_install(monkeypatch):
    monkeypatch.setitem(sys.modules, "pandas", None)
    with pytest.raises(ImportError, match="pip install pandas"):
        SEEDS.to_pandas()
