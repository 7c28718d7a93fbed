"""Runs on disk: whole or absent, damaged ones named, nothing decided by a clock."""

from __future__ import annotations

import errno
import json
import math
import os
from dataclasses import replace

import pytest
import torch

from caltrop.record import CellRecord, Checkpoint, Planned, Record, RunFolder, find_runs
from caltrop.record import files as record_files
from caltrop.rows import Chart, ClassValues, Picture, Row, Rows

PLANNED = tuple(Planned(f"key{seed}", None, seed, {"depth": 3, "rate": 0.1}) for seed in (0, 1, 2))
RUN = Record(
    "author2020word", "desk", "A title", {"depth": 3, "rate": 0.1}, PLANNED, charts=(Chart("loss", says="a chart"),)
)


def cell(seed=0, **changes):
    rows = [
        Row("", "loss", "L", 1 / 3, seed=seed, split="train", step=1),
        Row("", "loss", "L", math.nan, seed=seed, split="train", step=2, reason="undefined"),
        Row("", "loss", "L", math.inf, seed=seed, split="train", step=3, reason="infinite: it diverged"),
        Row("", "training_error", "", 0.25, seed=seed, split="train", step=1),
    ]
    made = CellRecord(
        "author2020word",
        "desk",
        f"key{seed}",
        None,
        seed,
        {"depth": 3, "rate": 0.1},
        Rows.of(rows),
        preconditions={"training_error": 0.0, "weight_decay_time": 5.5},
        provenance={"torch": "2", "seconds": 3.0 + seed},
        clock="epoch",
        notes=("The same.", f"Only of {seed}."),
        per_class=(ClassValues("", "loss", {0: 1.0}),),
        pictures=(Picture("a", (0, 1), ((1.0, -1.0), (-1.0, 1.0)), ((1.0,), (-1.0,)), (1.0,)),),
    )
    return replace(made, **changes)


@pytest.fixture
def folder(tmp_path):
    folder = RunFolder(tmp_path / "results" / "run")
    folder.begin(RUN)
    return folder


def digits(rows):
    return [repr(row) for row in rows]


def test_a_cell_comes_back_as_it_was_written(folder):
    folder.write_cell(cell())
    (again,) = folder.read().cells
    assert digits(again.rows) == digits(cell().rows)
    assert again.as_dict() == cell().as_dict()
    assert folder.read().charts == RUN.charts


def test_equal_cells_are_equal_bytes(folder):
    assert folder.write_cell(cell()).read_bytes() == folder.write_cell(cell()).read_bytes()


def test_what_is_planned_and_not_there_is_missing(folder):
    folder.write_cell(cell(1))
    record = folder.read()
    assert [planned.seed for planned in record.missing] == [0, 2]
    assert (record.is_complete, record.status) == (False, "1 of 3 cells")
    assert [folder.has(f"key{seed}") for seed in (0, 1, 2)] == [False, True, False]


def test_cells_stand_in_the_order_of_the_plan_whatever_came_first(folder):
    for seed in (2, 0, 1):
        folder.write_cell(cell(seed))
    assert [one.seed for one in folder.read().cells] == [0, 1, 2]
    assert folder.read().status == "complete"
    assert folder.read().rows.distinct("seed") == (0, 1, 2)


def test_more_seeds_join_the_run(folder):
    folder.write_cell(cell(0))
    folder.begin(replace(RUN, planned=(Planned("key7", None, 7, RUN.config),)))
    assert [planned.seed for planned in folder.read().planned] == [0, 1, 2, 7]
    assert folder.has("key0")


@pytest.mark.parametrize(
    ("changes", "why"),
    [
        ({"experiment": "other2021word"}, "experiment 'author2020word', not 'other2021word'"),
        ({"scale": "smoke"}, "scale 'desk', not 'smoke'"),
        ({"config": {"depth": 4, "rate": 0.1}}, "depth=3, not 4"),
    ],
)
def test_another_run_is_not_mixed_in(folder, changes, why):
    with pytest.raises(ValueError, match=why):
        folder.begin(replace(RUN, **changes))
    assert folder.read().config == RUN.config
    folder.begin(replace(RUN, **changes), replace=True)
    assert folder.read().config == changes.get("config", RUN.config)


