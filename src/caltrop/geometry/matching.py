r"""Which class stands where in a named shape: $\min_\pi\|Z-\sum_is_iP_i[\pi,\pi]\|_F$ where the distance is small.

A few landmarks of the shape are placed on classes, entry by entry; every other class then goes where its entries
against the landmarks fit (Hungarian method), and once more by its whole row. Two cheap tests come first, and neither
can refuse a shape within the tolerance: no permutation brings two matrices closer than their sorted entries are, nor
than their sorted singular values are (Mirsky, 1960).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from scipy.optimize import linear_sum_assignment

from caltrop.geometry.shapes import Matrix, Shape

# Landmarks tell two points apart by this share of the shape's largest entry: fifty times the entries' usual noise.
APART = 0.05
# Places of the landmarks that are tried: the nearest come first, and the shapes have so many symmetries that the first
# or second is right; near misses end here.
TRIES = 24


@dataclass(frozen=True, eq=False)
class Match:
    """Class `order[i]` stands at point i of the shape, whose parts have these lengths; deviation ‖Z − shape‖/‖Z‖."""

    shape: Shape
    order: tuple[int, ...]
    lengths: tuple[float, ...]
    deviation: float
    fitted: Matrix


@dataclass(frozen=True, eq=False)
class ClassLogits:
    """Z [classes, classes], not 0, with what every comparison starts from."""

    matrix: Matrix

    @cached_property
    def norm(self) -> float:
        """‖Z‖_F."""
        return float(np.linalg.norm(self.matrix))

    @cached_property
    def spectrum(self) -> Matrix:
        """Singular values, largest first."""
        found: Matrix = np.linalg.svd(self.matrix, compute_uv=False)
        return found

    @cached_property
    def entries(self) -> Matrix:
        """All entries, sorted."""
        found: Matrix = np.sort(self.matrix, axis=None)
        return found


def match(logits: ClassLogits, shape: Shape, tol: float) -> Match | None:
    """The shape at its best lengths, where it is no farther than `tol` relative to ‖Z‖; else None."""
    # Z may be `tol` from the shape at its best lengths, and that is no farther than this from the shape at `lengths`
    near = 2 * tol * logits.norm
    for order in shape.orders:
        lengths, ideal = _lengths(logits.spectrum, shape, order)
        if np.linalg.norm(logits.spectrum - ideal) > near:
            continue
        for places in _orders(logits, shape.of(lengths), near, alike=True):
            found = _fitted(logits.matrix, shape, places, logits.norm)
            # a part that could as well be absent makes another shape
            weights = np.array(found.lengths) * np.sqrt(shape.ranks)
            if found.deviation <= tol and weights.min() > near:
                return found
    return None


def order_of(logits: ClassLogits, pattern: Matrix, tol: float) -> Matrix | None:
    """Which class stands at each point of a symmetric `pattern`, of any length, whose points may differ; or None."""
    target = logits.norm / float(np.linalg.norm(pattern)) * pattern
    for places in _orders(logits, target, 2 * tol * logits.norm, alike=False):
        if deviation_from(logits.matrix[np.ix_(places, places)], pattern) <= tol:
            return places
    return None


def deviation_from(matrix: Matrix, pattern: Matrix) -> float:
    """‖Z − sT‖/‖Z‖ at the best s ≥ 0."""
    size = float((pattern**2).sum())
    length = max(0.0, float((matrix * pattern).sum()) / size) if size > 0 else 0.0
    return float(np.linalg.norm(matrix - length * pattern) / np.linalg.norm(matrix))


def _orders(logits: ClassLogits, target: Matrix, near: float, *, alike: bool) -> Iterator[Matrix]:
    """Permutations to try, none where the entries alone are too far from those of the target."""
    if np.linalg.norm(logits.entries - np.sort(target, axis=None)) > near:
        return
    first = [0]  # where all points are alike, any class may be the first
    if not alike:
        rows = np.sort(logits.matrix, axis=1)
        errors = np.linalg.norm(rows - np.sort(target[0]), axis=1)
        first = [int(place) for place in np.argsort(errors, kind="stable") if errors[place] <= near]
    yield from _places(logits.matrix, target, near, first)


def _lengths(spectrum: Matrix, shape: Shape, order: tuple[int, ...]) -> tuple[tuple[float, ...], Matrix]:
    """A length for each part from the singular values, the largest go to the first of `order`; and their spectrum."""
    lengths, ideal, start = [0.0] * len(order), np.zeros_like(spectrum), 0
    for part in order:
        end = start + shape.ranks[part]
        lengths[part] = float(spectrum[start:end].mean())
        ideal[start:end] = lengths[part]
        start = end
    return tuple(lengths), ideal


def _landmarks(target: Matrix) -> list[int]:
    """Few points, the first is 0 and its neighbours follow, whose columns tell all others apart."""
    steps = APART * np.abs(target).max()
    chosen = [0]
    alike = np.abs(target[:, :1] - target[:, 0]) <= steps
    for point in np.argsort(-target[0], kind="stable")[1:]:
        if alike.sum() == len(target):
            break
        still = alike & (np.abs(target[:, point, None] - target[:, point]) <= steps)
        if still.sum() < alike.sum():
            chosen.append(int(point))
            alike = still
    return chosen


def _places(logits: Matrix, target: Matrix, near: float, first: list[int]) -> Iterator[Matrix]:
    """Permutations to try, best first: entry i is the class at point i, that at the first point one of `first`."""
    landmarks = _landmarks(target)
    both = (logits + logits.T) / 2
    columns = target[:, landmarks]
    # an entry off the diagonal counts twice in ‖Z − T‖²
    bound = near / np.sqrt(2)
    tries = 0
    waiting: list[tuple[int, ...]] = [(place,) for place in reversed(first)]
    while waiting and tries < TRIES:
        placed = waiting.pop()
        if len(placed) < len(landmarks):
            wanted = target[landmarks[len(placed)], landmarks[: len(placed)]]
            errors = np.abs(both[:, placed] - wanted).max(axis=1)
            errors[list(placed)] = np.inf
            nearest = np.argsort(errors, kind="stable")[: int((errors <= bound).sum())]
            waiting.extend((*placed, int(other)) for other in nearest[::-1])
            continue
        tries += 1
        seen = both[:, placed]
        places = _assigned(columns, seen)
        yield _assigned(target, both[:, places])


def _assigned(points: Matrix, classes: Matrix) -> Matrix:
    """The class for each point, so that the rows are as near as they can be, in squares."""
    costs = (points**2).sum(axis=1)[:, None] + (classes**2).sum(axis=1) - 2 * points @ classes.T
    found: Matrix = linear_sum_assignment(costs)[1]
    return found


def _fitted(logits: Matrix, shape: Shape, places: Matrix, norm: float) -> Match:
    ordered = logits[np.ix_(places, places)]
    # projections that are orthogonal to each other: the best length of each is <Z, P>/rank
    lengths = tuple(float((ordered * part).sum()) / rank for part, rank in zip(shape.parts, shape.ranks, strict=True))
    fitted = np.empty_like(ordered)
    fitted[np.ix_(places, places)] = shape.of(lengths)
    deviation = float(np.linalg.norm(logits - fitted)) / norm
    return Match(shape, tuple(int(place) for place in places), lengths, deviation, fitted)
