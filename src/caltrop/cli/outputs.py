"""Where results go: a folder that is known to be writable, stdout, and notes on stderr."""

from __future__ import annotations

import contextlib
import sys
import tempfile
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from caltrop.rows import Study


@contextlib.contextmanager
def out_folder(folder: Path | None) -> Iterator[Path | None]:
    """Create `folder` and try to write there before any work starts; take it back if the work fails.

    Raises:
        OSError: it cannot be created or written, with the reason.
    """
    if folder is None:
        yield None
        return
    created = _create(folder)
    try:
        try_writing(folder, f"--out {folder}")
        yield folder
    except BaseException:
        # only what this call created, and only while it is empty: rmdir refuses anything else
        for path in created:
            with contextlib.suppress(OSError):
                path.rmdir()
        raise


def _create(folder: Path) -> list[Path]:
    """Make `folder` with its parents; the folders that did not exist before, deepest first."""
    try:
        missing = [path for path in (folder, *folder.parents) if not path.exists()]
        folder.mkdir(parents=True, exist_ok=True)
    except FileExistsError as error:
        raise NotADirectoryError(f"--out {folder} is a file; name a folder.") from error
    except OSError as error:
        raise PermissionError(f"--out {folder} cannot be created: {error.strerror}.") from error
    return missing


def try_writing(folder: Path, said: str) -> None:
    """Refuse a folder that cannot be written; `said` is what the message calls it.

    Raises:
        PermissionError: with the system's reason.
    """
    try:
        with tempfile.TemporaryFile(dir=folder):
            pass
    except OSError as error:
        raise PermissionError(f"{said} cannot be written: {error.strerror}.") from error


def check_page(path: Path) -> None:
    """Refuse a file that no page can be written to, before any work starts.

    Raises:
        OSError: it is a folder, its folder does not exist or cannot be written.
    """
    if path.is_dir():
        raise IsADirectoryError(f"{path} is a folder; name the page's file, for example {path / 'page.html'}.")
    if not path.parent.is_dir():
        raise FileNotFoundError(f"the folder {path.parent} does not exist; create it first.")
    try_writing(path.parent, f"{path}")


def write_results(study: Study, folder: Path) -> tuple[Path, Path]:
    """record.json and page.html in `folder`; a failing page says that the record is safe."""
    from caltrop.record import write_study
    from caltrop.report import write_page

    record = write_study(study, folder)
    try:
        page = write_page(study, folder / "page.html")
    except BaseException as error:
        error.add_note(f"The record is safe in {record}; draw its page with: caltrop report {folder}")
        raise
    return record, page


def say(notes: Iterable[str]) -> None:
    """Each note once, on stderr."""
    for note in dict.fromkeys(notes):
        print(f"note: {note}", file=sys.stderr)
