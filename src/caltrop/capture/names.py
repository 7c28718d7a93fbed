"""Module names as users know them: without the prefixes that wrappers add."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from difflib import get_close_matches

from torch import nn
from torch.nn.parallel import DataParallel, DistributedDataParallel
from torch.optim.swa_utils import AveragedModel

ROOT = "(model)"
INPUT = ":input"
_WRAPPERS = (DataParallel, DistributedDataParallel, AveragedModel)
_PREFIXES = ("module", "_orig_mod")


def unwrap(module: nn.Module) -> nn.Module:
    """The module inside `torch.compile`, `DataParallel`, `DistributedDataParallel` and `AveragedModel`.

    A compiled module would ignore hooks registered after compilation, a parallel one would split the
    batch; the module inside computes the same and does neither.
    """
    while True:
        if is_compiled(module):
            inner = module._modules["_orig_mod"]
        elif isinstance(module, _WRAPPERS):
            inner = module.module
        else:
            return module
        assert isinstance(inner, nn.Module)
        module = inner


def is_compiled(module: nn.Module) -> bool:
    """Whether `module` is what `torch.compile(model)` returns."""
    return module._modules.get("_orig_mod") is not None


def module_names(model: nn.Module) -> tuple[str, ...]:
    """Names that `layers=` and `head=` accept, in order of registration, wrappers left out.

    Raises:
        TypeError: `model` is not a `torch.nn.Module`.
    """
    check_model(model)
    return tuple(name for name, _ in _walk(model, "", set()) if name)


def named(model: nn.Module) -> dict[str, nn.Module]:
    """Modules by name, each once; the model itself is called `(model)`."""
    return {name or ROOT: module for name, module in _walk(model, "", set())}


def aliases(model: nn.Module) -> dict[str, str]:
    """Further names of modules that are registered more than once, and the name used here."""
    first: dict[int, str] = {}
    others: dict[str, str] = {}
    for name, module in _walk(model, "", None):
        known = first.setdefault(id(module), name or ROOT)
        if known != (name or ROOT):
            others[name] = known
    return others


def check_model(model: object) -> None:
    """Refuse what is not a module, in one sentence."""
    if not isinstance(model, nn.Module):
        raise TypeError(
            f"model is of type {type(model).__name__}; expected a torch.nn.Module. "
            "For features already in hand use caltrop.measure."
        )


def without_wrappers(request: str, known: Iterable[str]) -> str:
    """`request` with the prefixes `module.` and `_orig_mod.` dropped where no module has such a name."""
    known = set(known)
    parts = request.split(".")
    while len(parts) > 1 and parts[0] in _PREFIXES and not any(_starts(name, parts[0]) for name in known):
        parts = parts[1:]
    return ".".join(part for part in parts if part != "_orig_mod")


def nearest(request: str, known: Iterable[str]) -> str:
    """A phrase that offers the names closest to `request`."""
    known = list(dict.fromkeys(known))
    close = get_close_matches(request, known, n=3, cutoff=0.5)
    if close:
        return "nearest names: " + ", ".join(close)
    shown = ", ".join(known[:8]) + (", …" if len(known) > 8 else "")
    return f"names: {shown}" if known else "the model has no modules inside"


def _starts(name: str, first: str) -> bool:
    return name == first or name.startswith(first + ".")


def _walk(module: nn.Module, prefix: str, seen: set[int] | None) -> Iterator[tuple[str, nn.Module]]:
    module = unwrap(module)
    if seen is not None:
        if id(module) in seen:
            return
        seen.add(id(module))
    yield prefix, module
    for name, child in module._modules.items():
        # a parametrization computes a weight, not a feature
        if child is not None and not (name == "parametrizations" and hasattr(module, "parametrizations")):
            yield from _walk(child, f"{prefix}.{name}" if prefix else name, seen)
