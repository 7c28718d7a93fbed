"""Whether reading twice gives the same features, and if not, why."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm
from torch.utils.data import IterableDataset, RandomSampler, SequentialSampler, WeightedRandomSampler

from caltrop.capture.batches import Batch, BatchReader
from caltrop.capture.placement import over_leaves, own_copy, tensors
from caltrop.capture.reading import Captured
from caltrop.capture.stillness import PrivateStream

# Repeated kernels may sum in another order; dropout moves features by orders of magnitude more.
_TOLERANCE = {torch.float64: 1e-9, torch.float32: 1e-4, torch.float16: 1e-2, torch.bfloat16: 5e-2}
_ITEMS = 16  # items drawn twice; a flip with probability ½ passes unseen with probability 2⁻¹⁶


class NotDeterministic(ValueError):  # noqa: N818 - what a caller catches is a statement about the data
    """Reading the same data twice gives different features, so no number about them would be reproducible."""


def check(
    loader: Iterable[Any],
    reader: BatchReader,
    run: Callable[[Batch], Captured],
    stream: PrivateStream,
    model: nn.Module,
) -> tuple[str, ...]:
    """Notes on what was found harmless.

    Raises:
        NotDeterministic: features or inputs change between two readings.
        ValueError: the loader is empty or can be read only once.
    """
    with stream.playing():
        first = _first(loader, reader)
        if first is None:
            raise ValueError("the loader is empty: it yielded no batch.")
        # drawn before the model runs, on copies: a list of batches hands out the same tensors again
        kept = own_copy((first.args, first.kwargs, first.labels))
        again = _first(loader, reader)
        is_iterator = iter(loader) is loader
    if again is None or is_iterator:
        raise ValueError(
            "the loader can be read only once (it is an iterator, or empty on the second pass); "
            "pass a DataLoader or a list of batches."
        )
    _check_model(first, run, model)
    if _equal(kept, (again.args, again.kwargs, again.labels)):
        return ()
    with stream.playing():
        return _why_inputs_differ(loader)


def _first(loader: Iterable[Any], reader: BatchReader) -> Batch | None:
    for batch in loader:
        return reader(batch)
    return None


def _check_model(batch: Batch, run: Callable[[Batch], Captured], model: nn.Module) -> None:
    once, twice = run(batch).features, run(batch).features
    layer = _first_difference(once, twice)
    if layer is not None:
        raise NotDeterministic(
            f"the same batch gave other features the second time, first at layer {layer!r}: the model is random in "
            f"eval mode{_suspects(model)}. Usual culprits: dropout called with training=True (the default of "
            "torch.nn.functional.dropout), stochastic depth, sampling or noise in forward, state kept between calls."
        )
    part = _first_half(batch)
    if part is None:
        return
    try:
        half = run(part).features
    except (RuntimeError, ValueError, IndexError):
        return  # a model made for one batch size cannot be asked this question
    layer = _first_difference({name: rows[: len(half[name])] for name, rows in once.items()}, half)
    if layer is not None:
        raise NotDeterministic(
            f"features of a sample depend on the other samples in its batch, first at layer {layer!r}"
            f"{_suspects(model)}. Usual culprits: batch statistics (BatchNorm with track_running_stats=False, or "
            "called with training=True), attention across samples, routing with a capacity. "
            "Give the layer running statistics, or freeze them."
        )


def _suspects(model: nn.Module) -> str:
    named = [
        name
        for name, module in model.named_modules()
        if "drop" in type(module).__name__.lower() or (isinstance(module, _BatchNorm) and module.running_mean is None)
    ]
    return f" (look at {', '.join(named[:4])})" if named else ""


def _first_difference(once: dict[str, Tensor], twice: dict[str, Tensor]) -> str | None:
    for name, first in once.items():
        second = twice[name]
        if first.shape != second.shape:
            return name
        scale = torch.nan_to_num(first).abs().amax() if first.numel() else torch.zeros(())
        near = (first - second).abs() <= _TOLERANCE.get(first.dtype, 1e-4) * scale
        if not bool((near | (first == second) | (first.isnan() & second.isnan())).all()):
            return name
    return None


def _first_half(batch: Batch) -> Batch | None:
    samples = len(batch.labels)
    inputs = list(tensors((batch.args, batch.kwargs)))
    if samples < 2 or not inputs or any(t.ndim == 0 or len(t) != samples for t in inputs):
        return None
    cut = samples // 2

    def half(leaf: Any) -> Any:
        return leaf[:cut] if isinstance(leaf, Tensor) else leaf

    return replace(
        batch,
        args=over_leaves(half, batch.args),
        kwargs=over_leaves(half, batch.kwargs),
        labels=batch.labels[:cut],
        kept=None if batch.kept is None else batch.kept[:cut],
    )


def _why_inputs_differ(loader: Any) -> tuple[str, ...]:
    dataset = getattr(loader, "dataset", None)
    if dataset is None or isinstance(dataset, IterableDataset) or not hasattr(dataset, "__getitem__"):
        raise NotDeterministic(
            "the loader's first batch changed on the second pass, and without a dataset to index it cannot be told "
            "shuffling from augmentation. Pass a DataLoader over an indexable dataset, or batches in a fixed order."
        )
    at = next(_changing_items(dataset), None)
    if at is not None:
        raise NotDeterministic(
            f"item {at} of the dataset changes each time it is read: random augmentation, most likely. "
            "Measure on the same dataset with its evaluation transform."
        )
    sampler = getattr(loader, "sampler", None)
    if isinstance(sampler, WeightedRandomSampler | RandomSampler) and sampler.replacement:
        raise NotDeterministic(
            f"the loader's {type(sampler).__name__} draws with replacement, so each pass sees other samples. "
            "Measure with a DataLoader that reads every sample once."
        )
    if isinstance(sampler, SequentialSampler) and getattr(loader, "batch_sampler", None) is not None:
        raise NotDeterministic(
            "the loader's first batch changed on the second pass, though its order is fixed and its items are not "
            "random: the collate function or the workers add randomness. Measure with a plain DataLoader."
        )
    return _on_shuffling(loader, dataset)


def _on_shuffling(loader: Any, dataset: Any) -> tuple[str, ...]:
    notes = ["The loader shuffles; the order of samples does not matter and was left as it is."]
    size = getattr(loader, "batch_size", None) or 1
    drops = getattr(loader, "drop_last", False) and hasattr(dataset, "__len__")
    if drops and len(dataset) % size:
        notes.append(
            f"The loader drops its last {len(dataset) % size} samples, others on each pass; "
            "drop_last=False measures them all."
        )
    return tuple(notes)


def _changing_items(dataset: Any) -> Iterator[int]:
    count = len(dataset) if hasattr(dataset, "__len__") else 1
    for index in sorted({round(i * (count - 1) / max(_ITEMS - 1, 1)) for i in range(_ITEMS)}):
        if not _equal(dataset[index], dataset[index]):
            yield index


def _equal(first: Any, second: Any) -> bool:
    pairs = list(tensors(_as_tensors(first))), list(tensors(_as_tensors(second)))
    if len(pairs[0]) != len(pairs[1]):
        return False
    return all(
        a.shape == b.shape and bool(((a == b) | ((a != a) & (b != b))).all()) for a, b in zip(*pairs, strict=True)
    )


def _as_tensors(value: Any) -> Any:
    def leaf(entry: Any) -> Any:
        if isinstance(entry, Tensor):
            return entry
        try:
            return torch.as_tensor(entry)
        except (TypeError, ValueError, RuntimeError):
            return None  # text, paths, objects: not what the model computes with

    return over_leaves(leaf, value)
