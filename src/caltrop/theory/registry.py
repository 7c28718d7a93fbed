"""All theoretical models by name, those of installed packages included."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TypeVar

from caltrop.registry import Registry

P = TypeVar("P", bound=type)

_REGISTRY: Registry[type] = Registry("problem")


def problem(name: str) -> Callable[[P], P]:
    """Register a frozen dataclass as a problem, under the name that the command line uses ("ufm-mse").

    Raises:
        ValueError: the name is taken.
    """

    def register(kind: P) -> P:
        _REGISTRY.add(name, kind)
        return kind

    return register


def problems() -> Mapping[str, type]:
    """All problems by name, those of installed packages (entry-point group `caltrop`) included."""
    return _REGISTRY


def names() -> list[str]:
    """Names of all registered problems."""
    return list(_REGISTRY)


def get(name: str) -> type:
    """The problem of that name; an unknown one raises KeyError with the nearest names."""
    return _REGISTRY.find(name)
