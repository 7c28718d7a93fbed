"""Strict JSON files with a kind and a format version."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, NoReturn

# 1 had rows one by one, 2 has them by column; both are read
FORMAT = 2


def parse(path: Path) -> dict[str, Any]:
    """The object in the file.

    Raises:
        ValueError: it is not a whole JSON object, or names a constant that is not JSON.
        OSError: it cannot be read; FileNotFoundError where it is not there.
    """
    try:
        held = json.loads(path.read_text(encoding="utf-8"), parse_constant=_refuse)
    except FileNotFoundError:
        raise
    except OSError as error:
        raise type(error)(f"{path} cannot be read: {error.strerror}.") from error
    except (ValueError, RecursionError) as error:
        raise ValueError(f"{path} is not a whole JSON file ({error}); it was cut short or edited.") from error
    if not isinstance(held, dict):
        raise ValueError(f"{path} is not a record of Caltrop: it holds a {type(held).__name__}.")
    return held


def check_format(path: Path, held: dict[str, Any], kind: str | None = None) -> None:
    """Take out "format" and "kind" after checking that this version reads them.

    Raises:
        ValueError: no format, a newer one, or another kind of file.
    """
    written, found = held.pop("format", None), held.pop("kind", None)
    if not isinstance(written, int) or isinstance(written, bool) or written < 1:
        raise ValueError(f"{path} is not a record of Caltrop: it names no format version.")
    if written > FORMAT:
        raise ValueError(
            f"{path} is a record of format {written}; this version of Caltrop reads up to format {FORMAT}. "
            "Update Caltrop, or read the record with the version that wrote it."
        )
    if found != kind:
        raise ValueError(f"{path} is a file of the kind {found!r}, where {kind!r} was looked for.")


def _refuse(constant: str) -> NoReturn:
    raise ValueError(f"{constant} is not JSON")
