"""What users may extend by name: measures, problems, papers."""

from __future__ import annotations

import difflib
from collections.abc import Callable, Iterator, Mapping
from importlib.metadata import entry_points
from typing import Generic, TypeVar

T = TypeVar("T")

GROUP = "caltrop"
_LISTED = 10

_loaded = False


class Registry(Mapping[str, T], Generic[T]):
    """Things of one kind by name, in the order in which they were added.

    Reading it first imports what belongs to it: `own` (modules of this package that add to it), and installed
    packages that name a module in the entry-point group `caltrop`. Adding imports nothing.

    `kind` is what errors call a thing ("measure"); `error` the KeyError to raise for an unknown name.
    """

    def __init__(self, kind: str, own: Callable[[], object] | None = None, error: type[KeyError] = KeyError) -> None:
        self._kind, self._own, self._error = kind, own, error
        self._things: dict[str, T] = {}

    def add(self, name: str, thing: T) -> T:
        """Make `thing` known, and give it back.

        Raises:
            ValueError: the name is taken.
        """
        if name in self._things:
            raise ValueError(f"a {self._kind} named '{name}' is registered already; names are unique, choose another.")
        self._things[name] = thing
        return thing

    def find(self, name: str) -> T:
        """The thing of that name.

        Raises:
            KeyError: (the registry's own kind of it) there is none; the nearest names are offered.
        """
        known = self._known()
        if name in known:
            return known[name]
        nearest = difflib.get_close_matches(name, known, n=3, cutoff=0.4)
        hint = f"did you mean {' or '.join(nearest)}?" if nearest else f"there are {_listed(list(known))}."
        raise self._error(f"no {self._kind} is called '{name}'; {hint}")

    def __getitem__(self, name: str) -> T:
        return self._known()[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._known())

    def __len__(self) -> int:
        return len(self._known())

    def _known(self) -> dict[str, T]:
        if self._own is not None:
            self._own()
        load_plugins()
        return self._things


def _listed(names: list[str]) -> str:
    more = f", … ({len(names)} in all)" if len(names) > _LISTED else ""
    return f"{', '.join(names[:_LISTED])}{more}"


def load_plugins() -> None:
    """Import what installed packages name in the group `caltrop`, once in a process.

    Raises:
        ImportError: one of them cannot be imported; it is named, and tried again the next time.
    """
    global _loaded
    if _loaded:
        return
    _loaded = True  # at once: what is imported may read a registry
    for plugin in entry_points(group=GROUP):
        try:
            plugin.load()
        except Exception as error:
            _loaded = False
            raise ImportError(
                f"the installed package behind the entry point {plugin.name} = {plugin.value} (group {GROUP}) cannot "
                f"be loaded: {type(error).__name__}: {error}. Mend it, or uninstall it."
            ) from error
