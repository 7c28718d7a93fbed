"""Which pictures a page carries, turned and cut for drawing.

A picture's axes are known up to rotation and sign only, and both change from step to step. Each one is
therefore turned so that its first class mean points up and the second to the right: the same shape,
held still, so that a slider shows what moves in the network and nothing else.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from caltrop.report.encoding import thin
from caltrop.rows import Picture

MOST_CLASSES = 100
_BUDGET = 430_000  # characters of the page for all pictures together
_CLOUD_BUDGET = 200_000

Point = tuple[float, ...]


@dataclass(frozen=True)
class Shot:
    """A picture ready for drawing: at most 100 classes, 3 axes for four classes and 2 otherwise."""

    source: Picture
    chosen: tuple[int, ...]
    axes: int
    points: tuple[Point, ...]
    head: tuple[Point, ...] | None
    cloud: tuple[tuple[int, Point], ...]

    @property
    def labels(self) -> tuple[int, ...]:
        return tuple(self.source.labels[index] for index in self.chosen)

    @property
    def cosines(self) -> tuple[tuple[float, ...], ...]:
        return tuple(tuple(self.source.cosines[row][column] for column in self.chosen) for row in self.chosen)


@dataclass(frozen=True)
class Gallery:
    """Shots by (layer, split, step), and the choices a reader has; `left_out` says what did not fit."""

    layers: tuple[str, ...]
    splits: tuple[str, ...]
    steps: tuple[int | float | None, ...]
    shots: dict[tuple[str, str, int | float | None], Shot]
    left_out: str

    @property
    def opening(self) -> Shot | None:
        """What the page opens with: the last layer that has one, on the first split, at the last step."""
        for step in reversed(self.steps):
            for split in self.splits:
                for layer in reversed(self.layers):
                    if (layer, split, step) in self.shots:
                        return self.shots[layer, split, step]
        return None

    def radius(self, layer: str, split: str) -> float:
        """Half the side of the drawing, common to all steps: every mean and head row fits."""
        shots = [shot for key, shot in self.shots.items() if key[:2] == (layer, split)]
        tips = [point for shot in shots for point in (*shot.points, *(shot.head or ()))]
        lengths = [math.hypot(*tip) for tip in tips if all(map(math.isfinite, tip))]
        return 1.22 * max([1.0, *lengths])


def gallery(pictures: Sequence[Picture]) -> Gallery:
    """The pictures that fit into the page: all of them at usual sizes, fewer steps or layers beyond."""
    layers, splits = _order(pictures)
    steps: list[int | float | None] = sorted({p.step for p in pictures if p.step is not None})
    if any(p.step is None for p in pictures):
        steps.insert(0, None)
    cost = max((_cost(picture) for picture in pictures), default=1)
    kept_layers = [layers[i] for i in thin(len(layers), max(1, _BUDGET // (cost * max(1, len(splits)))))]
    kept_steps = [
        steps[i] for i in thin(len(steps), max(1, _BUDGET // (cost * max(1, len(splits) * len(kept_layers)))))
    ]
    kept = [p for p in pictures if p.layer in kept_layers and p.step in kept_steps]
    most_cloud = _CLOUD_BUDGET // max(1, 4 * len(kept))
    shots = {(p.layer, p.split, p.step): _shot(p, min(400, most_cloud)) for p in kept}
    left_out = _left_out((len(layers), len(kept_layers), "layers"), (len(steps), len(kept_steps), "steps"))
    return Gallery(tuple(kept_layers), splits, tuple(kept_steps), shots, left_out)


def _order(pictures: Sequence[Picture]) -> tuple[tuple[str, ...], tuple[str, ...]]:
    return (
        tuple(dict.fromkeys(picture.layer for picture in pictures)),
        tuple(dict.fromkeys(picture.split for picture in pictures)),
    )


def _cost(picture: Picture) -> int:
    classes = min(len(picture.labels), MOST_CLASSES)
    return classes * (classes - 1) + 16 * classes + 450


def _left_out(*parts: tuple[int, int, str]) -> str:
    fewer = [f"{kept} of {total} {name}" for total, kept, name in parts if kept < total]
    return f"To keep this page small, it holds the pictures of {' and '.join(fewer)}." if fewer else ""


def _shot(picture: Picture, most_cloud: int) -> Shot:
    available = min((len(point) for point in picture.points), default=0)
    axes = min(available, 3 if len(picture.labels) == 4 else 2)
    chosen = thin(len(picture.labels), MOST_CLASSES)
    flat = [point[:axes] for point in picture.points]
    frame = _frame([flat[index] for index in chosen], axes)
    shown = {picture.labels[index] for index in chosen}
    cloud = [(label, point) for label, point in picture.cloud if label in shown]
    cloud = [cloud[index] for index in thin(len(cloud), most_cloud)] if most_cloud > 1 else []
    return Shot(
        source=picture,
        chosen=chosen,
        axes=axes,
        points=tuple(_turn(flat[index], frame) for index in chosen),
        head=None if picture.head is None else tuple(_turn(picture.head[index][:axes], frame) for index in chosen),
        cloud=tuple((label, _turn(point[:axes], frame)) for label, point in cloud),
    )


def _frame(points: Sequence[Point], axes: int) -> tuple[Point, ...]:
    """Orthonormal rows (right, up, towards the reader), from the class means in order (Gram-Schmidt)."""
    rows: list[Point] = []
    units = [tuple(float(axis == index) for index in range(axes)) for axis in range(axes)]
    for candidate in [*points, *units]:
        rest = list(candidate)
        for row in rows:
            share = _dot(rest, row)
            rest = [value - share * entry for value, entry in zip(rest, row, strict=True)]
        length = math.hypot(*rest)
        if length > 1e-3 and len(rows) < axes:
            rows.append(tuple(value / length for value in rest))
    if axes >= 2:
        rows[0], rows[1] = rows[1], rows[0]
    return tuple(rows)


def _turn(point: Sequence[float], frame: Sequence[Point]) -> Point:
    return tuple(_dot(point, row) for row in frame)


def _dot(one: Sequence[float], other: Sequence[float]) -> float:
    return math.fsum(a * b for a, b in zip(one, other, strict=True))
