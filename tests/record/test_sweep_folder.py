from __future__ import annotations

import errno
import json
import math
import operator
import os
import re
import threading
from concurrent.futures import ThreadPoolExecutor
from enum import Enum
from fractions import Fraction
from functools import partial
from types import SimpleNamespace

import numpy as np
import pytest
import torch

from caltrop.record import FORMAT, cell_key, run_many
from caltrop.record import sweep as sweep_module
from caltrop.record.stored_value import decode, encode
from caltrop.rows import ClassValues, Picture, Row, Rows, Study
from record import sweep_tasks as tasks


class Colour(str, Enum):  # noqa: UP042 - the kind whose str() is its name, not its value
    RED = "red"


@pytest.fixture
def sweep(tmp_path):
    """run_many in threads, with a folder."""
    with ThreadPoolExecutor(2) as pool:
        yield partial(run_many, executor=pool, out=tmp_path / "out", progress=False)


@pytest.fixture
def folder(tmp_path):
    return tmp_path / "out"


ROW = Row("fc:input", "variability_ratio", "tr", math.inf, split="train", step=3, reason="infinite: two coincide")
VALUES = {
    "nothing": None,
    "truth": True,
    "text": "ä \udce4",  # a file name that is not UTF-8 is text, too
    "integer": 2**70,
    "float": 0.1 + 0.2,
    "negative zero": -0.0,
    "infinite": [math.inf, -math.inf],
    "nested": {"a": [1, {"b": None}], "": {}},
    "row": ROW,
    "rows": Rows.of([ROW, ROW]),
    "study": Study(rows=Rows.of([ROW]), title="A sweep", notes=("n",)),
    "in lists": [ROW, {"row": ROW}],
    "class values": ClassValues("a", "m", {0: 0.25, 7: 0.5}),
    "picture": Picture("a", (0, 1), ((1.0, -1.0), (-1.0, 1.0)), ((1.0,), (-1.0,)), (1.0,)),
}


def lookup(name):
    return VALUES[name]


@pytest.mark.parametrize("name", VALUES)
def test_values_come_back_the_same_whether_computed_or_loaded(sweep, name):
    value = VALUES[name]
    (computed,) = sweep(lookup, [name])
    (loaded,) = sweep(lookup, [name])
    assert (computed.error, loaded.error) == (None, None)
    for cell in (computed, loaded):
        assert type(cell.value) is type(value)
        assert cell.value == value
        assert repr(cell.value) == repr(value)  # tells 0.0 from -0.0


@pytest.mark.parametrize(
    ("value", "plain"),
    [
        ((1, 2), [1, 2]),
        (np.float32(0.5), 0.5),
        (np.int64(3), 3),
        (np.bool_(True), True),
        (np.str_("a"), "a"),
        (Colour.RED, "red"),
        ({Colour.RED: Colour.RED}, {"red": "red"}),
    ],
)
def test_values_that_json_has_no_type_for_become_plain_at_once(value, plain):
    back = decode(json.loads(json.dumps(encode(value), allow_nan=False)))
    assert back == plain
    assert type(back) is type(plain)


def test_not_a_number_survives():
    assert math.isnan(decode(json.loads(json.dumps(encode({"a": [math.nan]}), allow_nan=False)))["a"][0])


@pytest.mark.parametrize(
    ("value", "message"),
    [
        (np.zeros(2), r"the value is a ndarray, .*\(its .tolist\(\) can\)"),
        ({"means": [torch.zeros(2)]}, r"the value\['means'\]\[0\] is a Tensor, .*\(its .tolist\(\) can\)"),
        ({1, 2}, "the value is a set, which cannot be stored. Return numbers"),
        (Fraction(1, 3), "the value is a Fraction"),
        (SimpleNamespace(rows=[]), r"the value is a SimpleNamespace, .*\(its .rows can\)"),
        ({1: 2}, "the value has the key 1; keys of stored dicts must be strings"),
        ({"~caltrop": 2}, "keys of stored dicts must be strings, other than '~caltrop'"),
    ],
)
def test_a_value_that_cannot_be_stored_fails_its_cell_and_says_what_to_return(sweep, folder, value, message):
    def fn(index):
        return value if index else 0

    good, bad = sweep(fn, [0, 1])
    assert good.value == 0
    assert re.search(f"^TypeError: .*{message}", bad.error)
    assert [path.stem for path in folder.glob("*.json")] == [good.key]


