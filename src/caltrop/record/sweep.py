"""Many configurations of one function: side by side, each computed once, none able to spoil the others."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Generator, Iterable, Iterator, Mapping
from concurrent.futures import Executor, Future, ProcessPoolExecutor
from contextlib import closing, contextmanager
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

from caltrop.record.cell_store import CellStore, Found
from caltrop.record.pending import NotSubmitted, Pending
from caltrop.record.spawn_pool import SpawnPool, cores
from caltrop.record.spawn_worker import check_may_start
from caltrop.record.sweep_answer import Answer, answer, failure
from caltrop.record.sweep_identity import configuration_key
from caltrop.record.sweep_progress import SweepProgress
from caltrop.record.travel import check_travels


@dataclass(frozen=True)
class Cell:
    """One configuration and what came of it: `value`, or None and `error` in one line (`traceback` has the rest).

    `key` is what its file in `out` is called.
    """

    config: Any
    value: Any = None
    error: str | None = None
    traceback: str | None = None
    key: str = ""


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
        Called with every cell as it is done, in this process. What it raises ends the sweep.

    Returns
    -------
    list of Cell
        In the order of `configs`.

    Raises
    ------
    TypeError
        `fn` cannot travel to another process, or a configuration cannot be a key.
    ValueError
        `workers` below 1, a configuration that is not finite, or `out` holds another function's results.
    OSError
        `out` cannot be created or listed.
    RuntimeError
        A script starts a sweep while a worker imports it.
    KeyboardInterrupt
        Ctrl-C: the default pool's workers are ended at once, another executor's waiting cells are cancelled; what
        is finished lies in `out`.
    """
    check_may_start()
    if isinstance(configs, str | Mapping):
        raise TypeError(f"configs is one {type(configs).__name__}; give a list of configurations.")
    if workers is not None and workers < 1:
        raise ValueError(f"workers={workers} is impossible; give 1 or more.")
    listed = list(configs)
    keys = [configuration_key(config, f"configuration {index}") for index, config in enumerate(listed)]
    check_travels(fn, listed, executor)
    store = None if out is None else CellStore.of(out, fn)
    distinct = dict(zip(keys, listed, strict=True))
    found = Found({}, ()) if store is None else store.find(distinct)
    for note in found.notes:
        sys.stderr.write(f"caltrop: {note}\n")
    done: dict[str, Cell] = {}

    def finish(key: str, got: Answer) -> None:
        done[key] = Cell(distinct[key], got.value, got.error, got.traceback, key)
        if on_done is not None:
            on_done(done[key])

    if not force:
        for key, value in found.values.items():
            finish(key, Answer(value))
    todo = {key: config for key, config in distinct.items() if key not in done}
    if todo:
        with (
            SweepProgress(len(distinct), found=len(done), shown=progress) as shown,
            _executor(executor, workers, len(todo)) as chosen,
            closing(_answers(chosen, partial(answer, fn), todo, store, force)) as answers,
        ):
            for key, got in answers:
                shown.after(got.error)
                finish(key, got)
    return [replace(done[key], config=config) for key, config in zip(keys, listed, strict=True)]


@contextmanager
def _executor(given: Executor | Any | None, workers: int | None, cells: int) -> Iterator[Executor | Any]:
    """The executor that was given, or a pool of our own, which ends with the block: at once if that is left early."""
    if given is not None:
        yield given
        return
    pool = SpawnPool(min(workers or cores(), cells))
    try:
        yield pool
    except BaseException:
        pool.stop()
        raise
    pool.shutdown()


def _answers(
    executor: Executor | Any,
    task: Callable[..., Answer],
    todo: Mapping[str, Any],
    store: CellStore | None,
    force: bool,
) -> Generator[tuple[str, Answer]]:
    """Every cell's answer as it comes.

    A cell that another sweep computes now is put behind all others, and waited for then: so two sweeps that share a
    folder share the work. What somebody else's executor loses is tried once more at the end, alone: dask gives up
    all that waited on a worker whose death one of them caused, and loses what was done there.
    """
    pending = Pending()
    lost = []

    def submit(works: Mapping[str, Any], wait: bool) -> None:
        pending.submit(executor, task, {key: (config, store, force, wait) for key, config in works.items()})

    try:
        submit(todo, wait=False)
        while len(pending):
            key, future = pending.next()
            got = _answer_of(future)
            if got.in_use:
                submit({key: todo[key]}, wait=True)
            elif _is_lost(executor, future):
                lost.append(key)
            else:
                yield key, got
        for key in lost:
            submit({key: todo[key]}, wait=True)
            yield key, _answer_of(pending.next()[1])
    finally:
        pending.cancel()


def _answer_of(future: Future[Answer] | Any) -> Answer:
    if isinstance(future, Future) and not future.cancelled():
        # not result(): a Ctrl-C of the worker's is no Ctrl-C here
        error = future.exception()
        return future.result() if error is None else failure(error)
    try:
        got: Answer = future.result()
    except Exception as error:
        return failure(error)
    return got


def _is_lost(executor: Executor | Any, future: Future[Answer] | Any) -> bool:
    """Whether the executor failed, not the cell, in a way that may have been another cell's fault.

    Our own pool's cells die alone, the standard library's pool is broken for good, and a job of a queue is a process.
    """
    if isinstance(executor, SpawnPool | ProcessPoolExecutor):
        return False
    if not isinstance(future, Future) or isinstance(future, NotSubmitted) or future.cancelled():
        return False
    return isinstance(future.exception(), Exception)