def test_a_failure_is_kept_until_the_cell_succeeds(folder):
    folder.note_failure("key1", "FloatingPointError: the loss is nan")
    record = folder.read()
    assert record.failures == {"key1": "FloatingPointError: the loss is nan"}
    assert record.status == "0 of 3 cells, 1 failed"
    assert "seed 1 failed: FloatingPointError" in record.study().notes[0]
    folder.write_cell(cell(1))
    assert folder.read().failures == {}


DAMAGE = {
    "cut short": (lambda path: path.write_text(path.read_text()[:-40]), "not a whole JSON file"),
    "empty": (lambda path: path.write_text(""), "not a whole JSON file"),
    "binary": (lambda path: path.write_bytes(b"\xff\x00\xfe"), "not a whole JSON file"),
    "another program's": (lambda path: path.write_text('{"a": 1}'), "names no format version"),
    "a list": (lambda path: path.write_text("[1]"), "it holds a list"),
    "newer": (lambda path: edit(path, format=99), "format 99; this version of Caltrop reads up to format 2"),
    "another kind": (lambda path: edit(path, kind="run"), "a file of the kind 'run'"),
    "without rows": (lambda path: edit(path, rows=None), "damaged"),
    "another cell": (lambda path: edit(path, key="key2"), "holds the cell key2"),
    "another paper's": (lambda path: edit(path, experiment="x2020y"), "holds the cell key1 of x2020y"),
    "NaN": (lambda path: path.write_text(path.read_text().replace("0.25", "NaN")), "NaN is not JSON"),
}


def edit(path, **changes):
    path.write_text(json.dumps({**json.loads(path.read_text()), **changes}))


@pytest.mark.parametrize("name", DAMAGE)
def test_a_damaged_or_foreign_cell_is_named_and_the_others_are_read(folder, name):
    damage, why = DAMAGE[name]
    for seed in (0, 1, 2):
        folder.write_cell(cell(seed))
    damage(folder.path / "cells" / "key1.json")
    record = folder.read()
    assert [one.seed for one in record.cells] == [0, 2]
    assert why in record.damaged["cells/key1.json"]
    assert why in record.failures["key1"]
    if name != "another paper's":  # that one is whole, and only the run knows better
        assert not folder.has("key1")


def test_a_damaged_cell_is_set_aside_when_it_is_computed_again(folder):
    folder.write_cell(cell(1)).write_text("rubbish")
    folder.write_cell(cell(1))
    assert folder.has("key1")
    assert (folder.path / "cells" / "key1.damaged").read_text() == "rubbish"


def test_a_file_that_is_no_cell_of_the_run_is_named(folder):
    (folder.path / "cells" / "stray.json").write_text("{}")
    assert "no cell of this run" in folder.read().damaged["cells/stray.json"]


def test_a_folder_without_a_run_says_so(tmp_path):
    with pytest.raises(FileNotFoundError, match="there is no run at"):
        RunFolder(tmp_path).read()


@pytest.mark.parametrize("text", ["", '{"format": 2, "kind": "run"}', '{"format": 99, "kind": "run"}'])
def test_a_damaged_plan_is_refused_and_can_be_replaced(folder, text):
    (folder.path / "run.json").write_text(text)
    for ask in (folder.read, lambda: folder.begin(RUN)):
        with pytest.raises(ValueError, match=r"run\.json"):
            ask()
    folder.begin(RUN, replace=True)
    assert folder.read().config == RUN.config


def test_runs_studies_and_foreign_files_are_found_at_any_depth(folder, tmp_path):
    from caltrop.record import write_study
    from caltrop.rows import Study

    folder.write_cell(cell())
    write_study(Study(()), tmp_path / "measured")
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / "run.json").write_text('{"name": "of another program"}')
    (tmp_path / "other" / "data.json").write_text("{}")
    found = find_runs(tmp_path)
    assert found.runs == (folder.path,)
    assert found.studies == (tmp_path / "measured",)
    assert list(found.foreign) == [tmp_path / "other" / "run.json"]
    assert find_runs(folder.path).runs == (folder.path,)


