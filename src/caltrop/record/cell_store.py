"""Values of a sweep on disk, one file for each configuration, written by whoever computed it."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from caltrop.files import remove_parts, write_text
from caltrop.record.locks import locked
from caltrop.record.stored_value import decode, encode
from caltrop.record.strict_file import FORMAT, check_format, parse
from caltrop.record.sweep_identity import configuration, configuration_key, function_identity

_KEPT = re.compile(r"[0-9a-f]{16}\.json")
# what the store itself leaves: locks and parts are hidden, damaged files are kept aside
_OURS = re.compile(r"\..*|.*\.damaged(-\d+)?")
_NAMED = 5


class Damaged(ValueError):  # noqa: N818 - named for what it is
    """A file that is no whole result: what should lie there is computed again."""


class InUse(Exception):  # noqa: N818 - named for what it is
    """Somebody else computes this cell now."""


@dataclass(frozen=True)
class Found:
    """What lay in a folder before a sweep: values by key, and what a person should hear about."""

    values: dict[str, Any]
    notes: tuple[str, ...]


@dataclass(frozen=True)
class CellStore:
    """A folder of results of one function, `KEY.json` for each configuration."""

    folder: Path
    function: str

    @classmethod
    def of(cls, folder: str | os.PathLike[str], fn: Callable[..., Any]) -> CellStore:
        """The store of `fn`'s results in `folder`, which is created.

        Raises:
            TypeError: the function has no name to keep results under.
            OSError: the folder cannot be created.
        """
        function = function_identity(fn)
        # workers may stand in another folder
        folder = Path(folder).absolute()
        folder.mkdir(parents=True, exist_ok=True)
        return cls(folder, function)

    def find(self, configs: Mapping[str, Any]) -> Found:
        """What lies here for these configurations, by key.

        Raises:
            ValueError: the folder holds another function's results, or those of a newer version.
        """
        values, damaged = {}, []
        names = sorted(entry.name for entry in os.scandir(self.folder))
        for key in sorted(configs.keys() & {name.removesuffix(".json") for name in names}):
            try:
                values[key] = self._read(self._path(key), configuration(configs[key]))
            except OSError:
                continue  # the cell will say so
            except Damaged as error:
                damaged.append(f"{error} It is kept beside with the ending .damaged and computed again.")
        if not values:
            self._check_others(names)
        foreign = [name for name in names if not _KEPT.fullmatch(name) and not _OURS.fullmatch(name)]
        return Found(values, (*damaged, *_note(self.folder, foreign)))

    def compute(self, fn: Callable[[Any], Any], config: Any, *, force: bool = False, wait: bool = True) -> Any:
        """The value for `config`: read where it lies here, else computed and written; once, whoever else asks.

        Raises:
            InUse: somebody else computes it now, and `wait` is False.
            TypeError: the value cannot be stored; says what to return instead.
            ValueError: another function's result lies here, or one of a newer version.
            OSError: the value cannot be written, or the disk is full.
            Exception: whatever `fn` raises; nothing is stored then.
        """
        path = self._path(configuration_key(config))
        with locked(path.with_name(f".{path.stem}.lock"), wait=wait) as held:
            if not held:
                raise InUse
            # before the function can change it
            told = configuration(config)
            if path.is_file():
                try:
                    value = self._read(path, told)
                except Damaged:
                    os.replace(path, _aside(path))
                else:
                    if not force:
                        return value
            stored = encode(fn(config))
            remove_parts(path)
            self._write(path, told, stored)
            # what comes back now is what will be read later
            return decode(stored)

    def _path(self, key: str) -> Path:
        return self.folder / f"{key}.json"

    def _read(self, path: Path, config: Any) -> Any:
        held = self._parse(path)
        if held.get("config") != config:
            raise Damaged(f"{path} is of another configuration than its name says.")
        try:
            return decode(held["value"])
        except (KeyError, TypeError, AttributeError, ValueError) as error:
            raise Damaged(f"{path} is damaged: {type(error).__name__} at {error}.") from error

    def _parse(self, path: Path) -> dict[str, Any]:
        """The file's content, checked to be this function's.

        Raises Damaged where it is no result, ValueError where it is one but of a newer version or another function.
        """
        try:
            held = parse(path)
        except ValueError as error:
            raise Damaged(str(error)) from error
        version = held.get("format")
        try:
            check_format(path, held, "value")
        except ValueError as error:
            if isinstance(version, int) and version > FORMAT:
                raise
            raise Damaged(str(error)) from error
        if held.get("function") != self.function:
            raise ValueError(
                f"{self.folder} holds results of {held.get('function')}, not of {self.function}. "
                "Choose another folder for out=."
            )
        return held

    def _check_others(self, names: Iterable[str]) -> None:
        """One readable result is enough: all that are here passed this check."""
        for name in names:
            if _KEPT.fullmatch(name):
                try:
                    self._parse(self.folder / name)
                except (Damaged, OSError):
                    continue
                return

    def _write(self, path: Path, config: Any, stored: Any) -> None:
        held = {"format": FORMAT, "kind": "value", "function": self.function, "config": config, "value": stored}
        # escapes, because a file name in a value may not be UTF-8
        text = json.dumps(held, allow_nan=False, ensure_ascii=True) + "\n"
        try:
            write_text(path, text)
        except OSError as error:
            # the system does not say where a disk was full
            raise type(error)(error.errno, f"{error.strerror}, while writing the value", str(path)) from error


def _aside(path: Path) -> Path:
    """A name beside `path` that nothing has."""
    kept = path.with_suffix(".damaged")
    count = 1
    while kept.exists():
        count += 1
        kept = path.with_suffix(f".damaged-{count}")
    return kept


def _note(folder: Path, foreign: list[str]) -> list[str]:
    if not foreign:
        return []
    more = f" and {len(foreign) - _NAMED} more" if len(foreign) > _NAMED else ""
    return [f"{folder} also holds what no sweep wrote, left as it is: {', '.join(foreign[:_NAMED])}{more}."]
