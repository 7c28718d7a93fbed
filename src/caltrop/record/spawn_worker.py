"""A fresh process that computes one task at a time, on one thread, as long as its parent lives."""

from __future__ import annotations

import multiprocessing
import os
import pickle
import signal
import sys
import threading
import time
import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from multiprocessing import resource_tracker
from multiprocessing.connection import Connection, wait
from typing import Any

GUARD = (
    'In a script, what starts a sweep must stand under `if __name__ == "__main__":`, '
    "because every worker process imports the script first."
)
# read when NumPy and torch are imported, which a script does before it says anything
_THREADS = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "VECLIB_MAXIMUM_THREADS")
# how long a silent worker is believed to compute before its life is checked
_CHECK_SECONDS = 1.0
_END_SECONDS = 5.0
# multiprocessing loses exit codes when two threads ask for them at once; the environment is one for all threads
_PROCESSES = threading.RLock()


class WorkerDied(RuntimeError):  # noqa: N818 - named for what happened
    """The process that computed a task ended without an answer."""


class WorkerNeverStarted(WorkerDied):
    """The process ended by itself before it could take a task: the next one will, too."""


class SpawnWorker:
    """One process and the pipe to it."""

    def __init__(self) -> None:
        context = multiprocessing.get_context("spawn")
        self._pipe, theirs = context.Pipe()
        self._process = context.Process(target=_work, args=(theirs,), name="caltrop worker")
        with _PROCESSES, _as_workers_start():
            self._process.start()
        theirs.close()
        self._ready = False

    @property
    def is_alive(self) -> bool:
        """Whether it still can take a task."""
        return self._exit_code() is None

    def ask(self, payload: bytes) -> tuple[bool, Any]:
        """Send a task and wait for its answer: (True, value) or (False, exception).

        Raises:
            WorkerDied: the process is gone.
        """
        try:
            if not self._ready:
                self._ready = pickle.loads(self._received()) == "ready"
            self._pipe.send_bytes(payload)
            answer = self._received()
        except (EOFError, OSError) as error:
            raise self._death() from error
        good, value = pickle.loads(answer)
        return good, value

    def end(self) -> None:
        """Let it finish: a closed pipe is its sign to leave."""
        self._pipe.close()
        self._wait_for_end()
        self.kill()

    def kill(self) -> None:
        """End it at once."""
        with _PROCESSES:
            self._process.kill()

    def bury(self) -> None:
        """After `kill`: wait until it is gone."""
        self._wait_for_end()
        self._pipe.close()

    def _received(self) -> bytes:
        # children of the worker may hold its end of the pipe open after its death
        while not self._pipe.poll(_CHECK_SECONDS):
            if not self.is_alive and not self._pipe.poll():
                raise EOFError
        return self._pipe.recv_bytes()

    def _exit_code(self) -> int | None:
        with _PROCESSES:
            return self._process.exitcode

    def _wait_for_end(self) -> int | None:
        # not Process.join: it waits for the worker's children as well
        end = time.monotonic() + _END_SECONDS
        while (code := self._exit_code()) is None and time.monotonic() < end:
            time.sleep(0.005)
        return code

    def _death(self) -> WorkerDied:
        code = self._wait_for_end()
        if code is not None and code < 0:
            name = signal.Signals(-code).name if -code in set(signal.Signals) else f"signal {-code}"
            hint = "; the system does this when memory runs out" if name == "SIGKILL" else ""
            return WorkerDied(f"the worker process was ended by {name}{hint}.")
        if not self._ready:
            return WorkerNeverStarted(
                f"a worker process could not start (exit code {code}; stderr has its error). {GUARD}"
            )
        return WorkerDied(f"the worker process ended by itself with exit code {code}.")


def check_may_start() -> None:
    """Refuse to start workers in a worker that is importing its script.

    Raises:
        RuntimeError: names the remedy.
    """
    if getattr(multiprocessing.current_process(), "_inheriting", False):
        raise RuntimeError(GUARD)


@contextmanager
def _as_workers_start() -> Iterator[None]:
    """The environment and the signals of a worker, for the moment in which it is started."""
    kept = {name: os.environ.get(name) for name in _THREADS}
    os.environ.update(dict.fromkeys(_THREADS, "1"))
    masks = hasattr(signal, "pthread_sigmask")
    if masks:
        # starting this one would lift the mask again
        resource_tracker.ensure_running()
        # Ctrl-C goes to all processes of a terminal; one that still imports would die telling about it at length
        before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        if masks:
            signal.pthread_sigmask(signal.SIG_SETMASK, before)
        for name, value in kept.items():
            if value is None:
                del os.environ[name]
            else:
                os.environ[name] = value


def _work(pipe: Connection) -> None:
    """What a worker does until the pipe is closed."""
    # Ctrl-C is the parent's to handle. A handler, because children of the worker would inherit SIG_IGN
    signal.signal(signal.SIGINT, lambda *_: None)
    if hasattr(signal, "pthread_sigmask"):
        signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGINT})
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
        value = fn(*args, **kwargs)
    except BaseException as error:
        return _told(error)
    try:
        return pickle.dumps((True, value))
    except Exception as error:
        return _told(TypeError(f"the value cannot travel to another process: {error}"))


def _told(error: BaseException) -> bytes:
    try:
        told = pickle.dumps((False, error))
        pickle.loads(told)  # an exception with arguments of its own may not come back
        return told
    except Exception:
        text = "".join(traceback.format_exception_only(error)).strip()
        return pickle.dumps((False, RuntimeError(text)))


def _use_one_thread() -> None:
    # torch counts cores where the environment is overruled; a task that imports it later finds the environment
    torch = sys.modules.get("torch")
    if torch is not None:
        torch.set_num_threads(1)


def _end_with_parent() -> None:
    parent = multiprocessing.parent_process()
    if parent is not None:
        wait([parent.sentinel])
        os._exit(1)
