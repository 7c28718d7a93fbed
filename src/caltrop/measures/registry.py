"""The registry of measures: a pure function of statistics, with everything a row needs to be read."""

from __future__ import annotations

import inspect
import math
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any, get_type_hints

from torch import Tensor

from caltrop.registry import Registry

AtCollapse = float | Callable[[int, int], float | None] | None


class Undefined(Exception):  # noqa: N818 - a condition of the data, not an error of the caller
    """Raised inside a measure where it has no value; becomes NaN (or infinity) with this reason."""

    def __init__(self, reason: str, value: float = math.nan) -> None:
        super().__init__(reason)
        self.reason, self.value = reason, value


@dataclass(frozen=True)
class Measured:
    """A measure's value and, where it is not finite, the reason."""

    value: float
    reason: str | None = None


@dataclass(frozen=True)
class Measure:
    """One measure. Calling it gives one float: NaN or infinite where undefined, never a silent 0."""

    name: str
    symbol: str
    function: Callable[..., float]
    needs: tuple[type, ...]
    at_collapse: AtCollapse
    source: str
    invariances: tuple[str, ...]
    per_class: Callable[..., Tensor] | None
    is_variability: bool
    is_whole_model: bool
    caution: Callable[..., str | None] | None = None

    def __call__(self, *statistics: Any) -> float:
        return self.evaluate(statistics).value

    def evaluate(self, statistics: tuple[Any, ...]) -> Measured:
        """The value with its reason; `statistics` in the order of `needs`."""
        try:
            value = float(self.function(*statistics))
        except Undefined as undefined:
            return Measured(undefined.value, undefined.reason)
        if math.isnan(value):
            return Measured(value, "undefined: 0/0 in its formula")
        if math.isinf(value):
            return Measured(value, "infinite: a denominator is 0")
        return Measured(value)

    def by_class(self, statistics: tuple[Any, ...]) -> Tensor | None:
        """Per-class values [classes], or None where the measure has none, or none here."""
        if self.per_class is None:
            return None
        try:
            return self.per_class(*statistics)
        except Undefined:
            return None

    def collapsed(self, num_classes: int, dim: int) -> float | None:
        """The value at exact collapse of K classes in d dimensions, or None where there is none."""
        if callable(self.at_collapse):
            return self.at_collapse(num_classes, dim)
        return self.at_collapse

    @property
    def doc(self) -> str:
        """The docstring: what it measures, formula, units and range."""
        return inspect.getdoc(self.function) or ""


_REGISTRY: Registry[Measure] = Registry("measure")


def measure(
    *,
    symbol: str,
    source: str,
    at_collapse: AtCollapse = None,
    invariances: str = "",
    per_class: Callable[..., Tensor] | None = None,
    is_variability: bool = False,
    is_whole_model: bool = False,
    caution: Callable[..., str | None] | None = None,
) -> Callable[[Callable[..., float]], Measure]:
    """Register a function of statistics as a measure, under its own name.

    Its annotations say which statistics it needs. `invariances` are words out of `scale`,
    `translation`, `rotation`: what may be done to the features, and to the head with them so that its
    scores stay the same, without changing the value; for a measure of the head alone, what may be done to
    its rows (translation: the same row added to all). A variability gets a sampling half-width and a
    resolution. `caution` looks at the same statistics and returns a sentence for the row's note, or None.

    Raises
    ------
    ValueError
        Where the name is taken.
    """

    def register(function: Callable[..., float]) -> Measure:
        name = function.__name__
        hints = get_type_hints(function)
        needs = tuple(hints[parameter] for parameter in inspect.signature(function).parameters)
        made = Measure(
            name,
            symbol,
            function,
            needs,
            at_collapse,
            source,
            tuple(invariances.split()),
            per_class,
            is_variability,
            is_whole_model,
            caution,
        )
        return _REGISTRY.add(name, made)

    return register


def registry() -> Mapping[str, Measure]:
    """All measures by name, those of installed packages (entry-point group `caltrop`) included."""
    return _REGISTRY


def glosses(measured: Iterable[str]) -> dict[str, str]:
    """The first sentence of the docstring of each measure that a user's own package registered."""
    return {
        name: known.doc.partition("\n\n")[0].replace("\n", " ")
        for name in dict.fromkeys(measured)
        if (known := registry().get(name)) is not None and not known.function.__module__.startswith("caltrop.")
    }


def names() -> list[str]:
    """Names of all registered measures, in the order of registration."""
    return list(registry())


def get(name: str) -> Measure:
    """The measure of that name; an unknown one raises KeyError with the nearest names."""
    return _REGISTRY.find(name)
