"""Many configurations of one function: side by side, each computed once, none able to spoil the others."""

from __future__ import annotations

import concurrent.futures
import os
import pickle
import sys
import time
import traceback
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Executor, Future, ProcessPoolExecutor
from dataclasses import dataclass
from functools import partial
from typing import Any

from caltrop.record.cell_store import CellStore, function_name
from caltrop.record.keys import cell_key
from caltrop.record.spawn_pool import SpawnPool
from caltrop.record.sweep_progress import SweepProgress

_POLL_SECONDS = 0.05


@dataclass(frozen=True)
class Cell:
    """One configuration and what came of it: `value`, or None and `error` in one line (`traceback` has the rest)."""

    config: Any
    value: Any = None
    error: str | None = None
    traceback: str | None = None


def run_many(
    fn: Callable[[Any], Any],
    configs: Iterable[Any],
    *,
    executor: Executor | Any | None = None,
    out: str | os.PathLike[str] | None = None,
    workers: int | None = None,
    progress: bool = True,
    force: bool = False,
    on_done: Callable[[Cell], object] | None = None,
) -> list[Cell]:
    """`fn(config)` for every configuration; a cell that fails says why and spoils nothing else.

    Parameters
    ----------
    fn
        A function of a module, because other processes import it by its name (any callable with an executor of
        threads).
    configs
        Dataclasses, dicts, lists, strings, numbers; equal ones are computed once.
    executor
        Any `concurrent.futures.Executor`, or what has its `submit`: a dask client's `get_executor()`, submitit's
        `AutoExecutor`. None starts a pool of fresh processes, one thread each, in which a crash fails one cell only.
    out
        A folder where each worker writes its results, keyed by configuration. What lies there is not computed again,
        and several sweeps may share it. Values must then be plain (numbers, strings, lists, dicts) or caltrop's rows.
    workers
        Processes of the default pool; None takes one a core.
    progress
        A bar on a terminal, lines elsewhere, on stderr.
    force
        Compute what lies in `out` again.
    on_done
        Called with every cell as it is done, in this process.

    Returns
    -------
    list of Cell
        In the order of `configs`.

    Raises
    ------
    TypeError
        `fn` cannot travel to another process, or (with `out`) a configuration cannot be a key.
    ValueError
        `workers` below 1, or `out` holds another function's results.
    KeyboardInterrupt
        Ctrl-C: running cells are ended at once, what is finished lies in `out`.
    """
    listed = list(configs)
    if workers is not None and workers < 1:
        raise ValueError(f"workers={workers} is impossible; give 1 or more.")
    store = None if out is None else CellStore.of(out, fn)
    keys = [_key(index, config, store) for index, config in enumerate(listed)]
    first = {key: index for index, key in reversed(list(enumerate(keys)))}
    if not listed:
        return []
    task = fn if store is None else partial(store.compute, fn, force=force)
    own = SpawnPool(min(workers or os.cpu_count() or 1, len(first))) if executor is None else None
    chosen = own or executor
    if isinstance(chosen, SpawnPool | ProcessPoolExecutor):
        try:
            _check_travels(fn)
        except TypeError:
            if own is not None:
                own.stop()
            raise
    done: dict[Any, Cell] = {}
    futures: dict[Any, Any] = {}
    try:
        with SweepProgress(len(first), shown=progress) as shown:
            futures = {key: _submitted(chosen, task, listed[index]) for key, index in first.items()}
            for key in _as_completed(futures):
                done[key] = _cell(listed[first[key]], futures[key])
                shown.after(failed=done[key].error is not None)
                if on_done is not None:
                    on_done(done[key])
    except BaseException:
        for future in futures.values():
            getattr(future, "cancel", lambda: None)()
        if own is not None:
            own.stop()
        raise
    if own is not None:
        own.shutdown()
    return [
        Cell(config, done[key].value, done[key].error, done[key].traceback)
        for config, key in zip(listed, keys, strict=True)
    ]


def _key(index: int, config: Any, store: CellStore | None) -> Any:
    try:
        key = cell_key(config)
    except (TypeError, ValueError) as error:
        if store is None:
            return ("unkeyed", index)  # anything may be computed; only equal ones are then computed twice
        raise type(error)(f"configuration {index}: {error}") from error
    if store is not None:
        store.check(config)
    return key


def _check_travels(fn: Callable[..., Any]) -> None:
    inner = fn
    while isinstance(inner, partial):
        inner = inner.func
    interactive = getattr(inner, "__module__", None) == "__main__" and not hasattr(sys.modules["__main__"], "__file__")
    try:
        pickle.dumps(fn)
    except Exception as error:
        reason = str(error)
    else:
        reason = "it was defined in an interactive session" if interactive else ""
    if reason:
        raise TypeError(
            f"{function_name(fn)} cannot be found by another process ({reason}). Put the function into a module, or "
            "pass executor=concurrent.futures.ThreadPoolExecutor()."
        )


def _submitted(executor: Any, task: Callable[[Any], Any], config: Any) -> Any:
    """The executor's future; a failing submission is a failing cell."""
    try:
        return executor.submit(task, config)
    except Exception as error:
        future: Future[Any] = Future()
        future.set_exception(error)
        return future


def _as_completed(futures: dict[Any, Any]) -> Iterator[Any]:
    """Keys in the order in which their futures are done, whatever kind of futures they are."""
    if all(isinstance(future, Future) for future in futures.values()):
        keys = {id(future): key for key, future in futures.items()}
        for future in concurrent.futures.as_completed(futures.values()):
            yield keys[id(future)]
        return
    waiting = dict(futures)
    while waiting:
        ready = [key for key, future in waiting.items() if future.done()]
        for key in ready:
            del waiting[key]
            yield key
        if waiting and not ready:
            time.sleep(_POLL_SECONDS)


def _cell(config: Any, future: Any) -> Cell:
    try:
        return Cell(config, future.result())
    except KeyboardInterrupt:
        raise
    except BaseException as error:
        told = " ".join(str(error.args[0] if isinstance(error, KeyError) and error.args else error).split())
        notes: Sequence[str] = getattr(error, "__notes__", ())
        trace = "\n".join(notes) or "".join(traceback.format_exception(error))
        return Cell(config, None, f"{type(error).__name__}: {told}" if told else type(error).__name__, trace)
