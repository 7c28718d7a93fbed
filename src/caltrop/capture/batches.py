"""What a loader yields: inputs for the model, labels, and which tokens are padding."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor

from caltrop.capture.placement import from_array

LABEL_KEYS = ("labels", "label", "targets", "target", "y")
_KEPT_KEYS = ("attention_mask", "mask")
_PADDED_KEYS = ("padding_mask", "key_padding_mask", "src_key_padding_mask")
_NAMED = (inspect.Parameter.POSITIONAL_OR_KEYWORD, inspect.Parameter.KEYWORD_ONLY)
_POSITIONAL = (inspect.Parameter.POSITIONAL_ONLY, inspect.Parameter.POSITIONAL_OR_KEYWORD)


@dataclass(frozen=True)
class Batch:
    """One batch, taken apart.

    `labels` as the loader gave them. `kept` [samples, tokens] is False where a token is padding, or
    None where the batch has no mask; `mask_name` is the key it came from.
    """

    args: tuple[Any, ...]
    kwargs: dict[str, Any]
    labels: Tensor
    kept: Tensor | None = None
    mask_name: str | None = None


class BatchReader:
    """Takes batches apart for one model: `(x, y)`, `(x, y, anything…)`, or a dict with a label key."""

    def __init__(self, forward: Callable[..., Any]) -> None:
        try:
            parameters = list(inspect.signature(forward).parameters.values())
        except (TypeError, ValueError):  # a scripted forward has no signature
            parameters = []
        self._names = [p.name for p in parameters if p.kind in _NAMED]
        self._positional = [p.name for p in parameters if p.kind in _POSITIONAL]
        self._takes_more = any(p.kind is inspect.Parameter.VAR_POSITIONAL for p in parameters)
        self._takes_any_name = any(p.kind is inspect.Parameter.VAR_KEYWORD for p in parameters)
        self._required = [p.name for p in parameters if p.kind in (*_NAMED, *_POSITIONAL) and p.default is p.empty]

    def __call__(self, batch: Any) -> Batch:
        """Inputs, labels and padding of `batch`.

        Raises:
            ValueError: no labels, or inputs that do not fit the model's forward.
        """
        if isinstance(batch, Mapping):
            key = next((k for k in LABEL_KEYS if k in batch), None)
            if key is None:
                raise ValueError(
                    f"no labels in {described(batch)}: expected one of the keys "
                    f"{', '.join(LABEL_KEYS)}. Rename the key, or yield (inputs, labels)."
                )
            inputs: Any = {k: v for k, v in batch.items() if k not in LABEL_KEYS}
            raw_labels = batch[key]
        elif isinstance(batch, tuple | list) and len(batch) >= 2:
            inputs, raw_labels = batch[0], batch[1]
        else:
            raise ValueError(
                f"cannot read {described(batch)} as a labelled batch: expected (inputs, labels), "
                f"(inputs, labels, …) or a dict with one of the keys {', '.join(LABEL_KEYS)}."
            )
        labels = _labels(raw_labels, batch)
        args, kwargs = self._arguments(inputs, labels)
        given = inputs if isinstance(inputs, Mapping) else {}
        kept, mask_name = _padding({**dict(zip(self._positional, args, strict=False)), **given})
        return Batch(args, kwargs, labels, kept, mask_name)

    def _arguments(self, inputs: Any, labels: Tensor) -> tuple[tuple[Any, ...], dict[str, Any]]:
        if isinstance(inputs, Mapping):
            args, kwargs = self._by_name(inputs)
        elif isinstance(inputs, tuple | list) and self._takes_several(inputs):
            args, kwargs = tuple(inputs), {}
        else:
            args, kwargs = (inputs,), {}
        for name in self._required[len(args) :]:
            # a forward that computes its own loss insists on labels
            if name in LABEL_KEYS and name not in kwargs:
                kwargs[name] = labels
        return args, kwargs

    def _takes_several(self, inputs: tuple[Any, ...] | list[Any]) -> bool:
        if hasattr(inputs, "_fields"):
            return False
        return len(inputs) > 1 and (len(self._positional) >= len(inputs) or self._takes_more)

    def _by_name(self, inputs: Mapping[Any, Any]) -> tuple[tuple[Any, ...], dict[str, Any]]:
        kwargs = {name: value for name, value in inputs.items() if name in self._names}
        if not kwargs and self._takes_any_name:
            return (), {str(name): value for name, value in inputs.items()}
        missing = [name for name in self._required if name not in kwargs and name not in LABEL_KEYS]
        spare = [k for k, v in inputs.items() if k not in kwargs and isinstance(v, Tensor | np.ndarray)]
        if len(spare) == 1 and (len(missing) == 1 or not kwargs) and not missing[1:]:
            if not kwargs:
                return (inputs[spare[0]],), {}
            return (), {**kwargs, missing[0]: inputs[spare[0]]}
        if missing or not kwargs:
            raise ValueError(
                f"{described(inputs)} does not fit the model: its forward takes "
                f"{', '.join(self._names) or 'no named arguments'}. Name the keys like forward's arguments, "
                "or yield (inputs, labels)."
            )
        return (), kwargs


def described(batch: Any) -> str:
    """A batch in words: types, keys and shapes, no values."""
    if isinstance(batch, Mapping):
        return "a dict with " + (", ".join(f"{k}: {_leaf(v)}" for k, v in batch.items()) or "no keys")
    if isinstance(batch, tuple | list):
        inside = ", ".join(_leaf(v) for v in batch[:6]) + (", …" if len(batch) > 6 else "")
        return f"a {type(batch).__name__} of {len(batch)}" + (f" ({inside})" if batch else "")
    return f"a {_leaf(batch)}"


def _leaf(value: Any) -> str:
    kind = type(value).__name__
    return f"{kind} {list(value.shape)}" if isinstance(value, Tensor | np.ndarray) else kind


def _labels(labels: Any, batch: Any) -> Tensor:
    found = labels
    if isinstance(labels, np.ndarray) and labels.dtype.kind in "fiub":
        found = from_array(labels)
    elif isinstance(labels, tuple | list) and labels:
        if all(isinstance(entry, bool | int | float | np.number) for entry in labels):
            found = torch.as_tensor([entry.item() if isinstance(entry, np.number) else entry for entry in labels])
        elif all(isinstance(entry, Tensor) and entry.ndim == 0 for entry in labels):
            found = torch.stack(list(labels))
    if not isinstance(found, Tensor):
        raise ValueError(
            f"labels are of type {type(labels).__name__} in {described(batch)}; expected a tensor or array "
            "with one label per sample. If the loader has no labels, features cannot be sorted into classes."
        )
    if found.ndim == 0:
        raise ValueError(
            f"labels have no batch axis in {described(batch)}: is this a dataset? "
            "Wrap it in torch.utils.data.DataLoader."
        )
    return found.detach()


def _padding(named: Mapping[Any, Any]) -> tuple[Tensor | None, str | None]:
    for key in (*_KEPT_KEYS, *_PADDED_KEYS):
        mask = named.get(key)
        mask = from_array(mask) if isinstance(mask, np.ndarray) else mask
        if not isinstance(mask, Tensor) or mask.ndim != 2:
            continue
        if mask.is_floating_point() and not bool(((mask == 0) | (mask == 1)).all()):
            raise ValueError(
                f"'{key}' holds values other than 0 and 1, so it does not say which tokens are padding. "
                "Pass a mask of booleans or integers."
            )
        return (mask == 0) if key in _PADDED_KEYS else (mask != 0), key
    return None, None
