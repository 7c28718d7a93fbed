"""What a sweep can keep: plain values and caltrop's rows as strict JSON, and back."""

from __future__ import annotations

import math
import sys
from collections.abc import Mapping
from numbers import Integral
from typing import Any

from caltrop.rows import ClassValues, Picture, Row, Rows, Study

# strict JSON has no NaN, and rows are no JSON; a dict with this key stands for what is not
_TAG = "~caltrop"
_KINDS: dict[str, Any] = {kind.__name__: kind for kind in (Row, Study, ClassValues, Picture)}


def encode(value: Any, place: str = "the value") -> Any:
    """`value` as strict JSON that `decode` takes back: plain values, and Row, Rows, Study, ClassValues, Picture.

    Tuples become lists, NumPy's scalars Python's.

    Raises:
        TypeError: anything else, with its place and what to return instead.
    """
    value = _plain_scalar(value)
    if value is None or isinstance(value, bool):
        return value
    if isinstance(value, str):
        return _plain_text(value)
    if isinstance(value, Integral):
        return int(value)
    if isinstance(value, float):
        return float(value) if math.isfinite(value) else {_TAG: "float", "held": str(float(value))}
    if isinstance(value, Rows):
        return {_TAG: "Rows", "held": value.as_columns()}
    for name, kind in _KINDS.items():
        if isinstance(value, kind):
            return {_TAG: name, "held": value.as_dict()}
    if isinstance(value, Mapping):
        return _encode_mapping(value, place)
    if isinstance(value, list | tuple):
        return [encode(entry, f"{place}[{index}]") for index, entry in enumerate(value)]
    raise TypeError(
        f"{place} is a {type(value).__name__}, which cannot be stored{_instead(value)}. Return numbers, strings, "
        "booleans, None, lists, dicts with string keys, or caltrop's Row, Rows and Study; or leave out out=."
    )


def decode(held: Any) -> Any:
    """The inverse of `encode`.

    Raises:
        ValueError: it names a kind of value that `encode` does not write.
        KeyError: (or TypeError, AttributeError) it is not what `encode` writes.
    """
    if isinstance(held, list):
        return [decode(entry) for entry in held]
    if not isinstance(held, dict):
        return held
    if _TAG not in held:
        return {key: decode(entry) for key, entry in held.items()}
    kind = held[_TAG]
    if kind == "float":
        return float(held["held"])
    if kind == "Rows":
        return Rows.from_columns(held["held"])
    if kind not in _KINDS:
        raise ValueError(f"{kind!r} is no kind of value that a sweep stores.")
    return _KINDS[kind].from_dict(held["held"])


def _plain_scalar(value: Any) -> Any:
    # a value can only be NumPy's where NumPy was imported; nothing here should import it
    numpy = sys.modules.get("numpy")
    return value.item() if numpy is not None and isinstance(value, numpy.generic) else value


def _plain_text(text: str) -> str:
    # str(text) of an enumeration of strings is its name, not its value
    return str.__str__(text)


def _encode_mapping(value: Mapping[Any, Any], place: str) -> dict[str, Any]:
    for key in value:
        if not isinstance(key, str) or key == _TAG:
            raise TypeError(f"{place} has the key {key!r}; keys of stored dicts must be strings, other than {_TAG!r}.")
    return {_plain_text(key): encode(entry, f"{place}[{key!r}]") for key, entry in value.items()}


def _instead(value: Any) -> str:
    if hasattr(value, "tolist"):
        return " (its .tolist() can)"
    return " (its .rows can)" if hasattr(value, "rows") else ""
