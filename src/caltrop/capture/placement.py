"""Where a model and its inputs live, for the time of a reading."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn.utils.rnn import PackedSequence


def home(model: nn.Module) -> torch.device | None:
    """The device of the model's first parameter or buffer; None for a model without either."""
    for tensor in (*model.parameters(), *model.buffers()):
        return tensor.device
    return None


def precision(model: nn.Module) -> torch.dtype | None:
    """The floating dtype of the model's first floating parameter, or None."""
    return next((p.dtype for p in model.parameters() if p.is_floating_point()), None)


@contextmanager
def moved(model: nn.Module, device: torch.device | str | None) -> Iterator[None]:
    """Within, the model lives on `device`; afterwards the very same tensors are back in their places."""
    if device is None:
        yield
        return
    target = _with_index(torch.device(device))
    if all(t.device == target for t in (*model.parameters(), *model.buffers())):
        yield
        return
    places = [(m, dict(m._parameters), dict(m._buffers)) for m in model.modules()]
    storages = [(p, p.data, p.grad, None if p.grad is None else p.grad.data) for p in model.parameters()]
    try:
        model.to(target)
        yield
    finally:
        for module, parameters, buffers in places:
            module._parameters.update(parameters)
            module._buffers.update(buffers)
        for parameter, data, grad, grad_data in storages:
            parameter.data = data
            if grad is not None and grad_data is not None:
                grad.data = grad_data
            parameter.grad = grad


def send(value: Any, device: torch.device | None, dtype: torch.dtype | None) -> Any:
    """`value` with every tensor inside on `device`; arrays become tensors, floating ones of `dtype`.

    Arrays are float64 by habit rather than by intent, so they take the model's precision; tensors
    keep theirs.
    """

    def place(leaf: Any) -> Any:
        if isinstance(leaf, Tensor):
            return leaf if device is None else leaf.to(device)
        if isinstance(leaf, np.ndarray) and leaf.dtype.kind in "fiub":
            tensor = from_array(leaf)
            return tensor.to(device, dtype if tensor.is_floating_point() else tensor.dtype)
        if device is not None and callable(getattr(leaf, "to", None)):
            return leaf.to(device)
        return leaf

    return over_leaves(place, value)


def own_copy(value: Any) -> Any:
    """`value` with every tensor cloned: what the model does to it in place stays there."""
    return over_leaves(lambda leaf: leaf.clone() if isinstance(leaf, Tensor) else leaf, value)


def over_leaves(act: Callable[[Any], Any], value: Any) -> Any:
    """`act` on every leaf of nested tuples, lists, dicts; anything else with a `.to` counts as a leaf."""
    if isinstance(value, PackedSequence):
        return act(value)  # its batch sizes must stay on the CPU; its own .to knows
    if isinstance(value, tuple) and hasattr(value, "_fields"):
        return type(value)(*(over_leaves(act, entry) for entry in value))
    if isinstance(value, tuple | list):
        return type(value)(over_leaves(act, entry) for entry in value)
    if isinstance(value, Mapping):
        return {key: over_leaves(act, entry) for key, entry in value.items()}
    return act(value)


def tensors(value: Any) -> Iterator[Tensor]:
    """Every tensor inside nested tuples, lists and dicts."""
    if isinstance(value, Tensor):
        yield value
    elif isinstance(value, Mapping):
        for entry in value.values():
            yield from tensors(entry)
    elif isinstance(value, tuple | list):
        for entry in value:
            yield from tensors(entry)


def from_array(array: Any) -> Tensor:
    """A tensor that shares memory with `array` where torch allows it, else a copy."""
    usable = array.flags.writeable and array.dtype.isnative and all(step >= 0 for step in array.strides)
    return torch.as_tensor(array if usable else array.astype(array.dtype.newbyteorder("="), copy=True))


def _with_index(device: torch.device) -> torch.device:
    if device.type != "cuda":
        return device
    torch.cuda.init()  # type: ignore[no-untyped-call]
    return torch.device("cuda", torch.cuda.current_device() if device.index is None else device.index)
