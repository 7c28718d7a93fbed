"""Changing single fields of a configuration, by name and as text."""

from __future__ import annotations

import dataclasses
import difflib
import json
from collections.abc import Mapping
from types import NoneType, UnionType
from typing import Any, Union, get_args, get_origin, get_type_hints


def changed(config: Any, changes: Mapping[str, Any]) -> Any:
    """The configuration with some fields changed; a text is read as the field's type ("0.01", "512 512", "true").

    "head.epochs" is the field `epochs` of the configuration that the field `head` holds.

    Raises:
        ValueError: an unknown field (the nearest is offered), a value that is not of the field's type, or one
            that the configuration itself refuses.
    """
    hints = get_type_hints(type(config))
    known = [field.name for field in dataclasses.fields(config)]
    read: dict[str, Any] = {}
    for name, value in changes.items():
        outer, dot, inner = name.partition(".")
        if dot and dataclasses.is_dataclass(held := read.get(outer, getattr(config, outer, None))):
            read[outer] = changed(held, {inner: value})
            continue
        if name not in known:
            nearest = difflib.get_close_matches(name, known, n=3, cutoff=0.4)
            offer = f"did you mean {' or '.join(nearest)}?" if nearest else f"fields are {', '.join(known)}."
            raise ValueError(f"{type(config).__name__} has no field '{name}'; {offer}")
        try:
            read[name] = _read(value, hints[name])
        except (ValueError, TypeError) as error:
            raise ValueError(
                f"{name}={value!r} is not of the type {_told(hints[name])}; it is {getattr(config, name)!r} by default."
            ) from error
    return dataclasses.replace(config, **read)


def from_plain(kind: type, fields: Mapping[str, Any]) -> Any:
    """The configuration of class `kind` that `plain` turned into JSON."""
    hints = get_type_hints(kind)
    return kind(**{name: _read(value, hints[name]) for name, value in fields.items()})


def _read(value: Any, kind: Any) -> Any:
    if get_origin(kind) is tuple:
        inner = get_args(kind)[0]
        if isinstance(value, str):
            value = value.replace(",", " ").split()
        return tuple(_read(entry, inner) for entry in value)
    if get_origin(kind) in (Union, UnionType):
        return _read_optional(value, get_args(kind))
    if dataclasses.is_dataclass(kind) and isinstance(value, Mapping):
        return from_plain(kind, value)  # type: ignore[arg-type]
    if isinstance(value, str) and kind is not str:
        value = json.loads(value.lower() if kind is bool else value)
    if kind is float and isinstance(value, int) and not isinstance(value, bool):
        return float(value)
    if type(value) is not kind:
        raise TypeError(f"{value!r} is a {type(value).__name__}")
    return value


def _read_optional(value: Any, kinds: tuple[Any, ...]) -> Any:
    if value is None or (isinstance(value, str) and value.lower() == "none"):
        return None
    (kind,) = (kind for kind in kinds if kind is not NoneType)
    return _read(value, kind)


def _told(kind: Any) -> str:
    return getattr(kind, "__name__", str(kind)) if get_origin(kind) is None else str(kind)
