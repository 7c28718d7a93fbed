"""Drawing coordinates as short text for the page's script: 12 bits in two characters each.

A page holds hundreds of pictures; as JSON numbers they would be several megabytes. 4095 levels are
finer than a screen, and the tables carry the exact numbers.
"""

from __future__ import annotations

import math
from collections.abc import Iterable

ALPHABET = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
_HALF = 2047


def encode(values: Iterable[float], bound: float) -> str:
    """Values in [-bound, bound] on 4095 levels: 0 and both ends are exact, what is not a number has its own code."""
    return "".join(_pair(value, bound) for value in values)


def _pair(value: float, bound: float) -> str:
    code = 2 * _HALF + 1
    if math.isfinite(value):
        code = round((max(-bound, min(bound, value)) / bound + 1) * _HALF)
    return ALPHABET[code >> 6] + ALPHABET[code & 63]


def thin(count: int, most: int) -> tuple[int, ...]:
    """Evenly spread positions out of `count`, at most `most`, always with the last (and the first, if two fit)."""
    if count <= most:
        return tuple(range(count))
    if most <= 1:
        return (count - 1,)
    return tuple(round(index * (count - 1) / (most - 1)) for index in range(most))
