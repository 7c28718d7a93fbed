"""Which pictures a page carries, turned and cut for drawing.

A picture's axes are known up to rotation and sign only, and both change from step to step. Each one is
therefore turned, never bent: four classes so that the first points up and the second to the right, a
plane so that its class means lie as near as possible to those of the last step, whose longest arm points
up. A slider then shows what moves in the network, and little else.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

from caltrop.report.encoding import thin
from caltrop.rows import Picture

MOST_CLASSES = 100
_BUDGET = 430_000  # characters of the page for all pictures together
_CLOUD_BUDGET = 100_000

Point = tuple[float, ...]
Key = tuple[str, str, int | float | None]


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
    unstepped: list[int | float | None] = [None] if any(p.step is None for p in pictures) else []
    steps = unstepped + sorted({p.step for p in pictures if p.step is not None})
    cost = max((_cost(picture) for picture in pictures), default=1)
    kept_layers = [layers[i] for i in thin(len(layers), max(1, _BUDGET // (cost * max(1, len(splits)))))]
    kept_steps = [
        steps[i] for i in thin(len(steps), max(1, _BUDGET // (cost * max(1, len(splits) * len(kept_layers)))))
    ]
    kept = [p for p in pictures if p.layer in kept_layers and p.step in kept_steps]
    most_cloud = _CLOUD_BUDGET // max(1, 4 * len(kept))
    shots = _steadied({(p.layer, p.split, p.step): _shot(p, min(400, most_cloud)) for p in kept})
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
    shown = {picture.labels[index] for index in chosen}
    cloud = [(label, tuple(point[:axes])) for label, point in picture.cloud if label in shown]
    cloud = [cloud[index] for index in thin(len(cloud), most_cloud)] if most_cloud > 1 else []
    head = None if picture.head is None else tuple(tuple(picture.head[index][:axes]) for index in chosen)
    return Shot(picture, chosen, axes, tuple(tuple(picture.points[i][:axes]) for i in chosen), head, tuple(cloud))


def _steadied(shots: dict[Key, Shot]) -> dict[Key, Shot]:
    """Every shot turned into its view; planes follow the last step of the same layer and split."""
    out: dict[Key, Shot] = {}
    anchors: dict[tuple[str, str], Shot] = {}
    for key in reversed(shots):
        shot = shots[key]
        if shot.axes == 3:
            frame = _upright(shot.points)
        elif shot.axes == 2:
            frame = _near(shot, anchors[key[:2]]) if key[:2] in anchors else _longest_up(shot.points)
        else:
            frame = ((1.0,),)
        out[key] = _turned(shot, frame)
        if shot.axes == 2:
            anchors.setdefault(key[:2], out[key])
    return {key: out[key] for key in shots}


def _turned(shot: Shot, frame: Sequence[Point]) -> Shot:
    def turn(point: Point) -> Point:
        return tuple(_dot(point, row) for row in frame[: shot.axes])

    return replace(
        shot,
        points=tuple(map(turn, shot.points)),
        head=None if shot.head is None else tuple(map(turn, shot.head)),
        cloud=tuple((label, turn(point)) for label, point in shot.cloud),
    )


def _upright(points: Sequence[Point]) -> tuple[Point, ...]:
    """Orthonormal rows (right, up, towards the reader) from three-dimensional means in order (Gram-Schmidt)."""
    units = [(1.0, 0.0, 0.0), (0.0, 1.0, 0.0), (0.0, 0.0, 1.0)]
    rows: list[Point] = []
    for candidate in [*points, *units]:
        rest: Point = candidate
        for row in rows:
            share = _dot(rest, row)
            rest = tuple(value - share * entry for value, entry in zip(rest, row, strict=True))
        length = math.hypot(*rest)
        if length > 1e-3 and len(rows) < 3:
            rows.append(tuple(value / length for value in rest))
    up, right, near = rows
    return right, up, near


def _longest_up(points: Sequence[Point]) -> tuple[Point, ...]:
    x, y = max(points, key=lambda point: math.hypot(*point) if all(map(math.isfinite, point)) else -1.0)
    length = math.hypot(x, y)
    if not length > 0:
        return (1.0, 0.0), (0.0, 1.0)
    return (y / length, -x / length), (x / length, y / length)


def _near(shot: Shot, anchor: Shot) -> tuple[Point, ...]:
    """The rotation, or rotation with reflection, that brings the means nearest to the anchor's (least squares).

    With points as complex numbers the best rotation is the phase of Σ p̄ q, the best reflection that of Σ p q,
    and the larger modulus wins.
    """
    there = {label: complex(*point) for label, point in zip(anchor.labels, anchor.points, strict=True)}
    here = {label: complex(*point) for label, point in zip(shot.labels, shot.points, strict=True)}
    both = [(here[label], there[label]) for label in here if label in there]
    plain = sum((p.conjugate() * q for p, q in both), 0j)
    mirrored = sum((p * q for p, q in both), 0j)
    best = max(plain, mirrored, key=abs)
    if not abs(best) > 0:
        return (1.0, 0.0), (0.0, 1.0)
    cosine, sine = best.real / abs(best), best.imag / abs(best)
    if abs(plain) >= abs(mirrored):
        return (cosine, -sine), (sine, cosine)
    return (cosine, sine), (sine, -cosine)


def _dot(one: Sequence[float], other: Sequence[float]) -> float:
    return math.fsum(a * b for a, b in zip(one, other, strict=True))
