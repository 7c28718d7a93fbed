"""Numbers as a reader should see them: as many digits as the half width allows, never more."""

from __future__ import annotations

import math

MISSING = "–"
_SUPERSCRIPTS = str.maketrans("-0123456789", "⁻⁰¹²³⁴⁵⁶⁷⁸⁹")


def number(value: float | None, half_width: float | None = None) -> str:
    """`value` with digits down to the second digit of `half_width`, or four digits where there is none.

    None and NaN become "–", infinity "∞"; whole numbers stay whole.
    """
    if value is None or math.isnan(value):
        return MISSING
    if math.isinf(value):
        return "∞" if value > 0 else "-∞"
    if not usable(half_width) and value == round(value) and abs(value) < 1e6:
        return str(round(value))
    if value == 0:
        return "0"
    if half_width is None or not usable(half_width):
        return _significant(value, 4)
    return _to_the_half_width(value, half_width)


def spread(half_width: float | None) -> str:
    """A half width with two digits; empty where there is none."""
    if half_width is None or not math.isfinite(half_width):
        return ""
    return "0" if half_width == 0 else _significant(half_width, 2)


def with_spread(value: float, half_width: float | None) -> str:
    """`0.0077 ± 0.0003`, or the value alone."""
    width = spread(half_width)
    text = number(value, half_width)
    return f"{text} ± {width}" if width and math.isfinite(value) else text


def brief(value: float) -> str:
    """Two digits, for sentences and headlines; shares next to 1 keep the digits that tell them from it."""
    if not math.isfinite(value) or value == round(value):
        return number(value)
    if 100 <= abs(value) < 1e6:
        return f"{value:.0f}"
    if abs(value) < 1e-3:
        mantissa, exponent = f"{value:.1e}".split("e")
        return f"{mantissa}e{int(exponent)}"
    text = _significant(value, 2)
    return _significant(value, 4) if abs(value) < 1 and abs(float(text)) == 1 else text


def tick(value: float) -> str:
    """An axis label: plain where short, a power of ten otherwise."""
    if value == 0:
        return "0"
    if 1e-3 <= abs(value) < 1e5:
        return f"{value:.6g}"
    mantissa, exponent = f"{value:.0e}".split("e")
    power = "10" + str(int(exponent)).translate(_SUPERSCRIPTS)
    return power if mantissa == "1" else f"{mantissa}·{power}"


def typeset(text: str) -> str:
    """ASCII minus signs of a formatted number as true minus signs, for HTML."""
    return text.replace("-", "−")


def step_number(step: int | float) -> str:
    """A step as it was passed: whole where it is whole."""
    return str(round(step)) if step == round(step) else f"{step:.6g}"


def usable(half_width: float | None) -> bool:
    """Whether a half width can set the number of digits."""
    return half_width is not None and math.isfinite(half_width) and half_width > 0


def _to_the_half_width(value: float, half_width: float) -> str:
    """Down to the decimal place of the half width's second digit, with 2 to 7 significant digits."""
    power = math.floor(math.log10(abs(value)))
    place = min(max(1 - math.floor(math.log10(half_width)), 1 - power), 6 - power)
    if 1e-4 <= abs(value) < 1e6:
        return f"{value:.{max(0, place)}f}"
    return _significant(value, power + place + 1)


def _significant(value: float, digits: int) -> str:
    if 1e-4 <= abs(value) < 1e6:
        # rounding may carry into the next power of ten, so the place is taken from the rounded number
        place = digits - 1 - math.floor(math.log10(abs(float(f"{value:.{digits - 1}e}"))))
        return f"{value:.{max(0, place)}f}"
    mantissa, exponent = f"{value:.{digits - 1}e}".split("e")
    return f"{mantissa}e{int(exponent)}"
