"""Decides, from one watched forward, how each layer is pooled and what the labels are about."""

from __future__ import annotations

from dataclasses import dataclass
from math import prod

import torch
from torch import Tensor

from caltrop.capture.layers import Layer, input_of
from caltrop.capture.layout import Layout, layout_of
from caltrop.capture.pooling import Pool, Pooling, fits, words
from caltrop.capture.trace import Call, Trace


@dataclass(frozen=True)
class Plan:
    """Layers with their poolings. `by_position`: labels name tokens or pixels, not samples."""

    layers: tuple[Layer, ...]
    poolings: dict[str, Pooling]
    by_position: bool
    notes: tuple[str, ...]
    head_output: Pooling | None = None


@dataclass(frozen=True)
class Situation:
    """What one batch tells the planner."""

    trace: Trace
    labels: Tensor
    kept: Tensor | None
    mask_name: str | None
    head: Call | None
    pool: Pool

    @property
    def samples(self) -> int:
        """Labels of the batch; every layer must agree."""
        return len(self.labels)


def plan(now: Situation, layers: list[Layer], *, asked: bool) -> Plan:
    """Poolings for `layers`; layers that were not `asked` for and do not fit the labels are left out.

    Raises:
        ValueError: an asked layer whose rows cannot be matched to the labels.
    """
    layouts = {layer.name: layout_of(layer, now.trace, now.samples) for layer in layers}
    by_position, notes = _labels_by_position(now, layers, layouts)
    poolings: dict[str, Pooling] = {}
    dropped: list[str] = []
    for layer in layers:
        try:
            poolings[layer.name] = _pooling(now, layer, layouts[layer.name], by_position)
        except ValueError as error:
            if asked:
                raise
            dropped.append(layer.name)
            reason = error
    kept_layers = tuple(layer for layer in layers if layer.name in poolings)
    if layers and not kept_layers:
        raise reason
    if dropped:
        notes.append(f"Not chosen, as their rows do not match the labels: {', '.join(dropped)}.")
    notes += _remarks(now, kept_layers, poolings)
    return Plan(kept_layers, poolings, by_position, tuple(notes), _head_output(now, by_position))


def _labels_by_position(now: Situation, layers: list[Layer], layouts: dict[str, Layout]) -> tuple[bool, list[str]]:
    labels, grid = now.labels, tuple(now.labels.shape[1:])
    if now.pool == "every":
        if labels.ndim < 2:
            raise ValueError(
                f"pool='every' takes each position as a sample and needs one label per position, but labels "
                f"have shape {list(labels.shape)}. Pool by 'mean', 'first' or 'last' instead."
            )
        return True, []
    if prod(grid) == 1 or labels.is_floating_point():
        return False, []
    if now.pool != "auto":
        if labels.ndim > 2:
            raise ValueError(
                f"labels of shape {list(labels.shape)} name every position, but pool={now.pool!r} leaves one row "
                "per sample. Use pool='every', or give one label per sample."
            )
        return False, []
    if labels.ndim > 2:
        return True, ["Labels name every position, so every position is a sample (pool='every')."]
    about_tokens = any(
        layer.seen is not None and (layouts[layer.name].positions(layer.seen.shape) == grid or _is_rows(layer, now))
        for layer in layers
    )
    if not about_tokens:
        return False, []
    if _one_hot(labels) and _classes(now.head) in (None, labels.shape[1]):
        return False, ["Labels are one-hot and taken as one label per sample; pool='every' takes them per token."]
    return True, ["Labels name every token, so every token is a sample (pool='every')."]


def _pooling(now: Situation, layer: Layer, layout: Layout, by_position: bool) -> Pooling:
    assert layer.seen is not None
    shape = layer.seen.shape
    positions = layout.positions(shape)
    masked = fits(now.kept, positions, now.samples)
    if by_position:
        how = _how_by_position(now, layer, layout)
        masked = now.kept is not None and now.kept.shape == now.labels.shape
        return Pooling(layout, how, words(how, layout, shape, masked))
    check_rows(layer.name, shape[1] if layout.time_first else shape[0], now.samples, shape)
    how = _how(now, layer, layout)
    return Pooling(layout, how, words(how, layout, shape, masked))


def _how_by_position(now: Situation, layer: Layer, layout: Layout) -> str:
    assert layer.seen is not None
    shape, grid = layer.seen.shape, tuple(now.labels.shape[1:])
    if _is_rows(layer, now):
        _check_order(layer, now)
        return "rows"
    rows = shape[1] if layout.time_first else shape[0]
    if layout.positions(shape) == grid and rows == now.samples:
        return "every"
    found = "×".join(str(size) for size in layout.positions(shape)) or "no"
    raise ValueError(
        f"labels name {'×'.join(str(size) for size in grid)} positions per sample, but layer {layer.name!r} has "
        f"{found} positions (its tensor has shape {list(shape)}). Resize the labels to the layer, "
        "name a layer of their size, or give one label per sample."
    )


