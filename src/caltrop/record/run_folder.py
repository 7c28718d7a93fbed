"""A run on disk: its plan, a file for each finished cell, and the points of those still being computed."""

from __future__ import annotations

import contextlib
import os
import re
from collections.abc import Container, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

from caltrop.files import aside, remove_parts, write_bytes, write_text
from caltrop.record.cell import CellRecord, Planned
from caltrop.record.checkpoint import Checkpoint
from caltrop.record.locks import locked
from caltrop.record.record import Record
from caltrop.record.strict_file import FORMAT, check_format, parse
from caltrop.rows import Chart, jsonable, plain_json, to_json

RUN, CELLS = "run.json", "cells"
_FAILED = ".failed"
# of a planned cell; it becomes a file's name, and must not lead elsewhere
_KEY = re.compile(r"\w[\w-]*")


class RunFolder:
    """A folder that holds one run.

    `run.json` is the plan, `cells/KEY.json` a finished cell, `cells/KEY.partial` the last complete point of one
    that is not. Every file is whole or absent. Nothing is decided by the clock or by a file's date.
    """

    def __init__(self, path: str | os.PathLike[str]) -> None:
        self.path = Path(path)

    def begin(self, record: Record, *, replace: bool = False) -> None:
        """Write the plan, or join the cells planned here already (other seeds of the same run).

        With `replace`, a run with another configuration is given up; its cells are kept beside with the ending
        .replaced, and are no longer part of the run.

        Raises:
            ValueError: the folder holds another run; what differs is named.
            OSError: it cannot be written.
        """
        (self.path / CELLS).mkdir(parents=True, exist_ok=True)
        with locked(self.path / ".run.lock"):
            remove_parts(self.path / RUN)
            old = self._old_plan(replace)
            differences = [] if old is None else _differences(old, record)
            if differences and not replace:
                raise ValueError(
                    f"{self.path} holds another run ({'; '.join(differences)}). "
                    "Choose another folder, or replace the run with --force."
                )
            kept = () if old is None or differences else old.planned
            planned = {cell.key: cell for cell in (*kept, *record.planned)}
            write_text(self.path / RUN, _plan_text(record, tuple(planned.values())))
            if replace:
                self._give_up_all_but(planned.keys())

    def has(self, key: str) -> bool:
        """Whether the cell is finished and its file whole; what is damaged is to be computed again.

        Raises:
            PermissionError: it may not be read, so nobody knows whether the work is to be done again.
        """
        try:
            self._read_cell(key)
        except PermissionError:
            raise
        except (ValueError, OSError):
            return False
        return True

    def write_cell(self, cell: CellRecord) -> Path:
        """Write a finished cell, whose lock the caller holds; a note that it failed earlier is removed.

        A damaged file of the same name is kept beside with the ending .damaged.

        Raises:
            OSError: it cannot be written, or the disk is full; an older file is still there.
        """
        path = self._cell(cell.key)
        path.parent.mkdir(parents=True, exist_ok=True)
        content = (plain_json({"format": FORMAT, "kind": "cell", **cell.as_dict()}) + "\n").encode()
        if path.is_file() and not self.has(cell.key):
            _keep_copy(path, ".damaged")
        write_bytes(path, content)
        with contextlib.suppress(FileNotFoundError):
            path.with_suffix(_FAILED).unlink()
        return path

    @contextmanager
    def cell_lock(self, key: str, *, wait: bool = True) -> Iterator[bool]:
        """Hold a cell against other processes inside the block; yields whether it is held."""
        (self.path / CELLS).mkdir(parents=True, exist_ok=True)
        with locked(self.path / CELLS / f".{key}.lock", wait=wait) as held:
            if held:
                for ending in (".json", _FAILED, ".damaged"):
                    remove_parts(self._cell(key).with_suffix(ending))
            yield held

    def checkpoint(self, key: str) -> Checkpoint:
        """Where the cell's last complete point is kept."""
        return Checkpoint(self.path / CELLS / f"{key}.partial")

    def progress(self, key: str) -> tuple[int, int] | None:
        """How far a cell that is being computed has come, as (done, total)."""
        return self.checkpoint(key).progress()

    def note_failure(self, key: str, reason: str) -> None:
        """Keep why a cell failed, until it succeeds."""
        write_text(self._cell(key).with_suffix(_FAILED), reason.strip() + "\n")

    def read(self) -> Record:
        """The run with all finished cells; damaged and foreign files are named in `damaged`, the others are read.

        Raises:
            FileNotFoundError: there is no run here.
            ValueError: the plan is damaged, or of a newer version.
        """
        # listed before the plan is read: another process may plan more cells and write them meanwhile
        names = sorted(path.name for path in (self.path / CELLS).glob("*.json"))
        record = self._read_plan()
        cells, failures, damaged = [], {}, {}
        for planned in record.planned:
            path = self._cell(planned.key)
            try:
                cells.append(self._read_cell(planned.key, record.experiment, planned))
            except FileNotFoundError:
                with contextlib.suppress(OSError):
                    failures[planned.key] = path.with_suffix(_FAILED).read_text("utf-8", errors="replace").strip()
            except (ValueError, OSError) as error:
                # a record may be shown to others, to whom the folders of this machine say nothing
                damaged[f"{CELLS}/{path.name}"] = failures[planned.key] = str(error).replace(f"{self.path}{os.sep}", "")
        known = {self._cell(planned.key).name for planned in record.planned}
        for name in names:
            if name not in known:
                damaged[f"{CELLS}/{name}"] = f"{CELLS}/{name} is no cell of this run; it is left out."
        return replace(record, cells=tuple(cells), failures=failures, damaged=damaged)

    def _cell(self, key: str) -> Path:
        return self.path / CELLS / f"{key}.json"

    def _read_cell(self, key: str, experiment: str | None = None, planned: Planned | None = None) -> CellRecord:
        path = self._cell(key)
        held = parse(path)
        check_format(path, held, "cell")
        try:
            cell = CellRecord.from_dict(held)
            is_planned = planned is None or cell.planned.as_dict() == planned.as_dict()
        except (KeyError, TypeError, AttributeError, IndexError, ArithmeticError, RecursionError) as error:
            raise ValueError(f"{path} is damaged: {type(error).__name__} at {error}.") from error
        except ValueError as error:
            raise ValueError(f"{path} is damaged: {error}") from error
        if cell.key != key or experiment not in (None, cell.experiment):
            raise ValueError(f"{path} holds the cell {cell.key} of {cell.experiment}: it was copied or renamed.")
        if not is_planned:
            raise ValueError(f"{path} says of itself another configuration, case or seed than the plan: it was edited.")
        return cell

    def _read_plan(self) -> Record:
        path = self.path / RUN
        if not path.is_file():
            raise FileNotFoundError(f"there is no run at {self.path}; caltrop run writes them.")
        held = parse(path)
        check_format(path, held, "run")
        try:
            return Record(
                experiment=_text(held["experiment"]),
                scale=_text(held["scale"]),
                title=_text(held["title"]),
                config=dict(held["config"]),
                planned=tuple(_planned(entry) for entry in held["planned"]),
                charts=tuple(Chart.from_dict(entry) for entry in held["charts"]),
            )
        except (KeyError, TypeError, AttributeError, ValueError, RecursionError) as error:
            raise ValueError(f"{path} is damaged: {type(error).__name__} at {error}.") from error

    def _old_plan(self, replace: bool) -> Record | None:
        try:
            return self._read_plan()
        except FileNotFoundError:
            return None
        except ValueError:
            if replace:
                return None
            raise

    def _give_up_all_but(self, keys: Container[str]) -> None:
        """Set aside the cells of other runs; files that are no cells are left as they are."""
        for path in sorted((self.path / CELLS).glob("*.json")):
            if path.stem not in keys and self.has(path.stem):
                os.replace(path, aside(path, ".replaced"))
                self.checkpoint(path.stem).clear()


