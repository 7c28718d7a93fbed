"""What tells one cell of a sweep from another: its configuration, and the function."""

from __future__ import annotations

import functools
import json
import sys
from collections.abc import Callable, Mapping
from dataclasses import fields, is_dataclass
from pathlib import Path
from types import ModuleType
from typing import Any

from caltrop.record.keys import canonical, cell_key

_CLASS = "~class"


def configuration(config: Any, place: str = "the configuration") -> Any:
    """`config` as plain JSON, dataclasses with their class names.

    Without the name, SGD(lr=0.1) and Adam(lr=0.1) would be one cell. The module is left out, so that a class may move.

    Raises:
        TypeError: something that JSON cannot hold, with its place.
        ValueError: a float that is not finite, with its place.
    """
    canonical(config, place)
    return canonical(_with_class_names(config))


def configuration_key(config: Any, place: str = "the configuration") -> str:
    """`cell_key` of `configuration(config)`, with its errors."""
    return cell_key(configuration(config, place))


def function_name(fn: Callable[..., Any]) -> str:
    """module.name of a function, also behind `functools.partial`; a script's module is its file."""
    while isinstance(fn, functools.partial):
        fn = fn.func
    named = fn if hasattr(fn, "__qualname__") else type(fn)
    return f"{_module(named)}.{named.__qualname__}"


def function_identity(fn: Callable[..., Any]) -> str:
    """What is written beside each stored result: the function's name, and what `functools.partial` fixed.

    Raises:
        TypeError: two different functions could have this name, or a fixed argument cannot be part of a key.
    """
    inner: Any = fn
    args: tuple[Any, ...] = ()
    fixed: dict[str, Any] = {}
    while isinstance(inner, functools.partial):
        args, fixed, inner = (*inner.args, *args), {**inner.keywords, **fixed}, inner.func
    name = function_name(inner)
    owner = getattr(inner, "__self__", None)
    if "<lambda>" in name or not hasattr(inner, "__qualname__") or not isinstance(owner, ModuleType | type | None):
        raise TypeError(
            f"results in out= are kept under the name of their function, and {name} may be many. "
            "Define a function with def, and put what it depends on into the configurations."
        )
    if not args and not fixed:
        return name
    told = configuration([*args, fixed], f"what functools.partial fixed of {name}")
    return f"{name} with {json.dumps(told, sort_keys=True)}"


def _with_class_names(config: Any) -> Any:
    if is_dataclass(config) and not isinstance(config, type):
        held = {field.name: _with_class_names(getattr(config, field.name)) for field in fields(config)}
        return {_CLASS: type(config).__qualname__, **held}
    if isinstance(config, Mapping):
        return {key: _with_class_names(value) for key, value in config.items()}
    if isinstance(config, list | tuple):
        return [_with_class_names(value) for value in config]
    return config


def _module(named: Any) -> str:
    name = getattr(named, "__module__", None) or "builtins"
    if name not in ("__main__", "__mp_main__"):
        return str(name)
    # every script is called __main__; its file tells them apart, and is its name when it is imported
    main = sys.modules["__main__"]
    spec = getattr(main, "__spec__", None)
    if spec is not None:
        return str(spec.name).removesuffix(".__main__")
    file = getattr(main, "__file__", None)
    return Path(file).stem if file else str(name)
