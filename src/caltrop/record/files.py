"""Files that are whole or absent."""

from __future__ import annotations

import contextlib
import os
import tempfile
from pathlib import Path

# where a writer that was killed leaves what it had; readers never look there
PART = ".part"


def write_text(path: str | os.PathLike[str], text: str) -> Path:
    """Write `text` to `path` as UTF-8 with "\\n", as `write_bytes` does."""
    return write_bytes(path, text.encode("utf-8"))


def write_bytes(path: str | os.PathLike[str], content: bytes) -> Path:
    """Write `content` to `path` so that a reader finds the old file or the new one, never a part.

    The temporary file lies in the same folder, because a rename is atomic only within one file
    system; it is removed when anything goes wrong, Ctrl-C included.

    Raises:
        OSError: the folder does not exist, cannot be written, or the disk is full.
    """
    path = Path(path)
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.", suffix=PART)
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        # mkstemp makes files private; a result gets the permissions of any other new file
        os.chmod(name, 0o666 & ~_umask())
        os.replace(name, path)
    except BaseException:
        with contextlib.suppress(OSError):
            os.unlink(name)
        raise
    _sync_folder(path.parent)
    return path


def remove_parts(path: Path) -> None:
    """Remove what killed writers of `path` left behind; only for whoever holds the lock on `path`."""
    for stray in path.parent.glob(f".{path.name}.*{PART}"):
        with contextlib.suppress(OSError):
            stray.unlink()


def _umask() -> int:
    # the only portable way to read the mask is to set it
    mask = os.umask(0)
    os.umask(mask)
    return mask


def _sync_folder(folder: Path) -> None:
    """Make the rename itself durable, where the system can open folders (Windows cannot)."""
    with contextlib.suppress(OSError):
        handle = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)
