"""Rows by column as strict JSON, and the checks on the way back."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from types import NoneType
from typing import Any

import numpy as np
from jaxtyping import Bool, Float64, Int32

from caltrop.rows.row import COLUMNS
from caltrop.rows.strict import jsonable

# few distinct entries in many rows: stored as a list of entries and one code for each row; with their types in JSON
CODED: dict[str, tuple[type, ...]] = {
    "origin": (str,),
    "seed": (int, NoneType),
    "case": (str, NoneType),
    "split": (str,),
    "step": (int, float, NoneType),
    "layer": (str,),
    "measure": (str,),
    "symbol": (str,),
    "at_collapse": (int, float, NoneType),
    "reason": (str, NoneType),
    "note": (str, NoneType),
}
NUMBERS = ("value", "half_width", "resolution")

# coded columns that may hold what is not finite
_FLOATING = {column: column for column, types in CODED.items() if float in types}
_COUNT, _INFINITE = "count", "infinite"
_PLUS, _MINUS = "plus", "minus"

Coded = tuple[tuple[Any, ...], Int32[np.ndarray, "rows"]]
Numbers = Float64[np.ndarray, "rows"]


def to_columns(coded: Mapping[str, Coded], numbers: Mapping[str, Numbers]) -> dict[str, Any]:
    """{"count", column: {"entries", "codes"} or [number or null, …]}; a column with one entry carries no codes.

    What is not finite is null. A null value whose `reason` begins with "infinite" is read back as infinity; where
    that would be wrong, or another column is infinite, "infinite" says {column: {"plus": [place, …], "minus": …}}
    with places among the rows, or among the entries of a coded column.
    """
    count = len(numbers["value"])
    out: dict[str, Any] = {_COUNT: count}
    for column, (entries, codes) in coded.items():
        out[column] = {"entries": jsonable(list(entries))}
        if len(entries) > 1:
            out[column]["codes"] = codes.tolist()
    for column, found in numbers.items():
        out[column] = _nullable(found, np.isfinite(found))
    infinite = {column: places for column, places in _infinite(coded, numbers).items() if places}
    said = _places(~np.isfinite(numbers["value"]) & _is_said_infinite(*coded["reason"]))
    if infinite != ({"value": {_PLUS: said}} if said else {}):
        out[_INFINITE] = infinite
    return out


def from_columns(columns: Mapping[str, Any]) -> tuple[dict[str, Coded], dict[str, Numbers]]:
    """The inverse of `to_columns`.

    Raises:
        ValueError: columns of different lengths, codes without an entry, entries of another type, unknown columns.
        KeyError: a column is missing.
    """
    unknown = sorted(set(columns) - {*COLUMNS, _COUNT, _INFINITE})
    if unknown:
        raise ValueError(
            f"rows have the unknown columns {unknown}; this version knows {sorted(COLUMNS)}. "
            "They were probably written by a newer version."
        )
    count = columns[_COUNT]
    if not isinstance(count, int) or isinstance(count, bool) or count < 0:
        raise ValueError(f"there are said to be {count!r} rows; the file is damaged.")
    # first, because they cannot claim more rows than there are
    numbers = {column: _read_numbers(column, columns[column], count) for column in NUMBERS}
    coded = {column: _read_coded(column, columns[column], count) for column in CODED}
    if _INFINITE in columns:
        _put_infinite(columns[_INFINITE], coded, numbers)
    else:
        numbers["value"][np.isnan(numbers["value"]) & _is_said_infinite(*coded["reason"])] = math.inf
    return coded, numbers


def _read_coded(column: str, held: Any, count: int) -> Coded:
    entries = held.get("entries") if isinstance(held, Mapping) else None
    types = CODED[column]
    if not isinstance(entries, list) or not all(isinstance(e, types) and not isinstance(e, bool) for e in entries):
        raise ValueError(f"column {column} has other entries than a list of {_told(types)}; the file is damaged.")
    if column in _FLOATING:
        _read_floats(column, entries)
    if column == "at_collapse":
        entries = [None if entry is None else float(entry) for entry in entries]
    read = held.get("codes")
    if read is None:
        codes = np.zeros(count, dtype=np.int64)
    else:
        codes = np.array(read) if read else np.zeros(0, dtype=np.int64)
        if codes.dtype.kind != "i" or codes.ndim != 1:
            raise ValueError(f"column {column} has codes that are no integers; the file is damaged.")
    if len(codes) != count:
        raise ValueError(f"column {column} has {len(codes)} codes for {count} rows; the file is damaged.")
    if count and not 0 <= int(codes.min()) <= int(codes.max()) < len(entries):
        raise ValueError(
            f"column {column} has codes from {codes.min()} to {codes.max()} for {len(entries)} entries; "
            "the file is damaged."
        )
    return tuple(entries), codes.astype(np.int32)


def _read_numbers(column: str, held: Any, count: int) -> Numbers:
    if not isinstance(held, list) or not set(map(type, held)) <= {int, float, NoneType}:
        raise ValueError(f"column {column} is no list of numbers; the file is damaged.")
    if len(held) != count:
        raise ValueError(f"column {column} has {len(held)} numbers for {count} rows; the file is damaged.")
    return _read_floats(column, held)


def _read_floats(column: str, held: list[Any]) -> Numbers:
    try:
        return floats(held)
    except OverflowError as error:
        raise ValueError(f"column {column} has a number that is too large; the file is damaged.") from error


def floats(numbers: Sequence[Any]) -> Numbers:
    """As an array, with NaN for None."""
    return np.array(numbers, dtype=np.float64)


def listed(numbers: Numbers) -> list[Any]:
    """As a list, with None for NaN."""
    return _nullable(numbers, ~np.isnan(numbers))


def _nullable(numbers: Numbers, kept: Bool[np.ndarray, "rows"]) -> list[Any]:
    out: list[Any] = numbers.tolist()
    for place in np.flatnonzero(~kept).tolist():
        out[place] = None
    return out


def _is_said_infinite(reasons: Sequence[Any], codes: Int32[np.ndarray, "rows"]) -> Bool[np.ndarray, "rows"]:
    said = np.array([str(reason or "").startswith("infinite") for reason in reasons], dtype=bool)
    return said[codes] if len(said) else np.zeros(len(codes), dtype=bool)


def _infinite(coded: Mapping[str, Coded], numbers: Mapping[str, Numbers]) -> dict[str, dict[str, list[int]]]:
    arrays = {**{column: floats(coded[column][0]) for column in _FLOATING}, **numbers}
    out = {}
    for column, array in arrays.items():
        signs = {_PLUS: _places(array == math.inf), _MINUS: _places(array == -math.inf)}
        out[column] = {sign: places for sign, places in signs.items() if places}
    return out


def _places(which: Bool[np.ndarray, "_"]) -> list[int]:
    places: list[int] = np.flatnonzero(which).tolist()
    return places


def _put_infinite(held: Any, coded: dict[str, Coded], numbers: Mapping[str, Numbers]) -> None:
    try:
        for column, signs in held.items():
            for sign, places in signs.items():
                infinity = {_PLUS: math.inf, _MINUS: -math.inf}[sign]
                if column in numbers:
                    numbers[column][_checked(places, len(numbers[column]))] = infinity
                else:
                    entries, codes = coded[_FLOATING[column]]
                    which = _checked(places, len(entries)).tolist()
                    entries = tuple(infinity if place in which else entry for place, entry in enumerate(entries))
                    coded[column] = entries, codes
    except (AttributeError, KeyError, TypeError, ValueError, OverflowError) as error:
        raise ValueError(f"it is not clear what is infinite ({error}); the file is damaged.") from error


def _checked(places: Any, length: int) -> Int32[np.ndarray, "_"]:
    if not all(isinstance(place, int) and 0 <= place < length for place in places):
        raise ValueError(f"places beyond {length}")
    return np.array(places, dtype=np.int32)


def _told(types: tuple[type, ...]) -> str:
    return " or ".join("null" if kind is NoneType else kind.__name__ for kind in types)
