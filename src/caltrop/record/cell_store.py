"""Values of a sweep on disk, one file for each configuration, written by whoever computed it."""

from __future__ import annotations

import math
import os
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from numbers import Integral, Real
from pathlib import Path
from typing import Any

from caltrop.record.files import remove_parts, write_text
from caltrop.record.keys import canonical, cell_key
from caltrop.record.locks import locked
from caltrop.record.strict_file import FORMAT, check_format, parse
from caltrop.rows import Row, Rows, Study, to_json

# strict JSON has no NaN, and rows are no JSON; a dict with this key alone stands for what is not
_TAG = "~caltrop"


@dataclass(frozen=True)
class CellStore:
    """A folder of results of one function, `KEY.json` for each configuration."""

    folder: Path
    function: str

    @classmethod
    def of(cls, folder: str | os.PathLike[str], fn: Callable[..., Any]) -> CellStore:
        """The store of `fn`'s results in `folder`, which is created."""
        folder = Path(folder)
        folder.mkdir(parents=True, exist_ok=True)
        return cls(folder, function_name(fn))

    def compute(self, fn: Callable[[Any], Any], config: Any, force: bool = False) -> Any:
        """The value for `config`: read where it lies here, else computed and written; once, whoever else asks.

        Raises:
            TypeError: the value cannot be stored; says what to return instead.
            Exception: whatever `fn` raises; nothing is stored then.
        """
        path = self._path(config)
        with locked(path.with_name(f".{path.stem}.lock")):
            if path.is_file() and not force:
                try:
                    return self._read(path)
                except ValueError as error:
                    aside = path.with_suffix(".damaged")
                    os.replace(path, aside)
                    sys.stderr.write(f"caltrop: {error} It is kept as {aside.name} and computed again.\n")
            held = encode(fn(config))
            remove_parts(path)
            text = to_json(
                {
                    "format": FORMAT,
                    "kind": "value",
                    "function": self.function,
                    "config": canonical(config),
                    "value": held,
                }
            )
            write_text(path, text + "\n")
            return decode(held)

    def check(self, config: Any) -> None:
        """Refuse a folder in which another function's result lies under this configuration.

        Raises:
            ValueError: with both names.
        """
        path = self._path(config)
        if not path.is_file():
            return
        try:
            found = parse(path).get("function")
        except (ValueError, OSError):
            return  # damaged: computed again, and told then
        if isinstance(found, str) and found != self.function:
            raise ValueError(
                f"{self.folder} holds results of {found}, not of {self.function}. Choose another folder for out=."
            )

    def _path(self, config: Any) -> Path:
        return self.folder / f"{cell_key(config)}.json"

    def _read(self, path: Path) -> Any:
        held = parse(path)
        check_format(path, held, "value")
        try:
            return decode(held["value"])
        except (KeyError, TypeError, AttributeError) as error:
            raise ValueError(f"{path} is damaged: {type(error).__name__} at {error}.") from error


def function_name(fn: Callable[..., Any]) -> str:
    """module.name of a function, also behind `functools.partial`."""
    while isinstance(fn, partial):
        fn = fn.func
    return f"{getattr(fn, '__module__', '?')}.{getattr(fn, '__qualname__', type(fn).__qualname__)}"


def encode(value: Any, place: str = "the value") -> Any:
    """`value` as strict JSON that `decode` takes back: plain values, and Row, Rows and Study.

    Tuples become lists, NumPy's scalars Python's.

    Raises:
        TypeError: anything else, with its place and what to return instead.
    """
    if value is None or isinstance(value, str | bool):
        return value
    if isinstance(value, Integral):
        return int(value)
    if isinstance(value, Real):
        number = float(value)
        return number if math.isfinite(number) else {_TAG: "float", "held": str(number)}
    if isinstance(value, Rows):
        return {_TAG: "Rows", "held": value.as_columns()}
    if isinstance(value, Row | Study):
        return {_TAG: type(value).__name__, "held": value.as_dict()}
    if isinstance(value, Mapping):
        return _encode_mapping(value, place)
    if isinstance(value, list | tuple):
        return [encode(entry, f"{place}[{index}]") for index, entry in enumerate(value)]
    hint = " (.tolist() makes lists of an array)" if hasattr(value, "tolist") else ""
    raise TypeError(
        f"{place} is a {type(value).__name__}, which cannot be stored; return numbers, strings, booleans, None, lists, "
        f"dicts with string keys, or caltrop's Row, Rows and Study{hint}, or leave out out=."
    )


def decode(held: Any) -> Any:
    """The inverse of `encode`."""
    if isinstance(held, list):
        return [decode(entry) for entry in held]
    if not isinstance(held, dict):
        return held
    kind = held.get(_TAG)
    if kind == "float":
        return float(held["held"])
    if kind == "Rows":
        return Rows.from_columns(held["held"])
    if kind == "Row":
        return Row.from_dict(held["held"])
    if kind == "Study":
        return Study.from_dict(held["held"])
    return {key: decode(entry) for key, entry in held.items()}


def _encode_mapping(value: Mapping[Any, Any], place: str) -> dict[str, Any]:
    for key in value:
        if not isinstance(key, str) or key == _TAG:
            raise TypeError(f"{place} has the key {key!r}; keys of stored dicts must be strings, other than {_TAG!r}.")
    return {key: encode(entry, f"{place}[{key!r}]") for key, entry in value.items()}
