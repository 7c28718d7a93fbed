"""Records found under a folder, judged; and the exit code that their verdicts mean."""

from __future__ import annotations

import sys
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, NoReturn

import typer

from caltrop.cli.failures import BAD_INPUT, COULD_NOT_FINISH

if TYPE_CHECKING:
    from caltrop.papers import JudgedRecord
    from caltrop.rows import Verdict

CONTRADICTION = 1


@dataclass(frozen=True)
class Found:
    """What lies under a folder: judged runs, single studies, and what could not be read, with the reason."""

    judged: tuple[JudgedRecord, ...]
    studies: tuple[Path, ...]
    problems: dict[str, str]


def read_all(folder: Path) -> Found:
    """Read and judge every run under `folder`, which may be a run itself; damaged ones are named, not raised.

    Raises:
        FileNotFoundError: the folder does not exist.
        NotADirectoryError: it is a file.
    """
    from caltrop.papers import JudgedRecord, UnknownExperiment, get
    from caltrop.record import RunFolder, find_runs

    if not folder.exists():
        raise FileNotFoundError(
            f"there is no folder {folder}; give one that caltrop run wrote, or one that holds some."
        )
    if not folder.is_dir():
        raise NotADirectoryError(f"{folder} is a file; give the folder that caltrop run wrote, or one that holds some.")
    found = find_runs(folder)
    problems = {str(path): reason for path, reason in found.foreign.items()}
    judged = []
    for path in found.runs:
        try:
            record = RunFolder(path).read()
            get(record.experiment)
        except (ValueError, OSError) as error:
            problems[str(path)] = str(error)
        except UnknownExperiment as error:
            problems[str(path)] = str(error.args[0])
        else:
            judged.append(JudgedRecord(record, path))
    return Found(tuple(judged), tuple(found.studies), problems)


def tell_failures(judged: JudgedRecord) -> None:
    """Each cell that failed or is damaged, once, on stderr."""
    record = judged.record
    unread = set(record.damaged.values())
    for key, reason in record.failures.items():
        if reason not in unread:
            print(f"caltrop: {record.experiment}, {record.called(key)}: {reason}", file=sys.stderr)
    for name, reason in record.damaged.items():
        print(f"caltrop: {judged.folder}/{name}: {reason.removeprefix(name).strip()}", file=sys.stderr)


def tell_problems(problems: dict[str, str]) -> None:
    """Each record that could not be read, once, on stderr."""
    for path, reason in problems.items():
        told = reason if path in reason else f"{path}: {reason}"
        print(f"caltrop: {told}", file=sys.stderr)


def leave(verdicts: Iterable[Verdict], *, failed: bool = False, damaged: bool = False) -> None:
    """Leave with the exit code of these verdicts; return where it is 0."""
    if failed:
        _exit(COULD_NOT_FINISH)
    if damaged:
        _exit(BAD_INPUT)
    if any(verdict.outcome == "contradicted" for verdict in verdicts):
        _exit(CONTRADICTION)


def _exit(code: int) -> NoReturn:
    raise typer.Exit(code)
