"""Strict JSON: what is not finite is null, equal input gives equal text."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from numbers import Integral, Real
from typing import Any

import numpy as np


def jsonable(value: Any, digits: int | None = None) -> Any:
    """`value` with tuples as lists and every non-finite float as None, ready for strict JSON."""
    if isinstance(value, bool | np.bool_):
        return bool(value)
    if isinstance(value, Integral):  # of NumPy, too, which is no int
        return int(value)
    if isinstance(value, Real):
        number = float(value)
        if not math.isfinite(number):
            return None
        return number if digits is None else round(number, digits)
    if isinstance(value, Mapping):
        return {str(key): jsonable(entry, digits) for key, entry in value.items()}
    if isinstance(value, list | tuple):
        return [jsonable(entry, digits) for entry in value]
    return value


def to_json(value: Any) -> str:
    """Strict JSON text (NaN is refused, never written), stable for equal input."""
    return plain_json(jsonable(value))


def plain_json(value: Any) -> str:
    """The text of what is plain already, as every `as_dict` gives it: a million rows are not walked through twice.

    Raises:
        ValueError: a float that is not finite.
    """
    return json.dumps(value, allow_nan=False, ensure_ascii=False)
