"""Running a model without leaving a trace in it: mode, buffers, random numbers and gradients."""

from __future__ import annotations

import random
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from caltrop.capture.names import is_compiled


class PrivateStream:
    """Random numbers of our own: starts where the caller's stood and never moves the caller's.

    The stream is played only while a batch is drawn or run. The caller may draw in between without
    noticing, and a loader still sees numbers that advance from batch to batch.
    """

    def __init__(self) -> None:
        self._state = _random_state()

    @contextmanager
    def playing(self) -> Iterator[None]:
        """Within, every global generator (torch on CPU and CUDA, NumPy, `random`) is this stream."""
        outside = _random_state()
        try:
            _set_random_state(self._state)
            yield
            self._state = _random_state()
        finally:
            _set_random_state(outside)


class Stillness:
    """Eval mode, no gradients and guarded buffers for the time of one forward.

    Everything is put back after each batch, not after the last: whoever stops in between, by an
    exception or by simply not asking for the next batch, finds the model as it was.
    """

    def __init__(self, model: nn.Module) -> None:
        self._model = model
        self._buffers: dict[tuple[int, str], tuple[Tensor, int, Tensor]] = {}
        self._silent: set[tuple[int, str]] = set()
        self._looked_closely = False

    @contextmanager
    def during(self) -> Iterator[None]:
        """Within, the model is in eval mode and everything it changes in itself is undone at the end."""
        modules = list(self._model.modules())
        with ExitStack() as stack:
            stack.enter_context(_eval_mode(modules))
            stack.enter_context(self._guarded_buffers(modules))
            stack.enter_context(_plain_attention())
            stack.enter_context(_uncompiled(modules))
            stack.enter_context(torch.no_grad())
            yield

    @contextmanager
    def _guarded_buffers(self, modules: list[nn.Module]) -> Iterator[None]:
        # Eval mode stops BatchNorm from updating; a functional call with training=True does not care.
        for module in modules:
            for name, buffer in module._buffers.items():
                if buffer is not None and not self._is_untouched(module, name, buffer):
                    self._buffers[id(module), name] = (buffer, buffer._version, buffer.detach().clone())
        try:
            yield
        finally:
            with torch.no_grad():
                for module in modules:
                    for name, buffer in list(module._buffers.items()):
                        self._put_back(module, name, buffer)
            self._looked_closely = True

    def _is_untouched(self, module: nn.Module, name: str, buffer: Tensor) -> bool:
        kept = self._buffers.get((id(module), name))
        return kept is not None and kept[0] is buffer and kept[1] == buffer._version

    def _put_back(self, module: nn.Module, name: str, buffer: Tensor | None) -> None:
        key = (id(module), name)
        if key not in self._buffers:
            return
        original, version, values = self._buffers[key]
        changed = original._version != version
        if not changed and original.device.type != "meta" and (key in self._silent or not self._looked_closely):
            # batch_norm writes its running statistics without counting a version: compare once, then remember
            changed = not torch.equal(original, values)
            if changed:
                self._silent.add(key)
        if changed:
            original.copy_(values)
        if buffer is not original:
            module._buffers[name] = original
        self._buffers[key] = (original, original._version, values)


@contextmanager
def _eval_mode(modules: list[nn.Module]) -> Iterator[None]:
    # Flags are set one by one: model.eval() may be overridden to do more, and model.train() at the end
    # would unfreeze what the user froze.
    flags = [(module, module.training) for module in modules]
    try:
        for module, training in flags:
            if training:
                module.training = False
        yield
    finally:
        for module, training in flags:
            if module.training != training:
                module.training = training


@contextmanager
def _plain_attention() -> Iterator[None]:
    # The fused path of torch's encoder layers skips the modules inside and hands nested tensors on.
    enabled = torch.backends.mha.get_fastpath_enabled()
    try:
        torch.backends.mha.set_fastpath_enabled(False)
        yield
    finally:
        torch.backends.mha.set_fastpath_enabled(enabled)


@contextmanager
def _uncompiled(modules: list[nn.Module]) -> Iterator[None]:
    compiled = any(is_compiled(m) or m.__dict__.get("_compiled_call_impl") is not None for m in modules)
    if not compiled:
        yield
        return
    with torch.compiler.set_stance("force_eager"):
        yield


def _random_state() -> dict[str, Any]:
    state: dict[str, Any] = {
        "python": random.getstate(),
        "numpy": np.random.get_state(),  # noqa: NPY002 - the legacy generator is the one loaders use
        "torch": torch.get_rng_state(),
    }
    if torch.cuda.is_available() and torch.cuda.is_initialized():  # type: ignore[no-untyped-call]
        state["cuda"] = torch.cuda.get_rng_state_all()
    return state


def _set_random_state(state: dict[str, Any]) -> None:
    random.setstate(state["python"])
    np.random.set_state(state["numpy"])  # noqa: NPY002
    torch.set_rng_state(state["torch"])
    if "cuda" in state:
        torch.cuda.set_rng_state_all(state["cuda"])
