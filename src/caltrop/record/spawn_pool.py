"""A pool of fresh processes in which a crash costs one task, not the pool."""

from __future__ import annotations

import os
import pickle
import queue
import threading
from collections.abc import Callable
from concurrent.futures import Executor, Future
from dataclasses import dataclass
from typing import Any

from caltrop.record.spawn_worker import SpawnWorker, WorkerDied, WorkerNeverStarted

_END_SECONDS = 10.0


@dataclass(frozen=True)
class _Task:
    future: Future[Any]
    payload: bytes


class SpawnPool(Executor):
    """Up to `workers` processes, started when needed, each computing one task at a time on one thread.

    Processes are spawned, not forked: a fork of a process whose threads compute may hang. Each has a pipe of its
    own, so that one that dies (killed, out of memory, a segmentation fault) fails exactly the task it had, and
    a new one takes its place. Workers ignore Ctrl-C, which is the parent's to handle, and end with the parent.
    """

    def __init__(self, workers: int) -> None:
        self._tasks: queue.SimpleQueue[_Task | None] = queue.SimpleQueue()
        self._workers: dict[int, SpawnWorker] = {}
        self._lock = threading.Lock()
        self._is_closed = self._is_stopped = False
        # one worker that starts shows that others can; one that cannot, before that, speaks for all
        self._has_started = False
        self._hopeless: WorkerNeverStarted | None = None
        self._slots = [threading.Thread(target=self._serve, args=(slot,), daemon=True) for slot in range(workers)]
        for thread in self._slots:
            thread.start()

    def submit(self, fn: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Future[Any]:
        """Compute `fn(*args, **kwargs)` in a worker.

        Raises:
            pickle.PicklingError: (or AttributeError, TypeError) what cannot travel to another process.
            RuntimeError: the pool was shut down.
        """
        if self._is_closed:
            raise RuntimeError("the pool was shut down; make a new one.")
        future: Future[Any] = Future()
        self._tasks.put(_Task(future, pickle.dumps((fn, args, kwargs))))
        return future

    def shutdown(self, wait: bool = True, *, cancel_futures: bool = False) -> None:
        """End the workers when their tasks are done; waiting tasks are computed, or cancelled."""
        self._is_closed = True
        while cancel_futures:
            try:
                task = self._tasks.get_nowait()
            except queue.Empty:
                break
            if task is not None:
                task.future.cancel()
        for _ in self._slots:
            self._tasks.put(None)
        for thread in self._slots if wait else ():
            thread.join()

    def stop(self) -> None:
        """End everything at once: waiting tasks are cancelled, running ones are killed."""
        with self._lock:
            self._is_stopped = True
            for worker in self._workers.values():
                worker.kill()
        self.shutdown(wait=False, cancel_futures=True)
        for thread in self._slots:
            thread.join(timeout=_END_SECONDS)

    def _serve(self, slot: int) -> None:
        while (task := self._tasks.get()) is not None:
            if task.future.set_running_or_notify_cancel():
                self._compute(slot, task)
        worker = self._workers.get(slot)
        if worker is not None:
            worker.end()

    def _compute(self, slot: int, task: _Task) -> None:
        try:
            worker = self._worker(slot)
            good, value = worker.ask(task.payload)
            self._has_started = True
        except Exception as error:
            if isinstance(error, WorkerNeverStarted) and not self._has_started:
                self._hopeless = error
            self._drop(slot)
            task.future.set_exception(error)
            return
        if good:
            task.future.set_result(value)
        else:
            task.future.set_exception(value)

    def _worker(self, slot: int) -> SpawnWorker:
        """The slot's worker; a new one where there is none, or where it died between two tasks."""
        worker = self._workers.get(slot)
        if worker is not None and worker.is_alive:
            return worker
        self._drop(slot)
        with self._lock:
            # `stop` kills what is listed here: nothing may be started after it
            if self._is_stopped:
                raise WorkerDied("the sweep was stopped.")
            if self._hopeless is not None:
                raise WorkerNeverStarted(str(self._hopeless))
            worker = self._workers[slot] = SpawnWorker()
        return worker

    def _drop(self, slot: int) -> None:
        with self._lock:
            worker = self._workers.pop(slot, None)
        if worker is not None:
            worker.kill()
            worker.bury()


def cores() -> int:
    """Cores that this process may use, which schedulers and containers make fewer than there are."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1
