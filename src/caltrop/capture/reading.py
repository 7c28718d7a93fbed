"""One batch through the model with hooks in place: features, labels and predictions."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from jaxtyping import Int64
from torch import Tensor, nn

from caltrop.capture.batches import Batch
from caltrop.capture.outputs import main_tensor
from caltrop.capture.placement import home, own_copy, precision, send
from caltrop.capture.plan import check_rows
from caltrop.capture.pooling import Pooling
from caltrop.capture.stillness import Stillness
from caltrop.capture.trace import first_input


@dataclass(frozen=True)
class Captured:
    """One batch as the network saw it; valid until the next one is asked for.

    `features` {layer: [rows, dim]}, detached, in the dtype and on the device of the network. `labels` as the
    loader gave them; where every token or pixel is a sample, flattened to [rows] with padding left out.
    `predictions` [rows]: argmax of the head's own output; None without a head or with a single score.
    """

    features: dict[str, Tensor]
    labels: Tensor
    predictions: Int64[Tensor, "rows"] | None


@dataclass(frozen=True, eq=False)
class Target:
    """What one hook listens for. `numbered`: the user knows that the module runs several times."""

    name: str
    module: nn.Module
    turn: int
    numbered: bool
    is_input: bool
    pooling: Pooling


@dataclass
class _Heard:
    """What the hooks heard during one forward."""

    kept: Tensor | None
    rows: dict[Target, Tensor] = field(default_factory=dict)
    shapes: dict[Target, tuple[int, ...]] = field(default_factory=dict)
    times: Counter[Target] = field(default_factory=Counter)

    def hear(self, target: Target, value: Tensor | None) -> None:
        self.times[target] += 1
        if self.times[target] == target.turn and value is not None:
            # pooled here and now: the tensor itself may be overwritten by what runs next
            self.rows[target] = target.pooling.features(value, self.kept)
            self.shapes[target] = tuple(value.shape)


@dataclass(frozen=True)
class Reading:
    """Runs batches through `model` and hands out what the targets saw; keeps nothing between batches."""

    model: nn.Module
    targets: tuple[Target, ...]
    head: Target | None
    by_position: bool
    copies_inputs: bool
    dims: dict[str, int] = field(default_factory=dict)

    def run(self, batch: Batch, still: Stillness) -> Captured:
        """One forward.

        Raises:
            ValueError: a layer that did not run as in the first batch, or whose rows do not match the labels.
        """
        args, kwargs = inputs_of(batch, self.model)
        if self.copies_inputs:
            args, kwargs = own_copy(args), own_copy(kwargs)
        kept = batch.kept
        if self.by_position and kept is not None and kept.shape != batch.labels.shape:
            kept = None  # a mask over something else than what the labels name
        heard = _Heard(kept)
        with still.during(), self._listening(heard):
            self.model(*args, **kwargs)
        labels = batch.labels
        if self.by_position:
            labels = labels.flatten() if kept is None else labels[kept.to(labels.device)]
        for target in self.targets:
            self._check(target, heard, labels)
        features = {target.name: heard.rows[target] for target in self.targets}
        return Captured(features, labels, self._predictions(heard, labels))

    def _predictions(self, heard: _Heard, labels: Tensor) -> Int64[Tensor, "rows"] | None:
        if self.head is None:
            return None
        self._check(self.head, heard, labels)
        scores = heard.rows[self.head]
        return scores.argmax(-1) if scores.shape[-1] > 1 else None

    def _check(self, target: Target, heard: _Heard, labels: Tensor) -> None:
        times = heard.times[target]
        if target not in heard.rows:
            raise ValueError(
                f"layer {target.name!r} ran {times} times in this batch, too few: it was seen to run at least "
                f"{target.turn} times before. Name a layer that runs in every batch."
            )
        if times > 1 and not target.numbered:
            raise ValueError(
                f"layer {target.name!r} ran {times} times in this batch but once before, so it is unclear which "
                f"call is meant; name '{target.name}#1' for the first."
            )
        rows, dim = heard.rows[target].shape
        check_rows(target.name, rows, len(labels), heard.shapes[target])
        known = self.dims.setdefault(target.name, dim) if target is not self.head else dim
        if dim != known:
            raise ValueError(
                f"layer {target.name!r} has {dim} features in this batch ({target.pooling.said}) but {known} before. "
                "Features of all batches must have one width: pool by 'mean', or make the inputs equally long."
            )

    @contextmanager
    def _listening(self, heard: _Heard) -> Iterator[None]:
        handles = []
        try:
            for target in (*self.targets, *([] if self.head is None else [self.head])):
                if target.is_input:
                    hook = _entering(heard, target)
                    handles.append(target.module.register_forward_pre_hook(hook, with_kwargs=True))
                else:
                    handles.append(target.module.register_forward_hook(_leaving(heard, target)))
            yield
        finally:
            for handle in handles:
                handle.remove()


def inputs_of(batch: Batch, model: nn.Module) -> tuple[tuple[Any, ...], dict[str, Any]]:
    """The batch's inputs where the model lives."""
    device, dtype = home(model), precision(model)
    return send(batch.args, device, dtype), send(batch.kwargs, device, dtype)


def _entering(heard: _Heard, target: Target) -> Callable[..., None]:
    def hook(module: nn.Module, args: Any, kwargs: Any) -> None:
        heard.hear(target, first_input(args, kwargs))

    return hook


def _leaving(heard: _Heard, target: Target) -> Callable[..., None]:
    def hook(module: nn.Module, args: Any, output: Any) -> None:
        heard.hear(target, main_tensor(output)[0])

    return hook
