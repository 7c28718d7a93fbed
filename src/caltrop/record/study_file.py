"""A study as one JSON file."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any, NoReturn

from caltrop.record.files import write_text
from caltrop.rows import Study, to_json

# 1 had rows one by one, 2 has them by column; both are read
FORMAT = 2
FILE_NAME = "record.json"


def write_study(study: Study, folder: str | os.PathLike[str]) -> Path:
    """Write `folder`/record.json, atomically; the folder is created where it does not exist.

    Returns:
        The file's path.

    Raises:
        OSError: the folder cannot be created or written, or the disk is full.
    """
    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    return write_text(folder / FILE_NAME, to_json({"format": FORMAT, **study.as_dict()}) + "\n")


def read_study(folder: str | os.PathLike[str]) -> Study:
    """Read the study that `write_study` left in `folder`; the path of the file itself works too.

    Raises:
        FileNotFoundError: there is no record.
        ValueError: the file is not a whole record, or was written in a newer format.
    """
    path = Path(folder)
    if path.is_dir():
        path = path / FILE_NAME
    if not path.is_file():
        raise FileNotFoundError(
            f"there is no record at {path}. Give a folder that caltrop demo or caltrop measure --out wrote."
        )
    record = _parse(path)
    _check_format(path, record)
    try:
        return Study.from_dict(record)
    except (KeyError, TypeError, AttributeError) as error:
        raise ValueError(f"{path} is not a record of Caltrop: {type(error).__name__} at {error}.") from error


def _parse(path: Path) -> dict[str, Any]:
    try:
        record = json.loads(path.read_text(encoding="utf-8"), parse_constant=_refuse)
    except ValueError as error:
        raise ValueError(f"{path} is not a whole JSON file ({error}); it was cut short or edited.") from error
    if not isinstance(record, dict):
        raise ValueError(f"{path} is not a record of Caltrop: it holds a {type(record).__name__}.")
    return record


def _refuse(constant: str) -> NoReturn:
    raise ValueError(f"{constant} is not JSON")


def _check_format(path: Path, record: dict[str, Any]) -> None:
    written = record.pop("format", None)
    if not isinstance(written, int) or isinstance(written, bool) or written < 1:
        raise ValueError(f"{path} is not a record of Caltrop: it names no format version.")
    if written > FORMAT:
        raise ValueError(
            f"{path} is a record of format {written}; this version of Caltrop reads up to format {FORMAT}. "
            "Update Caltrop, or read the record with the version that wrote it."
        )
