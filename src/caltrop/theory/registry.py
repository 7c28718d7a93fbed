"""All theoretical models by name, those of installed packages included."""

from __future__ import annotations

import difflib
from collections.abc import Callable, Mapping
from importlib.metadata import entry_points
from typing import TypeVar

P = TypeVar("P", bound=type)

_REGISTRY: dict[str, type] = {}
_PLUGINS_LOADED = False


def problem(name: str) -> Callable[[P], P]:
    """Register a frozen dataclass as a problem, under the name that the command line uses ("ufm-mse").

    Raises:
        ValueError: the name is taken.
    """

    def register(kind: P) -> P:
        if name in _REGISTRY:
            raise ValueError(f"a problem named '{name}' is registered already; names are unique, choose another.")
        _REGISTRY[name] = kind
        return kind

    return register


def problems() -> Mapping[str, type]:
    """All problems by name, those of installed packages (entry-point group `caltrop`) included."""
    global _PLUGINS_LOADED
    if not _PLUGINS_LOADED:
        _PLUGINS_LOADED = True
        for plugin in entry_points(group="caltrop"):
            plugin.load()
    return _REGISTRY


def names() -> list[str]:
    """Names of all registered problems."""
    return list(problems())


def get(name: str) -> type:
    """The problem of that name; an unknown one raises KeyError with the nearest names."""
    known = problems()
    if name in known:
        return known[name]
    nearest = difflib.get_close_matches(name, known, n=3, cutoff=0.4)
    hint = f"did you mean {', '.join(nearest)}?" if nearest else f"there are {', '.join(known)}."
    raise KeyError(f"no problem is called '{name}'; {hint}")
