"""From values to drawing coordinates: linear and logarithmic axes with their ticks."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

# below this ratio a linear axis still separates the smallest values from each other
_SPANS_DECADES = 30.0


@dataclass(frozen=True)
class Scale:
    """Maps [low, high] to [start, end] in drawing units; `kind` is linear, log, or log1p (log of 1 + value)."""

    low: float
    high: float
    start: float
    end: float
    kind: str = "linear"

    def at(self, value: int | float) -> float:
        """The coordinate of `value`; what lies outside the axis is put on its edge."""
        if value <= self.low:
            return self.start
        if value >= self.high:
            return self.end
        bend = _BENDS[self.kind]
        low, high = bend(self.low), bend(self.high)
        return self.start + (self.end - self.start) * (bend(value) - low) / (high - low)

    def ticks(self, most: int) -> tuple[float, ...]:
        """At most about `most` round values inside the axis."""
        if self.kind == "linear":
            return _round_steps(self.low, self.high, most)
        return _decades(self.low, self.high, most, from_zero=self.kind == "log1p")


_BENDS: dict[str, Callable[[float], float]] = {
    "linear": float,
    "log": math.log10,
    "log1p": math.log1p,
}


def value_scale(values: Iterable[float], include: Iterable[float], start: float, end: float) -> Scale:
    """An axis for measured values: logarithmic where the positive ones span decades and none is negative.

    `include` are values that a linear axis, and a logarithmic one where they are positive, must show.
    """
    finite = [float(value) for value in values if math.isfinite(value)]
    extra = [float(value) for value in include if math.isfinite(value)]
    positive = [value for value in finite if value > 0]
    if positive and min(finite) >= 0 and max(positive) / min(positive) >= _SPANS_DECADES:
        shown = positive + [value for value in extra if value > 0]
        return Scale(min(shown) / 1.5, max(shown) * 1.5, start, end, "log")
    shown = finite + extra or [0.0, 1.0]
    low, high = min(shown), max(shown)
    pad = 0.07 * (high - low) or 0.1 * abs(high) or 1.0
    return Scale(low - pad, high + pad, start, end)


def step_scale(steps: Sequence[int | float], start: float, end: float) -> Scale:
    """An axis for steps: logarithmic where they look log-spaced, log(1 + step) if 0 is among them."""
    low, high = float(min(steps)), float(max(steps))
    if low == high:
        return Scale(low - 1, high + 1, start, end)
    positive = [step for step in steps if step > 0]
    if low >= 0 and positive and high / min(positive) >= _SPANS_DECADES:
        return Scale(low, high, start, end, "log1p" if low == 0 else "log")
    return Scale(low, high, start, end)


def _round_steps(low: float, high: float, most: int) -> tuple[float, ...]:
    rough = (high - low) / max(1, most)
    power = 10.0 ** math.floor(math.log10(rough))
    width = next(factor * power for factor in (1, 2, 5, 10) if factor * power >= rough * 0.999)
    first, last = math.ceil(low / width - 1e-9), math.floor(high / width + 1e-9)
    return tuple(index * width for index in range(first, last + 1))


def _decades(low: float, high: float, most: int, from_zero: bool) -> tuple[float, ...]:
    bottom = 0 if from_zero else math.ceil(math.log10(low) - 1e-9)
    top = math.floor(math.log10(high) + 1e-9)
    stride = max(1, math.ceil((top - bottom + 1) / most))
    ticks = [10.0**power for power in range(bottom, top + 1, stride)]
    if len(ticks) < 2 and not from_zero:
        powers = range(bottom - 1, top + 1)
        ticks = [digit * 10.0**power for power in powers for digit in (1, 2, 5) if low <= digit * 10.0**power <= high]
        ticks = ticks[:: math.ceil(len(ticks) / most) or 1]  # labels must not run into each other
    return tuple([0.0, *ticks] if from_zero else ticks)
