"""A pool of fresh processes in which a crash costs one task, not the pool."""

from __future__ import annotations

import multiprocessing
import os
import pickle
import queue
import signal
import sys
import threading
import traceback
from collections.abc import Callable
from concurrent.futures import Executor, Future
from dataclasses import dataclass
from multiprocessing.connection import Connection, wait
from typing import Any


class WorkerDied(RuntimeError):  # noqa: N818 - named for what happened
    """The process that computed a task ended without an answer."""


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
        self._workers: dict[int, _Worker] = {}
        self._stopped = False
        self._slots = [threading.Thread(target=self._serve, args=(slot,), daemon=True) for slot in range(workers)]
        for thread in self._slots:
            thread.start()

    def submit(self, fn: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Future[Any]:
        """Compute `fn(*args, **kwargs)` in a worker.

        Raises:
            pickle.PicklingError: (or AttributeError, TypeError) what cannot travel to another process.
            RuntimeError: the pool was shut down.
        """
        if self._stopped:
            raise RuntimeError("the pool was shut down; make a new one.")
        future: Future[Any] = Future()
        self._tasks.put(_Task(future, pickle.dumps((fn, args, kwargs))))
        return future

    def shutdown(self, wait: bool = True, *, cancel_futures: bool = False) -> None:
        """End the workers when their tasks are done; waiting tasks are computed, or cancelled."""
        self._stopped = True
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
        self._stopped = True
        self.shutdown(wait=False, cancel_futures=True)
        for worker in list(self._workers.values()):
            worker.kill()
        for thread in self._slots:
            thread.join(timeout=5)

    def _serve(self, slot: int) -> None:
        while (task := self._tasks.get()) is not None:
            if task.future.set_running_or_notify_cancel():
                self._compute(slot, task)
        worker = self._workers.pop(slot, None)
        if worker is not None:
            worker.end()

    def _compute(self, slot: int, task: _Task) -> None:
        try:
            worker = self._workers.get(slot)
            if worker is None:
                worker = self._workers[slot] = _Worker()
            good, value = worker.ask(task.payload)
        except Exception as error:
            worker = self._workers.pop(slot, None)
            if worker is not None:
                worker.kill()
            task.future.set_exception(error)
            return
        if good:
            task.future.set_result(value)
        else:
            task.future.set_exception(value)


class _Worker:
    """One process and the pipe to it."""

    def __init__(self) -> None:
        context = multiprocessing.get_context("spawn")
        self._pipe, theirs = context.Pipe()
        self._process = context.Process(target=_work, args=(theirs,), name="caltrop worker")
        self._process.start()
        theirs.close()
        self._ready = False

    def ask(self, payload: bytes) -> tuple[bool, Any]:
        """Send a task and wait for its answer: (True, value) or (False, exception)."""
        try:
            if not self._ready:
                self._ready = self._pipe.recv() == "ready"
            self._pipe.send_bytes(payload)
            answer = self._pipe.recv_bytes()
        except (EOFError, OSError) as error:
            raise WorkerDied(self._death()) from error
        good, value = pickle.loads(answer)
        return good, value

    def end(self) -> None:
        """Let it finish: a closed pipe is its sign to leave."""
        self._pipe.close()
        self._process.join(timeout=5)
        if self._process.is_alive():
            self.kill()

    def kill(self) -> None:
        """End it at once."""
        self._process.kill()
        self._process.join(timeout=5)
        self._pipe.close()

    def _death(self) -> str:
        self._process.join(timeout=5)
        code = self._process.exitcode
        if not self._ready:
            return (
                f"a worker process could not start (exit code {code}). In a script, what starts a sweep must stand "
                'under `if __name__ == "__main__":`, because every worker imports the script first.'
            )
        if code is not None and code < 0:
            name = signal.Signals(-code).name if -code in set(signal.Signals) else str(-code)
            hint = "; the system kills what runs out of memory" if name == "SIGKILL" else ""
            return f"the worker process was ended by {name}{hint}."
        return f"the worker process ended by itself with exit code {code}."


def _work(pipe: Connection) -> None:
    """What a worker does until the pipe is closed."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    os.environ["OMP_NUM_THREADS"] = "1"
    threading.Thread(target=_end_with_parent, daemon=True).start()
    pipe.send("ready")
    while True:
        try:
            payload = pipe.recv_bytes()
        except EOFError:
            return
        pipe.send_bytes(_answer(payload))


def _answer(payload: bytes) -> bytes:
    try:
        fn, args, kwargs = pickle.loads(payload)
        _use_one_thread()
        return pickle.dumps((True, fn(*args, **kwargs)))
    except BaseException as error:
        error.add_note("".join(traceback.format_exception(error)))
        try:
            told = pickle.dumps((False, error))
            pickle.loads(told)  # an exception with arguments of its own may not come back
            return told
        except Exception:
            return pickle.dumps((False, RuntimeError(f"{type(error).__name__}: {error}")))


def _use_one_thread() -> None:
    # unpickling the task imports what it needs; a task that imports torch later finds OMP_NUM_THREADS
    torch = sys.modules.get("torch")
    if torch is not None:
        torch.set_num_threads(1)


def _end_with_parent() -> None:
    parent = multiprocessing.parent_process()
    if parent is not None:
        wait([parent.sentinel])
        os._exit(1)
