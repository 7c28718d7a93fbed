"""What comes back from wherever a cell is computed: a value, or why there is none."""

from __future__ import annotations

import traceback
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from caltrop.record.cell_store import CellStore, InUse


@dataclass(frozen=True)
class Answer:
    """A value; or None and the `error` in one line, with its `traceback`; or `in_use`: another sweep computes it."""

    value: Any = None
    error: str | None = None
    traceback: str | None = None
    in_use: bool = False


def answer(
    fn: Callable[[Any], Any],
    config: Any,
    store: CellStore | None = None,
    force: bool = False,
    wait: bool = True,
) -> Answer:
    """`fn(config)`, kept in `store` if there is one; an exception is an answer.

    Exceptions don't travel: many can be pickled but not unpickled, which ends a whole `ProcessPoolExecutor`.
    """
    try:
        if store is None:
            return Answer(fn(config))
        return Answer(store.compute(fn, config, force=force, wait=wait))
    except InUse:
        return Answer(in_use=True)
    except Exception as error:
        return failure(error)


def failure(error: BaseException) -> Answer:
    """The answer of a cell that raised `error`."""
    # str() of a KeyError is the representation of its text
    told = error.args[0] if isinstance(error, KeyError) and error.args else error
    text = " ".join(str(told).split())
    name = type(error).__name__
    return Answer(None, f"{name}: {text}" if text else name, "".join(traceback.format_exception(error)))
