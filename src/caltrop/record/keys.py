"""A configuration's key: equal configurations share it, others practically never do."""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Mapping
from dataclasses import fields, is_dataclass
from numbers import Integral, Real
from typing import Any

import numpy as np

_DIGITS = 16


def cell_key(config: Any) -> str:
    """16 hexadecimal digits of the SHA-256 of `config` as canonical JSON.

    Mappings (keys sorted), dataclass instances, lists and tuples (alike), strings, booleans, None, integers and
    finite floats (every digit), nested as deep as you like. 1 and 1.0 are different configurations.

    Raises:
        TypeError: something that JSON cannot hold, with its place.
        ValueError: a float that is not finite, with its place.
    """
    text = json.dumps(canonical(config), sort_keys=True, ensure_ascii=True, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()[:_DIGITS]


def canonical(config: Any, place: str = "the configuration") -> Any:
    """`config` as plain JSON, or an error that names the place of what cannot be."""
    if config is None or isinstance(config, str | bool):
        return config
    if isinstance(config, np.bool_):
        return bool(config)
    if isinstance(config, Integral):
        return int(config)
    if isinstance(config, Real):
        return _finite(float(config), place)
    if is_dataclass(config) and not isinstance(config, type):
        return {field.name: canonical(getattr(config, field.name), f"{place}.{field.name}") for field in fields(config)}
    if isinstance(config, Mapping):
        return {_name(key, place): canonical(value, f"{place}[{key!r}]") for key, value in config.items()}
    if isinstance(config, list | tuple):
        return [canonical(value, f"{place}[{index}]") for index, value in enumerate(config)]
    raise TypeError(
        f"{place} is a {type(config).__name__}, which cannot be part of a key; "
        "use numbers, strings, booleans, None, lists, dicts with string keys, or dataclasses of these."
    )


def _finite(number: float, place: str) -> float:
    if not math.isfinite(number):
        raise ValueError(f"{place} is {number}, which cannot be part of a key; use a finite number or None.")
    return number


def _name(key: Any, place: str) -> str:
    if not isinstance(key, str):
        raise TypeError(f"{place} has the key {key!r}, a {type(key).__name__}; keys must be strings.")
    return key
