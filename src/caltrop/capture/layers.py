"""From names and patterns to the tensors they mean."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import Any

from torch import nn

from caltrop.capture.names import INPUT, nearest, without_wrappers
from caltrop.capture.trace import Call, Seen, Trace


@dataclass(frozen=True)
class Layer:
    """One tensor to capture: the output of a call, or its input."""

    name: str
    call: Call
    is_input: bool

    @property
    def seen(self) -> Seen | None:
        """The tensor as it passed during the watched forward."""
        return self.call.received if self.is_input else self.call.returned

    @property
    def moment(self) -> int:
        """When the tensor existed first, for putting layers in order of execution."""
        return self.call.start if self.is_input else self.call.end


def output_of(trace: Trace, call: Call) -> Layer:
    """The layer of a call's output."""
    return Layer(trace.label(call), call, False)


def input_of(trace: Trace, call: Call) -> Layer:
    """The layer of a call's input."""
    return Layer(trace.label(call) + INPUT, call, True)


def resolve(
    requests: str | Iterable[Any], trace: Trace, modules: Mapping[str, nn.Module], aliases: Mapping[str, str]
) -> tuple[list[Layer], list[str]]:
    """The layers meant by names and patterns, in order of execution, and notes about them.

    A `*` stays within one level of the module tree; only where nothing matches so does it cross levels.

    Raises:
        TypeError: something that is not a string.
        ValueError: nothing matches, the module did not run, ran several times, or holds no features.
    """
    requests = [requests] if isinstance(requests, str) else list(requests)
    if not requests:
        raise ValueError("layers is empty; name at least one module, or leave it out to have them chosen.")
    found: dict[str, Layer] = {}
    notes: list[str] = []
    for request in requests:
        if not isinstance(request, str):
            raise TypeError(
                f"layers holds a {type(request).__name__}; expected module names or patterns such as 'layer*'."
            )
        for layer in _matching(request, trace, modules, aliases, notes):
            found.setdefault(layer.name, layer)
    return sorted(found.values(), key=lambda layer: layer.moment), notes


def _matching(
    request: str,
    trace: Trace,
    modules: Mapping[str, nn.Module],
    aliases: Mapping[str, str],
    notes: list[str],
) -> list[Layer]:
    is_input = request.endswith(INPUT)
    wanted = without_wrappers(request.removesuffix(INPUT), modules)
    wanted = aliases.get(wanted, wanted)
    make = input_of if is_input else output_of
    if wanted in modules:
        return [make(trace, _only_call(wanted, trace, modules[wanted], is_input))]
    labelled = {trace.label(call): call for call in trace.calls}
    if wanted in labelled:
        return [make(trace, labelled[wanted])]
    names = _fitting(wanted, [*modules, *(n for n in labelled if n not in modules)], request, notes)
    if not names:
        raise ValueError(f"no layer matches {request!r}; {nearest(wanted, [*modules, *labelled])}.")
    calls = [call for label, call in labelled.items() if call.name in names or label in names]
    layers = [make(trace, call) for call in calls]
    usable = [layer for layer in layers if _why_unusable(layer) is None]
    if not usable:
        raise ValueError(
            f"{request!r} matches {', '.join(names[:6])}, but none of them ran in the model's forward "
            "with floating-point features; lists of modules do not run themselves, their members do."
        )
    left_out = [layer.name for layer in layers if layer not in usable]
    if left_out:
        notes.append(f"The pattern {request!r} also matches {', '.join(left_out)}, which hold no features.")
    return usable


def _fitting(wanted: str, names: list[str], request: str, notes: list[str]) -> list[str]:
    if not any(sign in wanted for sign in "*?["):
        return []
    parts = wanted.split(".")
    level = [name for name in names if _same_level(name.split("."), parts)]
    if level:
        return level
    deep = [name for name in names if fnmatchcase(name, wanted)]
    if deep:
        notes.append(f"The pattern {request!r} matches no module at its own level, so deeper ones are taken.")
    return deep


def _same_level(name: list[str], pattern: list[str]) -> bool:
    return len(name) == len(pattern) and all(fnmatchcase(n, p) for n, p in zip(name, pattern, strict=True))


def _only_call(name: str, trace: Trace, module: nn.Module, is_input: bool) -> Call:
    calls = trace.of(name)
    kind = type(module).__name__
    if not calls:
        inside = [call.name for call in trace.calls if call.name.startswith(name + ".")]
        remedy = f"ask for {name}.*, its members" if inside else "name a layer that runs"
        raise ValueError(f"layer {name!r} ({kind}) did not run in the model's forward; {remedy}.")
    if len(calls) > 1:
        offered = ", ".join(f"'{name}#{call.turn}'" for call in calls[:4]) + (", …" if len(calls) > 4 else "")
        raise ValueError(
            f"layer {name!r} ({kind}) ran {len(calls)} times in one forward; "
            f"say which call you mean: {offered}, or '{name}#*' for all."
        )
    layer = Layer(name, calls[0], is_input)
    why = _why_unusable(layer)
    if why is not None:
        raise ValueError(f"layer {name + (INPUT if is_input else '')!r} ({kind}) {why}.")
    return calls[0]


def _why_unusable(layer: Layer) -> str | None:
    side = "was given" if layer.is_input else "returned"
    if layer.seen is None:
        return f"{side} no tensor with a sample axis (packed sequences have none: measure behind pad_packed_sequence)"
    if not layer.seen.is_floating:
        return f"{side} {layer.seen.dtype}, which are not features; ask for a layer behind it"
    return None
