"""Futures of any kind, taken as they are done."""

from __future__ import annotations

import contextlib
import queue
from collections.abc import Callable
from concurrent.futures import Executor, Future
from typing import Any

# between looks at futures that cannot call back, from the first look to a quiet hour
_POLL_SECONDS = (0.02, 1.0)
# a wait without an end cannot be interrupted on Windows
_WAKE_SECONDS = 1.0


class NotSubmitted(Future[Any]):
    """The future of what the executor did not take."""


class Pending:
    """Submitted work by key. `concurrent.futures` call back; others only need `done()` and `result()`."""

    def __init__(self) -> None:
        self._futures: dict[str, Any] = {}
        self._ready: queue.SimpleQueue[str] = queue.SimpleQueue()
        self._polled: set[str] = set()
        self._pause = _POLL_SECONDS[0]

    def __len__(self) -> int:
        return len(self._futures)

    def submit(self, executor: Executor | Any, task: Callable[..., Any], works: dict[str, tuple[Any, ...]]) -> None:
        """Submit `task(*args)` for every key; what cannot be submitted is done, with that exception.

        An executor with a `batch()` (submitit's: one job array instead of a thousand jobs) gets all at once.
        """
        futures: dict[str, Any] = {}
        try:
            with getattr(executor, "batch", contextlib.nullcontext)():
                for key, args in works.items():
                    futures[key] = self._futures[key] = _submitted(executor, task, args)
        except Exception as error:
            futures = dict.fromkeys(works, _failed(error))
        for key, future in futures.items():
            self._add(key, future)

    def next(self) -> tuple[str, Any]:
        """The key and the future of something that is done; waits for it."""
        while True:
            if not self._polled:
                with contextlib.suppress(queue.Empty):
                    return self._taken(self._ready.get(timeout=_WAKE_SECONDS))
                continue
            self._look()
            with contextlib.suppress(queue.Empty):
                found = self._taken(self._ready.get(timeout=self._pause))
                self._pause = _POLL_SECONDS[0]
                return found
            self._pause = min(2 * self._pause, _POLL_SECONDS[1])

    def cancel(self) -> None:
        """Cancel what can be cancelled."""
        for future in self._futures.values():
            with contextlib.suppress(Exception):
                future.cancel()

    def _add(self, key: str, future: Any) -> None:
        self._futures[key] = future
        if isinstance(future, Future):
            future.add_done_callback(lambda _: self._ready.put(key))
        else:
            self._polled.add(key)

    def _look(self) -> None:
        for key in list(self._polled):
            try:
                done = self._futures[key].done()
            except Exception as error:
                done, self._futures[key] = True, _failed(error)
            if done:
                self._polled.discard(key)
                self._ready.put(key)

    def _taken(self, key: str) -> tuple[str, Any]:
        return key, self._futures.pop(key)


def _submitted(executor: Executor | Any, task: Callable[..., Any], args: tuple[Any, ...]) -> Any:
    try:
        return executor.submit(task, *args)
    except Exception as error:
        return _failed(error)


def _failed(error: Exception) -> Future[Any]:
    future = NotSubmitted()
    future.set_exception(error)
    return future
