"""Features in hand: arrays become rows."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, SupportsIndex

import numpy as np
import torch
from torch import Tensor

from caltrop.linalg import matmul, tensor_of
from caltrop.observe.evaluate import Tag, chosen_measures, evaluate_context
from caltrop.observe.observation import Observation
from caltrop.observe.reading import LayerReading, Source
from caltrop.stats import IGNORED, ClassMoments, Head, HeadDecisions, Labels, check_range, read_labels
from caltrop.stats.accumulator import row_blocks, working
from caltrop.stats.labels import MOST_CLASSES

Array = np.ndarray | Tensor


def measure(
    features: Array | Sequence[Any],
    labels: Array | Sequence[Any],
    *,
    weights: Array | Sequence[Any] | None = None,
    bias: Array | Sequence[Any] | None = None,
    num_classes: int | None = None,
    ignore_index: Sequence[int] | int = IGNORED,
    layer: str = "features",
    step: int | float | None = None,
    split: str = "all",
    measures: Sequence[str] | None = None,
) -> Observation:
    """Neural collapse of features in hand.

    Parameters
    ----------
    features
        [samples, dim], NumPy (memory-mapped too) or torch, any device and floating format; never copied whole.
    labels
        integers [samples] or [samples, 1], or one-hot [samples, classes].
    weights, bias
        the head that consumes these features, [classes, dim] and [classes].
    num_classes
        None takes the head's rows, or the largest label + 1.
    ignore_index
        labels to leave out.
    measures
        names from `caltrop.measures.names()`; None measures all whose inputs are given. The
        dim × dim spectrum is kept up to 512 dimensions, or if one of its measures is asked for by name.

    Returns
    -------
    Observation
        Of one layer; variabilities carry a 95 % sampling half-width and the storage format's resolution.

    Raises
    ------
    ValueError
        (or TypeError) for empty data, one class, counts that differ, labels that are no classes, features that are not
        finite (layer, sample and coordinate are named), a head that does not fit.
    KeyError
        For an unknown measure.
    """
    wanted = chosen_measures(measures)
    rows = _matrix(features, layer)
    read = read_labels(labels, ignored(ignore_index))
    if len(rows) != len(read.classes):
        raise ValueError(
            f"there are {len(rows)} feature rows but {len(read.classes)} labels; every sample needs one of each."
        )
    _check_real(weights, bias)
    head = None if weights is None else Head.of(weights, bias)
    if head is None and bias is not None:
        raise ValueError("bias= was given without weights=; a head is both, or weights alone.")
    _check_head(head, rows.shape[1])
    count = _num_classes(read, head, num_classes)
    source = Source(in_hand=True, num_samples=int(read.kept.sum()))
    reading = LayerReading(layer, wanted, source, num_classes=count, by_name=measures is not None)
    _read(reading, rows, read, head if any(HeadDecisions in one.needs for one in wanted) else None)
    notes = [] if bool(read.kept.all()) else [f"{int((~read.kept).sum())} ignored labels left out"]
    seen = evaluate_context(reading.close(head), wanted, Tag(layer, split, step))
    seen.notes = tuple(notes)
    return seen


def ignored(ignore_index: Sequence[SupportsIndex] | SupportsIndex) -> tuple[int, ...]:
    """One ignored label or several, as a tuple; ValueError where no label can be that large."""
    several = ignore_index if isinstance(ignore_index, Sequence) else (ignore_index,)
    read = tuple(label.__index__() for label in several)
    beyond = [label for label in read if not -(2**63) <= label < 2**63]
    if beyond:
        raise ValueError(f"ignore_index={beyond[0]} is no label: labels are integers of at most 64 bits.")
    return read


class HeadScores:
    """The head's decisions on features, exact under a common offset.

    Scores are taken of residuals to a centre, whose own scores are known in float64: with an offset of
    1000, float32 scores of the features themselves would be rounding. What all rows of the head, or all
    biases, have in common changes no decision and is left out for the same reason.
    """

    def __init__(self, head: Head, centre: Tensor, dtype: torch.dtype) -> None:
        self._centre = centre.to(dtype)
        rows = head.weights - head.weights.mean(0)
        scores = rows @ self._centre.double()
        scores = scores if head.bias is None else scores + (head.bias - head.bias.mean())
        self._weights = rows.to(dtype).T.contiguous()
        self._scores = scores.to(dtype)

    def decide(self, rows: Tensor) -> Tensor:
        """The class with the largest score, [samples]."""
        residual = working(rows).to("cpu").to(self._centre.dtype) - self._centre
        return (matmul(residual, self._weights) + self._scores).argmax(1)


def _read(reading: LayerReading, rows: Array, labels: Labels, head: Head | None) -> None:
    for part, classes, places in _blocks(rows, labels):
        reading.first(part, classes, places)
    reading.finish_first()
    if not reading.needs_replay:
        return
    moments: ClassMoments | None = reading.moments
    assert moments is not None
    scores = None
    if head is not None:
        dtype = torch.float64 if moments.storage == torch.float64 else torch.float32
        scores = HeadScores(head, moments.grand_mean, dtype)
    for part, classes, _ in _blocks(rows, labels):
        said = None if scores is None else torch.cat([scores.decide(part[block]) for block in row_blocks(*part.shape)])
        reading.second(part, classes, said)


def _blocks(rows: Array, labels: Labels) -> Iterator[tuple[Tensor, Tensor, Tensor]]:
    """Blocks of kept samples: features, labels, places."""
    for block in row_blocks(len(rows), rows.shape[1]):
        part, kept = tensor_of(rows[block]), labels.kept[block]
        classes, places = labels.classes[block], torch.arange(block.start, block.stop)
        if not bool(kept.all()):
            part, classes, places = part[kept.to(part.device)], classes[kept], places[kept]
        if len(classes):
            yield part, classes, places


def _matrix(features: object, layer: str) -> Array:
    rows = features if isinstance(features, Tensor | np.ndarray) else np.asarray(features)
    if rows.ndim != 2:
        raise ValueError(
            f"features of '{layer}' have shape {list(rows.shape)}; expected [samples, dim]. "
            "Flatten each sample (features.reshape(len(features), -1)) or pool it to one vector."
        )
    if len(rows) == 0 or rows.shape[1] == 0:
        raise ValueError(f"features of '{layer}' have shape {list(rows.shape)}: there is nothing to measure.")
    floating = rows.dtype.is_floating_point if isinstance(rows, Tensor) else np.issubdtype(rows.dtype, np.floating)
    if not floating:
        raise TypeError(
            f"features of '{layer}' are {rows.dtype}; expected floating numbers. "
            "If these really are features, convert them first (features.astype('float32'))."
        )
    return rows


def _check_real(*head: Any) -> None:
    # torch would drop the imaginary part with a warning
    if any(part.is_complex() if isinstance(part, Tensor) else np.iscomplexobj(part) for part in head):
        raise TypeError("the head's weights or bias are complex; pass those of a linear layer of real features.")


def _check_head(head: Head | None, dim: int) -> None:
    if head is not None and head.weights.shape[1] != dim:
        raise ValueError(
            f"the head's weights have shape {list(head.weights.shape)} but features have {dim} dimensions; "
            "pass weights [classes, dim] of the layer that consumes these features."
        )
    if head is not None and not bool(torch.isfinite(head.weights).all()):
        raise ValueError("the head's weights are not finite; nothing can be measured against them.")
    if head is not None and head.bias is not None and not bool(torch.isfinite(head.bias).all()):
        raise ValueError("the head's bias is not finite; nothing can be decided with it.")


def _num_classes(labels: Labels, head: Head | None, num_classes: int | None) -> int:
    kept = labels.classes[labels.kept]
    if len(kept) == 0:
        raise ValueError(
            f"all {len(labels.classes)} labels are ignored; there is nothing to measure. Check ignore_index."
        )
    if head is not None and num_classes is not None and num_classes != head.num_classes:
        raise ValueError(
            f"num_classes={num_classes}, but the head has {head.num_classes} rows; leave num_classes out, "
            "or pass the head that belongs to these classes."
        )
    known = head.num_classes if head is not None and num_classes is None else num_classes
    present = len(torch.unique(kept))
    if head is None and num_classes is not None and num_classes > max(MOST_CLASSES, 100 * present):
        raise ValueError(
            f"num_classes={num_classes}, but only {present} different labels occur; every class takes memory. "
            "Number the classes that occur 0, 1, 2, …, or pass their true number."
        )
    return check_range(int(kept.min()), int(kept.max()), known, present)
