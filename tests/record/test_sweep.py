from __future__ import annotations

import math
import os
import threading
from concurrent.futures import ThreadPoolExecutor

import pytest

from caltrop.record import Cell, cell_key, run_many
from caltrop.record import sweep as sweep_module
from record import sweep_tasks as tasks


@pytest.fixture
def threads():
    with ThreadPoolExecutor(2) as pool:
        yield pool


@pytest.fixture
def no_processes(monkeypatch):
    monkeypatch.setattr(sweep_module, "SpawnPool", lambda *_: pytest.fail("a pool of processes was started"))


def test_values_come_in_the_order_of_the_configurations_whoever_is_done_first(tmp_path):
    configs = [{"folder": str(tmp_path), "index": index, "last": 1} for index in range(2)]
    done = []
    cells = run_many(
        tasks.wait_for_the_next, configs, workers=2, progress=False, on_done=lambda cell: done.append(cell.value)
    )
    assert [cell.value for cell in cells] == [0, 1]
    assert [cell.config for cell in cells] == configs
    assert done == [1, 0]


def test_each_crash_fails_its_own_cell_and_says_how():
    ways = ["one", "exit", "two", "kill", "segfault", "raise", "three", "leave", "stubborn", "unpicklable", "four"]
    cells = {cell.config: cell for cell in run_many(tasks.fail_in_all_ways, ways, workers=2, progress=False)}
    assert [way for way in ways if cells[way].error is None] == ["one", "two", "three", "four"]
    assert all(cells[way].value == (way if cells[way].error is None else None) for way in ways)
    assert cells["exit"].error == "WorkerDied: the worker process ended by itself with exit code 3."
    assert cells["kill"].error.startswith("WorkerDied: the worker process was ended by SIGKILL")
    assert cells["segfault"].error == "WorkerDied: the worker process was ended by SIGSEGV."
    assert cells["raise"].error == "ValueError: a sentence over two lines"
    assert "in fail_in_all_ways" in cells["raise"].traceback
    assert cells["leave"].error == "SystemExit: 4"
    assert cells["stubborn"].error == "Stubborn: 1 2"
    assert cells["unpicklable"].error.startswith("TypeError: the value cannot travel to another process")


def test_no_configurations_are_no_cells(no_processes):
    assert run_many(tasks.square, []) == []


def test_equal_configurations_are_computed_once(threads, tmp_path):
    config = {"log": str(tmp_path / "log"), "index": 7}
    cells = run_many(tasks.logged, [config, {**config, "index": 8}, dict(reversed(config.items()))], executor=threads)
    assert [cell.value for cell in cells] == [7, 8, 7]
    assert tasks.counted(tmp_path / "log") == {7: 1, 8: 1}


def test_classes_with_the_same_fields_are_different_configurations(threads):
    cells = run_many(tasks.name_of, [tasks.Sgd(0.1), tasks.Adam(0.1), {"rate": 0.1}], executor=threads)
    assert [cell.value for cell in cells] == ["Sgd", "Adam", "dict"]


def test_nested_classes_with_the_same_fields_are_different_configurations(threads):
    configs = [{"optimizer": [tasks.Sgd(0.1)]}, {"optimizer": [tasks.Adam(0.1)]}]
    cells = run_many(lambda config: type(config["optimizer"][0]).__name__, configs, executor=threads)
    assert [cell.value for cell in cells] == ["Sgd", "Adam"]


def test_the_key_of_a_plain_configuration_is_its_cell_key(threads):
    assert run_many(tasks.square, [3], executor=threads) == [Cell(3, 9, key=cell_key(3))]


@pytest.mark.parametrize(
    ("config", "message"),
    [
        ({"rate": {1, 2}}, r"^configuration 1\['rate'\] is a set"),
        (tasks.Sgd(object()), r"^configuration 1\.rate is a object"),
        ({"a": [{2: 0}]}, r"^configuration 1\['a'\]\[0\] has the key 2, a int; keys must be strings"),
    ],
)
def test_a_configuration_that_cannot_be_a_key_is_named_with_its_place(no_processes, config, message):
    with pytest.raises(TypeError, match=message):
        run_many(tasks.square, [1, config])