@pytest.mark.parametrize("call", range(4))
def test_a_disk_that_is_full_leaves_the_old_file_whole_and_nothing_beside_it(folder, monkeypatch, call):
    """The disk fills up at each of the calls in turn that write, sync or rename."""
    folder.write_cell(cell())
    before = {path: path.read_bytes() for path in sorted(folder.path.rglob("*")) if path.is_file()}
    full = OSError(errno.ENOSPC, "No space left on device")

    def fails(*_, **__):
        raise full

    name = ("fsync", "replace", "fdopen", "chmod")[call]
    monkeypatch.setattr(record_files.os, name, fails)
    changed = cell(rows=Rows.of([Row("", "loss", "L", 2.0)]))
    with pytest.raises(OSError, match="No space left"):
        folder.write_cell(changed)
    monkeypatch.undo()
    assert {path: path.read_bytes() for path in sorted(folder.path.rglob("*")) if path.is_file()} == before
    folder.write_cell(changed)
    assert len(folder.read().cells[0].rows) == 1


def test_what_a_killed_writer_left_is_ignored_and_cleaned_by_the_next(folder):
    stray = folder.path / "cells" / ".key0.json.abc.part"
    stray.write_text("half")
    assert folder.read().damaged == {}
    with folder.cell_lock("key0"):
        folder.write_cell(cell())
    assert not stray.exists()


def test_a_clock_that_moved_back_changes_nothing(folder, monkeypatch):
    folder.write_cell(cell(0))
    text = {path: path.read_bytes() for path in folder.path.rglob("*.json")}
    for path in folder.path.rglob("*"):
        os.utime(path, (4e9, 4e9))  # written in the year 2096, as it seems now
    monkeypatch.setattr("time.time", lambda: 0.0)
    folder.begin(RUN)
    folder.write_cell(cell(1))
    record = folder.read()
    assert [one.seed for one in record.cells] == [0, 1]
    assert all(path.read_bytes() == content for path, content in text.items())


def test_a_checkpoint_keeps_tensors_and_plain_values(folder):
    checkpoint = folder.checkpoint("key0")
    assert checkpoint.load() is None
    assert folder.progress("key0") is None
    state = {"weights": torch.arange(3.0), "nested": {"list": [1, 2.5, "a", None, True]}}
    checkpoint.save(state, done=3, total=10)
    again = folder.checkpoint("key0").load()
    assert torch.equal(again["weights"], state["weights"])
    assert again["nested"] == state["nested"]
    assert folder.progress("key0") == (3, 10)
    checkpoint.clear()
    assert folder.checkpoint("key0").load() is None
    assert [path.name for path in (folder.path / "cells").iterdir()] == []


@pytest.mark.parametrize("content", [b"", b"rubbish", b"PK\x03\x04 cut short"])
def test_a_damaged_checkpoint_is_as_good_as_none_and_says_so(tmp_path, content):
    path = tmp_path / "cell.partial"
    path.write_bytes(content)
    checkpoint = Checkpoint(path)
    assert checkpoint.load() is None
    assert "begins anew" in checkpoint.note


def test_a_checkpoint_that_would_run_code_is_not_loaded(tmp_path):
    class Evil:
        def __reduce__(self):
            return (os.mkdir, (str(tmp_path / "owned"),))

    torch.save({"state": Evil()}, tmp_path / "cell.partial")
    assert Checkpoint(tmp_path / "cell.partial").load() is None
    assert not (tmp_path / "owned").exists()


def test_a_study_shows_each_note_with_the_seeds_that_say_it(folder):
    for seed in (0, 1, 2):
        folder.write_cell(cell(seed))
    study = folder.read().study()
    assert study.notes[:3] == ("The same.", "seed 0: Only of 0.", "seed 1: Only of 1.")
    assert len(study.pictures) == 1
    assert "Class means and values of single classes are those of seed 0." in study.notes
    assert study.provenance["torch"] == "2"
    assert study.provenance["runs"]["seed 2"] == "seconds 5.0"
    assert study.clock == "epoch"


def test_the_data_frame_has_training_error_and_weight_decay_time_as_columns(folder):
    pytest.importorskip("pandas")
    folder.write_cell(cell())
    frame = folder.read().to_pandas()
    assert list(frame["training_error"][:2]) == pytest.approx([0.25, math.nan], nan_ok=True)
    assert frame["weight_decay_time"].isna().all()
    assert list(frame["measure"]) == ["loss", "loss", "loss", "training_error"]
