"""One forward, watched: which module ran when, on what, and what came of it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor, nn

from caltrop.capture.lineage import Lineage, Node
from caltrop.capture.linear import LinearForm, linear_form
from caltrop.capture.outputs import main_tensor, scores
from caltrop.capture.placement import tensors


@dataclass(frozen=True)
class Seen:
    """A tensor that passed a module's door: its shape and origin, never its values."""

    shape: tuple[int, ...]
    dtype: torch.dtype
    node: Node
    entry: str = ""  # which entry of a tuple or dict output it is

    @property
    def is_floating(self) -> bool:
        """Whether it can hold features; token ids cannot."""
        return self.dtype.is_floating_point


@dataclass(eq=False)
class Call:
    """One call of one module. `start` and `end` count events, so calls can be put in order."""

    name: str
    turn: int
    module: nn.Module
    start: int
    parent: Call | None
    received: Seen | None = None
    returned: Seen | None = None
    end: int = 0
    form: LinearForm | None = None
    children: list[Call] = field(default_factory=list)

    def inside(self) -> Iterator[Call]:
        """Every call made during this one, itself excluded."""
        for child in self.children:
            yield child
            yield from child.inside()


@dataclass
class Trace:
    """Calls in order of their start, and what the model returned."""

    calls: list[Call] = field(default_factory=list)
    times: Counter[str] = field(default_factory=Counter)
    scores: list[Seen] = field(default_factory=list)
    changed_inputs: bool = False
    last_linear: tuple[Call, Tensor] | None = None  # values of the last linear layer's output
    score_values: list[Tensor] = field(default_factory=list)

    def label(self, call: Call) -> str:
        """The call's layer name: the module's, with `#turn` where the module ran more than once."""
        return call.name if self.times[call.name] == 1 else f"{call.name}#{call.turn}"

    def of(self, name: str) -> list[Call]:
        """Finished calls of one module, in order."""
        return [call for call in self.calls if call.name == name]


def watch(
    modules: Mapping[str, nn.Module], model: nn.Module, args: tuple[Any, ...], kwargs: Mapping[str, Any]
) -> Trace:
    """Run `model` once on inputs that may be overwritten, and tell what happened."""
    trace, lineage = Trace(), Lineage()
    versions = [(tensor, tensor._version) for tensor in tensors((args, dict(kwargs)))]
    with _hooked(modules, trace, lineage), lineage:
        output = model(*args, **kwargs)
    trace.calls = [call for call in trace.calls if call.end]
    trace.score_values = scores(output)
    trace.scores = [_seen(tensor, lineage, "") for tensor in trace.score_values]
    trace.changed_inputs = any(tensor._version != version for tensor, version in versions)
    return trace


@contextmanager
def _hooked(modules: Mapping[str, nn.Module], trace: Trace, lineage: Lineage) -> Iterator[None]:
    stack: list[tuple[Call, Tensor | None]] = []
    clock = iter(range(1, 1 << 62))
    handles = []

    def entering(name: str) -> Callable[..., None]:
        def enter(module: nn.Module, args: Any, kwargs: Any) -> None:
            trace.times[name] += 1
            parent = stack[-1][0] if stack else None
            call = Call(name, trace.times[name], module, next(clock), parent)
            tensor = first_input(args, kwargs)
            call.received = None if tensor is None else _seen(tensor, lineage, "")
            trace.calls.append(call)
            if parent is not None:
                parent.children.append(call)
            stack.append((call, tensor))

        return enter

    def leave(module: nn.Module, args: Any, output: Any) -> None:
        call, given = stack.pop()
        while call.module is not module:  # a forward inside failed and was caught
            call, given = stack.pop()
        call.end = next(clock)
        tensor, entry = main_tensor(output)
        if tensor is None:
            return
        call.returned = _seen(tensor, lineage, entry)
        for part in tensors(output):
            lineage.of(part).made_by.append(call)
        if not call.children and given is not None:
            call.form = linear_form(module, given, tensor)
            if call.form is not None:
                trace.last_linear = (call, tensor)

    try:
        for name, module in modules.items():
            handles.append(module.register_forward_pre_hook(entering(name), with_kwargs=True))
            handles.append(module.register_forward_hook(leave))
        yield
    finally:
        for handle in handles:
            handle.remove()


def first_input(args: Any, kwargs: Mapping[str, Any]) -> Tensor | None:
    """The tensor a module was given first, by position or else by name."""
    for value in (*args, *kwargs.values()):
        tensor, _ = main_tensor(value)
        if tensor is not None:
            return tensor
    return None


def _seen(tensor: Tensor, lineage: Lineage, entry: str) -> Seen:
    return Seen(tuple(tensor.shape), tensor.dtype, lineage.of(tensor), entry)
