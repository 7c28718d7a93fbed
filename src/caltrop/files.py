"""Files that are whole or absent."""

from __future__ import annotations

import contextlib
import errno
import glob
import os
import secrets
import sys
from pathlib import Path

if sys.platform != "win32":
    import fcntl

# where a writer that was killed leaves what it had; readers never look there
PART = ".part"


def write_text(path: str | os.PathLike[str], text: str) -> Path:
    """Write `text` to `path` as UTF-8 with "\\n", as `write_bytes` does."""
    return write_bytes(path, text.encode("utf-8"))


def write_bytes(path: str | os.PathLike[str], content: bytes | memoryview) -> Path:
    """Write `content` to `path` so that a reader finds the old file or the new one, never a part.

    The temporary file lies in the same folder, because a rename is atomic only within one file
    system; it is removed when anything goes wrong, Ctrl-C included.

    Raises:
        OSError: the folder does not exist, cannot be written, or the disk is full.
    """
    path = Path(path)
    handle, part = _new_part(path)
    try:
        try:
            rest = memoryview(content)
            while rest:
                rest = rest[os.write(handle, rest) :]
            os.fsync(handle)
            if sys.platform != "win32":  # while it is still open, and so known to be somebody's
                os.replace(part, path)
        finally:
            os.close(handle)
        if sys.platform == "win32":  # which renames no open file
            os.replace(part, path)
    except BaseException:
        with contextlib.suppress(OSError):
            os.unlink(part)
        raise
    _sync_folder(path.parent)
    return path


def remove_parts(path: Path) -> None:
    """Remove what killed writers of `path` left behind, and nothing that a living one still writes."""
    for stray in path.parent.glob(f".{glob.escape(path.name)}.*{PART}"):
        with contextlib.suppress(OSError):
            if sys.platform == "win32":  # which removes no open file
                os.unlink(stray)
                continue
            handle = os.open(stray, os.O_RDWR)
            try:
                if _take(handle):
                    os.unlink(stray)
            finally:
                os.close(handle)


def aside(path: Path, ending: str) -> Path:
    """A free name beside `path` with another ending, numbered from 2 on: to keep under it what is to be replaced."""
    kept, count = path.with_suffix(ending), 1
    while kept.exists():
        count += 1
        kept = path.with_suffix(f"{ending}-{count}")
    return kept


def _new_part(path: Path) -> tuple[int, Path]:
    """A temporary file for `path`, open and locked, so that it is known to be a living writer's.

    Its permissions are those of any new file: the system applies the mask, which is never set here, because it is
    the whole process's and other threads write too.
    """
    while True:
        part = path.with_name(f".{path.name}.{secrets.token_hex(8)}{PART}")
        handle = os.open(part, os.O_RDWR | os.O_CREAT | os.O_EXCL | getattr(os, "O_BINARY", 0), 0o666)
        # somebody may clean up just between these two lines
        if _take(handle) is not False and os.fstat(handle).st_nlink:
            return handle, part
        os.close(handle)


def _take(handle: int) -> bool | None:
    """Lock an open file until it is closed or this process dies; None where the file system has no locks."""
    if sys.platform == "win32":
        return None
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        return False if error.errno in (errno.EAGAIN, errno.EACCES) else None
    return True


def _sync_folder(folder: Path) -> None:
    """Make the rename itself durable, where the system can open folders (Windows cannot)."""
    with contextlib.suppress(OSError):
        handle = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)
