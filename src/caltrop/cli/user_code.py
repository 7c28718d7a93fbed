"""Models and loaders that people name as pkg.mod:attribute."""

from __future__ import annotations

import difflib
import importlib
import sys
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from torch import nn


def load_model(name: str) -> nn.Module:
    """The module that `pkg.mod:attribute` is, or makes when called without arguments.

    Raises:
        ImportError: the Python module cannot be imported, or has no such attribute.
        ValueError: the name has no colon, or making the model failed.
        TypeError: what comes out is not a torch.nn.Module.
    """
    from torch import nn

    model = _made("--model", name, ready=nn.Module)
    if not isinstance(model, nn.Module):
        raise TypeError(f"--model {name} gives a {type(model).__name__}; it must be or return a torch.nn.Module.")
    return model


def load_loaders(name: str) -> Any:
    """The loader, or dict of loaders (one per split), that `pkg.mod:attribute` is or returns.

    Raises:
        ImportError: the Python module cannot be imported, or has no such attribute.
        ValueError: the name has no colon, or making the loader failed.
        TypeError: what comes out cannot be iterated again and again.
    """
    from torch.utils.data import DataLoader

    loaders = _made("--data", name, ready=(DataLoader, Mapping, list, tuple))
    if isinstance(loaders, Mapping):
        if not loaders:
            raise ValueError(f"--data {name} gives an empty dict; it should map split names to loaders.")
        for split, loader in loaders.items():
            _check_loader(f"--data {name} [{split!r}]", loader)
    else:
        _check_loader(f"--data {name}", loaders)
    return loaders


def load_attribute(option: str, name: str) -> Any:
    """The attribute that `pkg.mod:attribute` names, looked for in the working folder too.

    Raises:
        ImportError: the module cannot be imported, or has no such attribute; the nearest are offered.
        ValueError: the name has no colon.
    """
    module_name, colon, path = name.partition(":")
    if not (module_name and colon and path):
        raise ValueError(f"{option} {name} does not name an attribute; write it as pkg.mod:name.")
    found: Any = _import(option, module_name)
    for part in path.split("."):
        if not hasattr(found, part):
            near = difflib.get_close_matches(part, _public(found), n=3) or _public(found)[:5]
            offer = f" Did you mean {' or '.join(near)}?" if near else ""
            raise ImportError(f"{option} {name}: {module_name} has no {part!r}.{offer}")
        found = getattr(found, part)
    return found


def _made(option: str, name: str, *, ready: type | tuple[type, ...]) -> Any:
    """The attribute, called without arguments unless it is what is wanted already."""
    found = load_attribute(option, name)
    if isinstance(found, ready) or not callable(found):
        return found
    try:
        return found()
    except (Exception, SystemExit) as error:
        raise ValueError(f"{option} {name}: calling it without arguments failed: {_told(error)}") from error


def _import(option: str, name: str) -> ModuleType:
    here = str(Path.cwd())
    if here not in sys.path:
        sys.path.insert(0, here)
    # the working folder may hold modules that were written after the folder was last listed
    importlib.invalidate_caches()
    try:
        return importlib.import_module(name)
    except ModuleNotFoundError as error:
        if error.name is not None and (name == error.name or name.startswith(f"{error.name}.")):
            raise ImportError(_not_found(option, name)) from error
        raise ImportError(f"{option} {name} cannot be imported: {_told(error)}") from error
    except (Exception, SystemExit) as error:
        raise ImportError(f"{option} {name} cannot be imported: {_told(error)}") from error


def _not_found(option: str, name: str) -> str:
    there = sorted(path.stem for path in Path.cwd().glob("*.py")) + sorted(
        path.parent.name for path in Path.cwd().glob("*/__init__.py")
    )
    near = difflib.get_close_matches(name.partition(".")[0], there, n=3)
    offer = f" Did you mean {' or '.join(near)}?" if near else ""
    return f"{option}: there is no Python module {name} in the working folder or among installed packages.{offer}"


def _check_loader(said: str, loader: Any) -> None:
    from torch.utils.data import Dataset, IterableDataset

    if isinstance(loader, Dataset) and not isinstance(loader, IterableDataset):
        raise TypeError(f"{said} gives a dataset; wrap it: DataLoader(dataset, batch_size=256).")
    if not isinstance(loader, Iterable):
        raise TypeError(
            f"{said} gives a {type(loader).__name__}; it must be or return a DataLoader, "
            "another iterable of batches, or a dict of them by split."
        )
    if isinstance(loader, Iterator):
        raise ValueError(
            f"{said} gives a {type(loader).__name__}, which is exhausted after one pass; "
            "return a DataLoader or a list of batches."
        )


def _public(found: Any) -> list[str]:
    return sorted(name for name in vars(found) if not name.startswith("_")) if hasattr(found, "__dict__") else []


def _told(error: BaseException) -> str:
    text = " ".join(str(error).split())
    where = f" (line {error.lineno})" if isinstance(error, SyntaxError) and error.lineno else ""
    return f"{type(error).__name__}{f': {text}' if text else ''}{where}"