def test_a_configuration_that_is_not_finite_is_refused(no_processes):
    with pytest.raises(ValueError, match=r"^configuration 0\['rate'\] is nan"):
        run_many(tasks.square, [{"rate": math.nan}])


@pytest.mark.parametrize("configs", [{"rate": 0.1}, "abc"])
def test_one_configuration_instead_of_a_list_is_refused(no_processes, configs):
    with pytest.raises(TypeError, match="give a list of configurations"):
        run_many(tasks.square, configs)


def test_no_workers_are_refused(no_processes):
    with pytest.raises(ValueError, match="workers=0 is impossible"):
        run_many(tasks.square, [1], workers=0)


def function_within():
    def inner(number):
        return number

    return inner


@pytest.mark.parametrize("fn", [lambda number: number, function_within()])
def test_what_another_process_cannot_find_is_refused_before_one_is_started(no_processes, fn):
    with pytest.raises(TypeError, match=r"cannot be found by another process.*Put it into a module"):
        run_many(fn, [1])


def test_threads_take_any_function(threads):
    assert [cell.value for cell in run_many(lambda number: -number, [1, 2], executor=threads)] == [-1, -2]


def test_exceptions_in_threads_fail_their_cells_only(threads):
    def fn(number):
        if number == 1:
            raise KeyError("a key with 'quotes'")
        if number == 2:
            raise KeyboardInterrupt  # not the user's: it was raised by the cell
        return number

    cells = run_many(fn, range(4), executor=threads, progress=False)
    assert [cell.value for cell in cells] == [0, None, None, 3]
    assert cells[1].error == "KeyError: a key with 'quotes'"
    assert cells[2].error == "KeyboardInterrupt"


def test_cells_are_told_in_this_process_as_they_are_done():
    told = []
    cells = run_many(
        tasks.process, [0, 1, 2], workers=1, progress=False, on_done=lambda cell: told.append((os.getpid(), cell))
    )
    assert sorted(told, key=lambda entry: entry[1].config) == [(os.getpid(), cell) for cell in cells]
    assert os.getpid() not in {cell.value for cell in cells}


def test_what_on_done_raises_ends_the_sweep(tmp_path):
    log = tmp_path / "log"
    configs = [{"log": str(log), "index": 0}, {"log": str(log), "index": 1, "gate": str(tmp_path / "never")}]

    def refuse(_):
        raise LookupError("enough")

    with pytest.raises(LookupError, match="enough"):
        run_many(tasks.logged, configs, workers=2, progress=False, on_done=refuse)
    assert not any(tasks.is_running(pid) for pid in tasks.processes(log))


def test_waiting_cells_of_a_pool_that_was_given_are_cancelled_when_a_sweep_ends_early():
    entered, gate, computed = threading.Event(), threading.Event(), []

    def fn(number):
        computed.append(number)
        if number:
            entered.set()
            gate.wait(tasks.DEADLINE_SECONDS)

    def refuse(_):
        entered.wait(tasks.DEADLINE_SECONDS)
        raise LookupError("enough")

    with ThreadPoolExecutor(1) as pool:
        with pytest.raises(LookupError, match="enough"):
            run_many(fn, range(9), executor=pool, progress=False, on_done=refuse)
        gate.set()
    assert computed == [0, 1]


def test_progress_is_told_on_stderr_with_the_reason_of_a_failure(capsys):
    with ThreadPoolExecutor(1) as pool:
        run_many(lambda number: 1 / number, [0, 1], executor=pool)
    told = capsys.readouterr()
    assert told.out == ""
    assert told.err.splitlines() == [
        "cells to compute: 2",
        "1 of 2 cells, 1 failed (ZeroDivisionError: division by zero)",
        "2 of 2 cells, 1 failed",
    ]


def test_progress_can_be_left_out(threads, capsys):
    run_many(tasks.square, [1], executor=threads, progress=False)
    assert capsys.readouterr().err == ""