def _is_rows(layer: Layer, now: Situation) -> bool:
    shape = layer.seen.shape if layer.seen is not None else ()
    return len(shape) == 2 and shape[0] == now.labels.numel() and shape[0] != now.samples


def _check_order(layer: Layer, now: Situation) -> None:
    # Tokens flattened to rows: only where they came from can say whether sample or time runs fastest.
    assert layer.seen is not None
    wanted = tuple(now.labels.shape)
    for node in layer.seen.node.ancestors():
        if len(node.shape) == len(wanted) + 1 and prod(node.shape[:-1]) == now.labels.numel():
            if node.shape[:-1] == wanted:
                return
            break
    raise ValueError(
        f"layer {layer.name!r} holds {layer.seen.shape[0]} rows, as many as labels, but not recognisably in the order "
        f"of labels {list(wanted)}. Name a layer before the tokens are flattened."
    )


def _how(now: Situation, layer: Layer, layout: Layout) -> str:
    assert layer.seen is not None
    positions = layout.positions(layer.seen.shape)
    if prod(positions) == 1 and not (now.pool == "flatten" and positions):
        return "mean" if positions else "vector"
    feeds_head = now.head is not None and layer.name == input_of(now.trace, now.head).name
    if now.pool == "flatten":
        # the head's weights are about one position, so its input must stay so
        return "mean" if feeds_head else "flatten"
    if layout.side == "first" or len(positions) != 1:
        return "mean"
    if now.pool in ("first", "last"):
        return now.pool
    return _as_the_model_does(now) if feeds_head and now.pool == "auto" else "mean"


def _as_the_model_does(now: Situation) -> str:
    """How the model itself gets from one score per token to one per sample; the mean if not recognised."""
    if now.trace.last_linear is None or len(now.trace.score_values) != 1:
        return "mean"
    call, scores = now.trace.last_linear
    final = now.trace.score_values[0]
    if call is not now.head or call.returned is None or final.ndim != 2:
        return "mean"
    layout = _layout_of_output(now, call)
    for how in ("mean", "last", "first"):
        pooled = Pooling(layout, how, "").features(scores, None if now.kept is None else now.kept)
        # a pooling is either the model's or far from it; half precision rounds in the second digit
        if pooled.shape == final.shape and torch.allclose(pooled.float(), final.float(), rtol=1e-2, atol=1e-3):
            return how
    return "mean"


def _layout_of_output(now: Situation, call: Call) -> Layout:
    return layout_of(Layer("", call, False), now.trace, now.samples)


def _head_output(now: Situation, by_position: bool) -> Pooling | None:
    """How the head's scores become [rows, classes]: as its input becomes features."""
    if now.head is None or now.head.returned is None:
        return None
    layout = Layout("first") if now.head.form == "conv" else _layout_of_output(now, now.head)
    layout = Layout(layout.side if now.head.form == "conv" else "last", layout.time_first)
    layer = input_of(now.trace, now.head)
    try:
        how = _pooling(now, layer, layout, by_position).how
    except ValueError:
        return None  # the head's rows do not match the labels; a layer that does is measured without it
    return Pooling(layout, how, "")


def check_rows(name: str, rows: int, labels: int, shape: tuple[int, ...]) -> None:
    """Refuse a layer that does not hold one row per label."""
    if rows != labels:
        raise ValueError(
            f"layer {name!r} gave {rows} rows for {labels} labels (its tensor has shape {list(shape)}). "
            "Each sample needs one row: name a layer before samples are merged or split, and pass the model "
            "itself rather than a parallel wrapper inside it."
        )


def _remarks(now: Situation, layers: tuple[Layer, ...], poolings: dict[str, Pooling]) -> list[str]:
    ways = dict.fromkeys(pooling.said for pooling in poolings.values() if pooling.said != "vector")
    notes = [f"{', '.join(name for name, p in poolings.items() if p.said == said)}: {said}." for said in ways]
    for layer in layers:
        pooling, seen = poolings[layer.name], layer.seen
        assert seen is not None
        if pooling.layout.time_first:
            notes.append(f"Layer {layer.name} holds [tokens, samples, dim]; it was transposed.")
        if seen.entry:
            notes.append(f"Layer {layer.name} returns several values; {seen.entry!r} is measured.")
        if now.pool in ("first", "last", "flatten") and pooling.how == "mean" and pooling.said != "vector":
            notes.append(f"pool={now.pool!r} does not apply to layer {layer.name}, which was averaged.")
    masked = any("padding" in poolings[layer.name].said for layer in layers)
    if now.kept is not None and masked:
        notes.append(f"Padding is read from {now.mask_name!r}.")
    elif now.kept is not None:
        notes.append(f"The mask {now.mask_name!r} matches no measured layer's tokens and is not used.")
    return notes


def _one_hot(labels: Tensor) -> bool:
    return bool(((labels != 0).sum(1) == 1).all() and (labels.sum(1) == 1).all())


def _classes(head: Call | None) -> int | None:
    if head is None or head.returned is None:
        return None
    return head.returned.shape[1 if head.form == "conv" else -1]
