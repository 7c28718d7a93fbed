"""What a page draws of the class means: cosines and a projection on their leading axes."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import Tensor

from caltrop.rows import Picture
from caltrop.stats import ClassMoments, Head, SpanMoments, SpreadMoments

if TYPE_CHECKING:
    from caltrop.observe.context import Context

# Beyond this a matrix of cosines is a grey square, and a page would no longer be small.
MOST_CLASSES = 50
AXES = 3
DIGITS = 5


def picture_of(context: Context, layer: str, split: str, step: int | float | None) -> Picture | None:
    """The picture of one layer, or None for many classes, coinciding means, or where no measure looked at the means."""
    span: SpreadMoments | None = context.known.get(SpanMoments) or context.known.get(SpreadMoments)
    if span is None or context.num_classes > MOST_CLASSES or not span.between_trace > 0:
        return None
    means = span.means
    norms = torch.linalg.vector_norm(means, dim=1)
    unit = means / norms[:, None]
    size = float(norms.mean())
    axes = min(AXES, span.span.width)
    labels = dict(enumerate(context.classes))
    where, places = context.sample if context.sample is not None else (torch.zeros(0, dtype=torch.long), None)
    cloud = () if places is None else zip(where.tolist(), _rows(places[:, :axes] / size), strict=True)
    return Picture(
        layer=layer,
        labels=context.classes,
        cosines=_rows((unit @ unit.T).clamp(-1, 1)),
        points=_rows(means[:, :axes] / size),
        explained=tuple((span.between[:axes] / span.between_trace).tolist()),
        cloud=tuple((labels[place], point) for place, point in cloud),
        head=_head_points(context, axes),
        split=split,
        step=step,
    )


def aligned(pictures: Iterable[Picture]) -> list[Picture]:
    """Turn the pictures of each layer like its last one, so that a slider shows change and not rotation.

    The axes of nearly equal spreads are arbitrary; an orthogonal Procrustes turn of the drawn axes undoes that.
    """
    listed = list(pictures)
    last = {(picture.layer, picture.labels): picture for picture in listed}
    return [_turned(picture, last[picture.layer, picture.labels]) for picture in listed]


def _turned(picture: Picture, target: Picture) -> Picture:
    mine, theirs = np.asarray(picture.points), np.asarray(target.points)
    if picture is target or mine.shape != theirs.shape:
        return picture
    left, _, right = np.linalg.svd(mine.T @ theirs)
    turn = left @ right
    cloud = np.asarray([point for _, point in picture.cloud])
    turned_cloud = np.round(cloud @ turn, DIGITS) if len(cloud) else cloud
    return replace(
        picture,
        points=_tuples(mine @ turn),
        cloud=tuple((label, tuple(row)) for (label, _), row in zip(picture.cloud, turned_cloud.tolist(), strict=True)),
        head=None if picture.head is None else _tuples(np.asarray(picture.head) @ turn),
    )


def _head_points(context: Context, axes: int) -> tuple[tuple[float, ...], ...] | None:
    head: Head | None = context.get(Head)
    span: SpreadMoments = context.get(SpreadMoments)
    if head is None or context.get(ClassMoments) is None:
        return None
    rows = (head.weights - head.weights.mean(0)) @ span.span.axes
    size = float(torch.linalg.vector_norm(rows, dim=1).mean())
    return _rows(rows[:, :axes] / size) if size > 0 else None


def _rows(values: Tensor) -> tuple[tuple[float, ...], ...]:
    return _tuples(values.numpy())


def _tuples(values: np.ndarray) -> tuple[tuple[float, ...], ...]:
    # as a record keeps them, so that a page drawn from the record is the same page
    return tuple(tuple(row) for row in np.round(values, DIGITS).tolist())
