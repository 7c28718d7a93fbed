"""Which tensor of a module's output is meant."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import fields, is_dataclass
from typing import Any

from torch import Tensor
from torch.nn.utils.rnn import PackedSequence

_PREFERRED = ("last_hidden_state", "logits")


def main_tensor(output: Any) -> tuple[Tensor | None, str]:
    """The features in a module's output, and which entry they are ("" where the output is the tensor).

    Dicts, dataclasses and objects: `last_hidden_state`, then `logits`, then the first tensor; tuples
    and lists: the first tensor. Tensors without axes (losses) do not count. A packed sequence has no
    features: its rows are tokens of all samples, mixed; what comes beside it is not what was asked for.
    """
    if isinstance(output, Tensor):
        return (output, "") if output.ndim else (None, "")
    if isinstance(output, PackedSequence):
        return None, ""
    entries = dict(_entries(output))
    for key in (*_PREFERRED, *entries):
        if isinstance(entries.get(key), PackedSequence):
            break
        if key in entries:
            tensor, inner = main_tensor(entries[key])
            if tensor is not None:
                return tensor, f"{key}.{inner}" if inner else key
    return None, ""


def scores(output: Any) -> list[Tensor]:
    """Tensors of a model's output that may be class scores: `logits` where it is named, else all."""
    if isinstance(output, Tensor):
        return [output] if output.ndim >= 2 and output.is_floating_point() else []
    entries = dict(_entries(output))
    if "logits" in entries:
        return scores(entries["logits"])
    return [tensor for entry in entries.values() for tensor in scores(entry)]


def _entries(output: Any) -> Iterator[tuple[str, Any]]:
    if isinstance(output, Mapping):
        yield from ((str(key), value) for key, value in output.items())
    elif isinstance(output, tuple | list):
        names = getattr(output, "_fields", None) or [f"[{i}]" for i in range(len(output))]
        yield from zip(names, output, strict=True)
    elif is_dataclass(output):
        yield from ((f.name, getattr(output, f.name)) for f in fields(output))
    else:
        for key in _PREFERRED:
            if hasattr(output, key):
                yield key, getattr(output, key)
