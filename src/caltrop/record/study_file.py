"""A study as one JSON file."""

from __future__ import annotations

import os
from pathlib import Path

from caltrop.files import write_text
from caltrop.record.strict_file import FORMAT, check_format, parse
from caltrop.rows import Study, plain_json

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
    return write_text(folder / FILE_NAME, plain_json({"format": FORMAT, **study.as_dict()}) + "\n")


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
    record = parse(path)
    check_format(path, record)
    try:
        return Study.from_dict(record)
    except (KeyError, TypeError, AttributeError, IndexError, ArithmeticError, RecursionError) as error:
        raise ValueError(f"{path} is not a record of Caltrop: {type(error).__name__} at {error}.") from error
    except ValueError as error:
        raise ValueError(f"{path} is not a record of Caltrop: {error}") from error
