"""Whether a function and its configurations can be found by another process."""

from __future__ import annotations

import functools
import pickle
import sys
from collections.abc import Callable, Sequence
from concurrent.futures import Executor, ProcessPoolExecutor
from typing import Any

from caltrop.record.sweep_identity import function_name

_REMEDY = (
    "Put it into a module (a file that is imported), or pass executor=concurrent.futures.ThreadPoolExecutor(), which "
    "takes anything."
)


def check_travels(fn: Callable[..., Any], configs: Sequence[Any], executor: Executor | Any | None) -> None:
    """Refuse what a pool of processes could not take, before any is started; other executors are not asked about.

    Raises:
        TypeError: a lambda, a function within a function, or something of an interactive session.
    """
    if executor is not None and not isinstance(executor, ProcessPoolExecutor):
        return
    try:
        pickle.dumps(fn)
    except Exception as error:
        raise TypeError(f"{function_name(fn)} cannot be found by another process ({error}). {_REMEDY}") from error
    if _shares_memory(executor) or not _is_interactive():
        return
    inner = fn
    while isinstance(inner, functools.partial):
        inner = inner.func
    for named in (inner, *map(type, configs)):
        if getattr(named, "__module__", None) == "__main__":
            name = getattr(named, "__qualname__", type(named).__qualname__)
            raise TypeError(
                f"{name} was defined in an interactive session, where another process cannot find it. {_REMEDY}"
            )


def _is_interactive() -> bool:
    # what multiprocessing asks when it tells a new process what to import
    main = sys.modules["__main__"]
    return getattr(main, "__spec__", None) is None and getattr(main, "__file__", None) is None


def _shares_memory(executor: Executor | Any | None) -> bool:
    """Whether workers are forked, and so know everything that was defined before."""
    context = getattr(executor, "_mp_context", None)
    return context is not None and context.get_start_method() == "fork"