def _keep_copy(path: Path, ending: str) -> None:
    """Keep what the file holds beside it; a copy, so that at no moment there is nothing at its place."""
    content, first = path.read_bytes(), path.with_suffix(ending)
    if not (first.is_file() and first.read_bytes() == content):
        write_bytes(aside(path, ending), content)


def _differences(old: Record, new: Record) -> list[str]:
    told = [
        f"{name} {getattr(old, name)!r}, not {getattr(new, name)!r}"
        for name in ("experiment", "scale")
        if getattr(old, name) != getattr(new, name)
    ]
    before, after = old.config, jsonable(new.config)
    names = dict.fromkeys([*before, *after])
    return told + [f"{n}={before.get(n)!r}, not {after.get(n)!r}" for n in names if before.get(n) != after.get(n)]


def _plan_text(record: Record, planned: tuple[Planned, ...]) -> str:
    plan = {
        "format": FORMAT,
        "kind": "run",
        "experiment": record.experiment,
        "scale": record.scale,
        "title": record.title,
        "config": jsonable(record.config),
        "planned": [cell.as_dict() for cell in planned],
        "charts": [chart.as_dict() for chart in record.charts],
    }
    return to_json(plan) + "\n"


def _planned(entry: Mapping[str, Any]) -> Planned:
    planned = Planned.from_dict(entry)
    if not _KEY.fullmatch(_text(planned.key)):
        raise ValueError(f"{planned.key!r}, which is no key")
    return planned


def _text(value: Any) -> str:
    if not isinstance(value, str):
        raise TypeError(f"{value!r}, which is no text")
    return value
