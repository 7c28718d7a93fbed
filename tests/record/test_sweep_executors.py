"""Sweeps on other people's executors."""

from __future__ import annotations

import multiprocessing
import os
import warnings
from concurrent.futures import Future, ProcessPoolExecutor, ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

import pytest

from caltrop.record import run_many
from record import sweep_tasks as tasks


class Job:
    """Not a `concurrent.futures.Future`: can only be asked, and is done at the second look."""

    def __init__(self, fn, args, broken):
        self.fn, self.args, self.broken, self.looks = fn, args, broken, 0

    def done(self):
        if self.broken:
            raise OSError("the queue cannot be asked")
        self.looks += 1
        return self.looks > 1

    def result(self):
        return self.fn(*self.args)


class Queue:
    """Has the `submit` of an executor, and packs what is submitted together, as submitit's does."""

    def __init__(self, full_at=None, broken_at=None, refuses=False):
        self.full_at, self.broken_at, self.refuses = full_at, broken_at, refuses
        self.batches = []

    @contextmanager
    def batch(self):
        self.batches.append(0)
        yield
        if self.refuses:
            raise RuntimeError("no such partition")

    def submit(self, fn, *args):
        index = self.batches[-1]
        self.batches[-1] += 1
        if index == self.full_at:
            raise RuntimeError("the queue is full")
        return Job(fn, args, broken=index == self.broken_at)


def test_futures_that_cannot_call_back_are_asked():
    queue = Queue()
    cells = run_many(tasks.square, range(4), executor=queue, progress=False)
    assert [cell.value for cell in cells] == [0, 1, 4, 9]
    assert queue.batches == [4]


def test_what_cannot_be_submitted_or_asked_fails_alone():
    cells = run_many(tasks.square, range(4), executor=Queue(full_at=1, broken_at=2), progress=False)
    assert [cell.value for cell in cells] == [0, None, None, 9]
    assert cells[1].error == "RuntimeError: the queue is full"
    assert cells[2].error == "OSError: the queue cannot be asked"


def test_a_batch_that_is_refused_fails_its_cells():
    cells = run_many(tasks.square, range(2), executor=Queue(refuses=True), progress=False)
    assert [cell.error for cell in cells] == ["RuntimeError: no such partition"] * 2


class Losing(ThreadPoolExecutor):
    """Loses the first try of everything, and `culprit` every time."""

    def __init__(self, culprit):
        super().__init__(1)
        self.culprit, self.submitted = culprit, []

    def submit(self, fn, *args):
        config, first = args[0], args[0] not in self.submitted
        self.submitted.append(config)
        if config == self.culprit or first:
            future = Future()
            future.set_exception(RuntimeError("the worker was lost"))
            return future
        return super().submit(fn, *args)


def test_what_an_executor_loses_is_tried_once_more_after_all_others():
    with Losing(culprit=1) as executor:
        cells = run_many(tasks.square, range(3), executor=executor, progress=False)
    assert [cell.value for cell in cells] == [0, None, 4]
    assert cells[1].error == "RuntimeError: the worker was lost"
    assert executor.submitted == [0, 1, 2, 0, 1, 2]


def test_a_process_pool_survives_what_cannot_be_unpickled():
    with ProcessPoolExecutor(1, mp_context=multiprocessing.get_context("spawn")) as pool:
        cells = run_many(tasks.fail_in_all_ways, ["one", "stubborn", "two"], executor=pool, progress=False)
    assert [cell.value for cell in cells] == ["one", None, "two"]
    assert cells[1].error == "Stubborn: 1 2"


def test_a_process_pool_refuses_what_it_could_not_find():
    with ProcessPoolExecutor(1) as pool, pytest.raises(TypeError, match="cannot be found by another process"):
        run_many(lambda number: number, [1], executor=pool)


@pytest.fixture(scope="module")
def dask_client():
    with warnings.catch_warnings():
        # what other packages deprecate in each other is not ours to mend
        warnings.simplefilter("ignore")
        distributed = pytest.importorskip("distributed")
        dask = pytest.importorskip("dask")
    # one more try after a death, not three, and no half minute for a worker that is gone: for a short test only
    settings = {"distributed.scheduler.allowed-failures": 1, "distributed.comm.timeouts.connect": "3s"}
    with (
        dask.config.set(settings),
        distributed.LocalCluster(n_workers=2, threads_per_worker=1, dashboard_address=None) as cluster,
        distributed.Client(cluster) as client,
    ):
        yield client


@pytest.mark.slow
def test_dask_computes_and_resumes(dask_client, tmp_path):
    log = str(tmp_path / "log")
    configs = [{"log": log, "index": index} for index in range(4)]
    for upto in (2, 4):
        cells = run_many(
            tasks.logged, configs[:upto], executor=dask_client.get_executor(), out=tmp_path / "out", progress=False
        )
        assert [cell.value for cell in cells] == list(range(upto))
    assert tasks.counted(log) == {0: 1, 1: 1, 2: 1, 3: 1}
    assert os.getpid() not in tasks.processes(log)


@pytest.mark.slow
def test_a_cell_that_kills_its_dask_worker_fails_alone(dask_client):
    ways = ["one", "kill", "two", "raise", *map(str, range(8))]
    cells = run_many(tasks.fail_in_all_ways, ways, executor=dask_client.get_executor(), progress=False)
    assert {cell.config: cell.error.partition(":")[0] for cell in cells if cell.error is not None} == {
        "kill": "KilledWorker",
        "raise": "ValueError",
    }


@pytest.mark.slow
def test_a_cell_whose_dask_worker_was_killed_is_computed_elsewhere(dask_client, tmp_path):
    config = {"folder": str(tmp_path)}
    cells = run_many(
        tasks.killed_once, [config], executor=dask_client.get_executor(), out=tmp_path / "out", progress=False
    )
    assert [cell.value for cell in cells] == ["survived"]


@pytest.mark.slow
def test_submitit_runs_each_cell_as_a_job(tmp_path, monkeypatch):
    submitit = pytest.importorskip("submitit")
    # a job is a process that is told nothing of this one's search path
    monkeypatch.setenv("PYTHONPATH", str(Path(__file__).parent.parent), prepend=os.pathsep)
    executor = submitit.AutoExecutor(folder=tmp_path / "jobs", cluster="local")
    executor.update_parameters(timeout_min=5)
    ways = ["one", "raise", "two"]
    cells = run_many(tasks.fail_in_all_ways, ways, executor=executor, out=tmp_path / "out", progress=False)
    assert [cell.value for cell in cells] == ["one", None, "two"]
    assert cells[1].error == "ValueError: a sentence over two lines"
