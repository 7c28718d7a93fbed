"""Runs on disk: whole or absent, damaged ones named, nothing decided by a clock."""

from __future__ import annotations

import json
import os
from dataclasses import replace

import pytest

from caltrop.record import Planned, RunFolder, find_runs, write_study
from caltrop.rows import Study
from record.runs import RUN, cell, digits


@pytest.fixture
def folder(tmp_path):
    folder = RunFolder(tmp_path / "results" / "run")
    folder.begin(RUN)
    return folder


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


@pytest.mark.parametrize("changes", [{"experiment": "other2021word"}, {"config": {"depth": 4, "rate": 0.1}}])
def test_a_run_that_is_replaced_is_kept_beside_and_no_longer_read(folder, changes):
    old = folder.write_cell(cell(0)).read_bytes()
    folder.checkpoint("key0").save({}, done=1, total=2)
    (folder.path / "cells" / "stray.json").write_text("{}")
    folder.begin(replace(RUN, **changes, planned=(Planned("key9", None, 9, {}),)), replace=True)
    record = folder.read()
    assert [planned.key for planned in record.planned] == ["key9"]
    assert list(record.damaged) == ["cells/stray.json"]
    assert (folder.path / "cells" / "key0.replaced").read_bytes() == old
    assert folder.checkpoint("key0").load() is None


def test_replacing_a_run_by_more_of_itself_keeps_it(folder):
    folder.write_cell(cell(0))
    folder.begin(replace(RUN, planned=(Planned("key7", None, 7, RUN.config),)), replace=True)
    assert [planned.seed for planned in folder.read().planned] == [0, 1, 2, 7]
    assert folder.has("key0")


def test_tuples_and_lists_are_one_configuration(folder):
    widths = {**RUN.config, "widths": (3, 4)}
    folder.begin(replace(RUN, config=widths), replace=True)
    folder.begin(replace(RUN, config=widths, planned=(Planned("key7", None, 7, widths),)))
    assert [planned.seed for planned in folder.read().planned] == [0, 1, 2, 7]


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


def test_no_damaged_cell_is_lost_and_none_is_kept_twice(folder):
    path = folder.path / "cells" / "key1.json"
    for text in ("first", "second", "second"):
        path.write_text(text)
        folder.write_cell(cell(1))
    kept = sorted(entry.name for entry in path.parent.glob("*.damaged*"))
    assert kept == ["key1.damaged", "key1.damaged-2", "key1.damaged-3"]


def test_what_is_damaged_is_told_without_the_folders_of_this_machine(folder):
    folder.write_cell(cell(1)).write_text("rubbish")
    told = [*folder.read().damaged.values(), *folder.read().study().notes]
    assert not any(str(folder.path) in text for text in told)


@pytest.mark.parametrize("key", ["../escaped", "a/b", "", ".hidden", "a b"])
def test_a_plan_leads_to_no_other_folder(folder, key):
    plan = json.loads((folder.path / "run.json").read_text())
    plan["planned"][0]["key"] = key
    (folder.path / "run.json").write_text(json.dumps(plan))
    with pytest.raises(ValueError, match="which is no key"):
        folder.read()


def test_a_cell_that_was_planned_and_written_while_the_run_is_read_is_no_foreign_one(folder, monkeypatch):
    read_plan = RunFolder._read_plan

    def slowly(self):
        monkeypatch.undo()
        folder.begin(replace(RUN, planned=(Planned("key7", None, 7, RUN.config),)))
        folder.write_cell(cell(7))
        return read_plan(self)

    monkeypatch.setattr(RunFolder, "_read_plan", slowly)
    assert folder.read().damaged == {}


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
    monkeypatch.setattr("time.time_ns", lambda: 0)
    folder.begin(RUN)
    folder.write_cell(cell(1))
    record = folder.read()
    assert [one.seed for one in record.cells] == [0, 1]
    assert all(path.read_bytes() == content for path, content in text.items())