def test_finished_cells_are_loaded_without_starting_anything(sweep, monkeypatch):
    sweep(tasks.square, [2, 3])
    monkeypatch.setattr(sweep_module, "SpawnPool", lambda *_: pytest.fail("a pool of processes was started"))
    told = []
    cells = sweep(tasks.square, [3, 2], executor=None, on_done=told.append)
    assert [cell.value for cell in cells] == [9, 4]
    assert len(told) == 2


def test_only_what_is_missing_is_computed(sweep, tmp_path):
    configs = [{"log": str(tmp_path / "log"), "index": index} for index in range(4)]
    sweep(tasks.logged, configs[:2])
    assert [cell.value for cell in sweep(tasks.logged, configs)] == [0, 1, 2, 3]
    assert tasks.counted(tmp_path / "log") == {0: 1, 1: 1, 2: 1, 3: 1}


def test_failed_cells_are_computed_again(sweep, tmp_path):
    def fn(name):
        return (tmp_path / name).read_text()

    assert sweep(fn, ["a"])[0].error.startswith("FileNotFoundError")
    (tmp_path / "a").write_text("now")
    assert sweep(fn, ["a"])[0].value == "now"


def test_force_computes_again(sweep, folder):
    state = {"value": 1}

    def fn(_):
        return state["value"]

    sweep(fn, [0])
    state["value"] = 2
    assert sweep(fn, [0])[0].value == 1
    assert sweep(fn, [0], force=True)[0].value == 2
    assert sweep(fn, [0])[0].value == 2


def test_a_cell_that_another_sweep_computes_is_put_behind_the_others(folder):
    entered, gate, computed = threading.Event(), threading.Event(), []

    def fn(index):
        computed.append(index)
        if index == 0:
            entered.set()
            gate.wait(tasks.DEADLINE_SECONDS)
        return index

    def open_gate(_):
        if {1, 2} <= set(computed):
            gate.set()

    with ThreadPoolExecutor(1) as first, ThreadPoolExecutor(1) as second, ThreadPoolExecutor(1) as background:
        one = background.submit(run_many, fn, [0], executor=first, out=folder, progress=False)
        entered.wait(tasks.DEADLINE_SECONDS)
        two = run_many(fn, [0, 1, 2], executor=second, out=folder, progress=False, on_done=open_gate)
    assert [cell.value for cell in two] == [0, 1, 2]
    assert [cell.value for cell in one.result()] == [0]
    assert computed == [0, 1, 2]


@pytest.mark.parametrize("configs", [[2], [5]])
def test_a_folder_of_another_function_is_refused(sweep, folder, configs):
    sweep(tasks.square, [2, 3])
    with pytest.raises(ValueError, match=r"holds results of record.sweep_tasks.square, not of record.sweep_tasks.cube"):
        sweep(tasks.cube, configs)
    assert sweep(tasks.square, [2])[0].value == 4


def test_another_functions_result_that_comes_meanwhile_is_not_taken(sweep, folder):
    def fn(index):
        if index == 0:
            with ThreadPoolExecutor(1) as pool:
                run_many(tasks.square, [1], executor=pool, out=folder, progress=False)
        return index

    with ThreadPoolExecutor(1) as one:
        cells = sweep(fn, [0, 1], executor=one)
    assert cells[1].value is None
    assert "holds results of record.sweep_tasks.square" in cells[1].error


def test_what_partial_fixed_is_part_of_the_function(sweep):
    assert sweep(partial(tasks.power, 2), [3])[0].value == 9
    with pytest.raises(ValueError, match=r"holds results of record.sweep_tasks.power with \[2, {}\], not of"):
        sweep(partial(tasks.power, 3), [3])


@pytest.mark.parametrize(
    ("fn", "message"),
    [
        (lambda number: number, "<lambda> may be many. Define a function with def"),
        ({1: 2}.get, "dict.get may be many"),
        (operator.itemgetter(1), "operator.itemgetter may be many"),
        (partial(tasks.power, object()), r"^what functools.partial fixed of .*power\[0\] is a object"),
    ],
)
def test_functions_whose_results_could_be_taken_for_anothers_are_refused(sweep, fn, message):
    with pytest.raises(TypeError, match=message):
        sweep(fn, [1])


