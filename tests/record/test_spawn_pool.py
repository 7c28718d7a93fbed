from __future__ import annotations

import os
import signal
import time

import pytest
import torch

from caltrop.record.spawn_pool import SpawnPool
from caltrop.record.spawn_worker import WorkerDied
from record import sweep_tasks as tasks


@pytest.fixture
def pool():
    with SpawnPool(1) as pool:
        yield pool


def test_a_worker_that_dies_between_two_tasks_costs_none(pool):
    pid = pool.submit(tasks.process, 0).result()
    os.kill(pid, signal.SIGKILL)
    os.waitid(os.P_PID, pid, os.WEXITED | os.WNOWAIT)
    assert pool.submit(tasks.process, 0).result() != pid


def test_a_worker_computes_one_task_after_another(pool):
    assert pool.submit(tasks.process, 0).result() == pool.submit(tasks.process, 0).result()


def test_a_worker_whose_child_outlives_it_is_not_waited_for(pool):
    start = time.monotonic()
    with pytest.raises(WorkerDied, match="exit code 5"):
        pool.submit(tasks.fail_in_all_ways, "orphan").result()
    # the child lives for 5 s
    assert time.monotonic() - start < 4.5


def test_workers_know_of_one_thread_before_they_import_anything(pool, monkeypatch):
    monkeypatch.setenv("OMP_NUM_THREADS", "7")
    assert pool.submit(tasks.threads, 0).result() == "1"
    assert os.environ["OMP_NUM_THREADS"] == "7"


@pytest.mark.slow  # imports torch in another process
def test_torch_computes_on_one_thread_whatever_a_module_asked_for(pool):
    before = torch.get_num_threads()
    from record.sweep_torch_tasks import torch_threads

    torch.set_num_threads(before)
    assert pool.submit(torch_threads, 0).result() == 1


def test_starting_workers_leaves_signals_as_they_were(pool):
    before = signal.pthread_sigmask(signal.SIG_BLOCK, ())
    pool.submit(tasks.process, 0).result()
    assert signal.pthread_sigmask(signal.SIG_BLOCK, ()) == before


def test_a_pool_that_was_stopped_leaves_nothing_behind(tmp_path):
    log = tmp_path / "log"
    pool = SpawnPool(2)
    config = {"log": str(log), "gate": str(tmp_path / "never")}
    futures = [pool.submit(tasks.logged, {**config, "index": index}) for index in range(4)]
    tasks.until(lambda: len(tasks.processes(log)) == 2)
    pool.stop()
    assert [future.cancelled() for future in futures] == [False, False, True, True]
    assert not any(tasks.is_running(pid) for pid in tasks.processes(log))
    with pytest.raises(RuntimeError, match="was shut down"):
        pool.submit(tasks.square, 2)


def test_a_pool_that_is_stopped_while_its_workers_start_leaves_nothing_behind(tmp_path, monkeypatch):
    pool = SpawnPool(1)
    drop = pool._drop

    def drop_after_the_stop(slot):
        tasks.until(lambda: pool._is_stopped)
        drop(slot)

    # what happens last before a worker is started
    monkeypatch.setattr(pool, "_drop", drop_after_the_stop)
    future = pool.submit(tasks.logged, {"log": str(tmp_path / "log"), "index": 0})
    tasks.until(future.running)
    pool.stop()
    with pytest.raises(WorkerDied, match="stopped"):
        future.result(timeout=tasks.DEADLINE_SECONDS)
    assert tasks.counted(tmp_path / "log") == {}


def test_what_cannot_travel_is_refused_at_once(pool):
    with pytest.raises(Exception, match="lambda"):
        pool.submit(tasks.square, lambda: None)


def test_a_pool_that_is_shut_down_finishes_what_it_has():
    with SpawnPool(1) as pool:
        futures = [pool.submit(tasks.square, number) for number in range(3)]
    assert [future.result() for future in futures] == [0, 1, 4]
