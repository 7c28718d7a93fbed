"""Locks between processes that the system releases when their holder dies."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from filelock import FileLock, Timeout


@contextmanager
def locked(path: Path, *, wait: bool = True) -> Iterator[bool]:
    """Hold the lock file `path` inside the block; yields whether it is held.

    With `wait`, whoever holds it is waited for, and the answer is always True. The file stays: removing a lock
    file while somebody waits for it would let two in.

    Raises:
        OSError: the folder cannot be written.
    """
    lock = FileLock(path, timeout=-1 if wait else 0)
    try:
        lock.acquire()
    except Timeout:
        yield False
        return
    try:
        yield True
    finally:
        lock.release()