def test_a_configuration_that_the_function_changes_keeps_its_key(sweep, folder):
    def fn(config):
        config["seed"] = 99
        return 1

    (cell,) = sweep(fn, [{"seed": 1}])
    assert cell.key == cell_key({"seed": 1})
    assert json.loads((folder / f"{cell.key}.json").read_text())["config"] == {"seed": 1}
    assert sweep(fn, [{"seed": 1}])[0].value == 1


def test_results_lie_where_the_sweep_was_started(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "elsewhere").mkdir()

    def fn(index):
        os.chdir(tmp_path / "elsewhere")
        return index

    with ThreadPoolExecutor(1) as pool:
        run_many(fn, [0, 1], executor=pool, out="out", progress=False)
    assert len(list((tmp_path / "out").glob("*.json"))) == 2


def cut_short(path):
    path.write_text(path.read_text()[:-20])


def emptied(path):
    path.write_bytes(b"")


def of_another(path):
    path.write_text(path.read_text().replace('"config": 2', '"config": 3'))


def foreign(path):
    path.write_text('{"my": "notes"}')


def unreadable_value(path):
    path.write_text(path.read_text().replace('"value": 4', '"value": {"~caltrop": "Rows", "held": 3}'))


@pytest.mark.parametrize("damage", [cut_short, emptied, of_another, foreign, unreadable_value])
def test_a_damaged_result_is_named_kept_and_computed_again(sweep, folder, capsys, damage):
    sweep(tasks.square, [2, 3])
    path = folder / f"{cell_key(2)}.json"
    damage(path)
    broken = path.read_bytes()
    assert [cell.value for cell in sweep(tasks.square, [2, 3])] == [4, 9]
    assert str(path) in capsys.readouterr().err
    assert path.with_suffix(".damaged").read_bytes() == broken
    assert [cell.value for cell in sweep(tasks.square, [2, 3])] == [4, 9]
    assert capsys.readouterr().err == ""


def test_what_was_damaged_before_is_not_lost(sweep, folder):
    sweep(tasks.square, [2])
    path = folder / f"{cell_key(2)}.json"
    for text in ("first", "second"):
        path.write_text(text)
        sweep(tasks.square, [2], force=text == "second")
    assert {kept.read_text() for kept in folder.glob("*.damaged*")} == {"first", "second"}


def test_foreign_files_are_named_and_left(sweep, folder, capsys):
    folder.mkdir()
    (folder / "notes.txt").write_text("mine")
    sweep(tasks.square, [2])
    assert "also holds what no sweep wrote, left as it is: notes.txt." in capsys.readouterr().err
    assert (folder / "notes.txt").read_text() == "mine"


def test_results_of_a_newer_version_are_refused_and_left(sweep, folder):
    sweep(tasks.square, [2])
    path = folder / f"{cell_key(2)}.json"
    newer = path.read_text().replace(f'"format": {FORMAT}', f'"format": {FORMAT + 1}')
    path.write_text(newer)
    with pytest.raises(ValueError, match="Update Caltrop"):
        sweep(tasks.square, [2])
    assert path.read_text() == newer


def test_a_full_disk_fails_the_cell_and_leaves_nothing_half_written(sweep, folder, monkeypatch):
    def full(_):
        raise OSError(errno.ENOSPC, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(os, "fsync", full)
        (cell,) = sweep(tasks.square, [2])
    assert cell.error.startswith("OSError: [Errno 28] No space left on device, while writing the value: ")
    assert str(folder / cell.key) in cell.error
    assert [path.name for path in folder.iterdir() if not path.name.endswith(".lock")] == []
    assert sweep(tasks.square, [2])[0].value == 4


def test_equal_results_are_equal_files(sweep, folder):
    (cell,) = sweep(lookup, ["rows"])
    path = folder / f"{cell.key}.json"
    first = path.read_bytes()
    sweep(lookup, ["rows"], force=True)
    assert path.read_bytes() == first


def test_a_folder_that_is_a_file_is_refused(tmp_path):
    (tmp_path / "out").write_text("")
    with pytest.raises(FileExistsError, match="out"):
        run_many(tasks.square, [1], out=tmp_path / "out")
