r"""Arrangements of K classes that have a name, as sums $\sum_is_iP_i$ of projections with free lengths.

Each is the Gram matrix of K points around 0 that are all alike: the simplex; opposite pairs (cross-polytope); the
regular polygon; products of simplices (every class is a word, each letter has a length of its own; words of two-letter
alphabets are the corners of a box, at equal lengths of a hypercube); the edges of a complete graph (triangular: an
edge is the sum of its ends); the antiprism (two parallel polygons, turned against each other).
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property, lru_cache
from itertools import combinations, permutations

import numpy as np

Matrix = np.ndarray
UNEQUAL = "of unequal lengths"


@dataclass(frozen=True, eq=False)
class Shape:
    """One arrangement: its name and its parts, projections [classes, classes] that are orthogonal to each other.

    All classes are alike: some permutation that leaves every part as it is takes any class to any other.
    """

    name: str
    parts: tuple[Matrix, ...]

    @cached_property
    def num_classes(self) -> int:
        """K."""
        return len(self.parts[0])

    @cached_property
    def ranks(self) -> tuple[int, ...]:
        """The rank of each part."""
        return tuple(round(float(np.trace(part))) for part in self.parts)

    @cached_property
    def rank(self) -> int:
        """The rank of their sum."""
        return sum(self.ranks)

    @cached_property
    def orders(self) -> tuple[tuple[int, ...], ...]:
        """Orders of the parts by falling length that differ in their ranks; parts of one rank stand for each other."""
        found: dict[tuple[int, ...], tuple[int, ...]] = {}
        for order in permutations(range(len(self.parts))):
            found.setdefault(tuple(self.ranks[part] for part in order), order)
        return tuple(found.values())

    def of(self, lengths: tuple[float, ...]) -> Matrix:
        """The sum of the parts, each times its length."""
        total: Matrix = np.tensordot(lengths, self.parts, axes=1)
        return total


def simplex_shape(num_classes: int) -> Matrix:
    r"""$I-\tfrac1K\mathbf1\mathbf1^\top$, rank K−1."""
    return np.eye(num_classes) - 1 / num_classes


def pairs_shape(num_classes: int) -> Matrix:
    """Opposite pairs (0, 1), (2, 3), …, each in a direction of its own, rank K/2."""
    return np.kron(np.eye(num_classes // 2), np.array([[0.5, -0.5], [-0.5, 0.5]]))


def polygon_shape(num_classes: int) -> Matrix:
    r"""$\tfrac2K\cos(2\pi(i-j)/K)$, rank 2: K ≥ 3 points on a circle in order; two are opposite, rank 1."""
    steps = np.arange(num_classes)
    angles = 2 * math.pi / num_classes * (steps[:, None] - steps)
    found: Matrix = min(2, num_classes - 1) / num_classes * np.cos(angles)
    return found


def product_shapes(sizes: tuple[int, ...]) -> tuple[Matrix, ...]:
    """One simplex for each place of a word, the last place runs fastest; ranks are the sizes minus 1."""
    parts = []
    for place in range(len(sizes)):
        part = np.ones((1, 1))
        for other, size in enumerate(sizes):
            part = np.kron(part, simplex_shape(size) if other == place else np.full((size, size), 1 / size))
        parts.append(part)
    return tuple(parts)


def triangular_shape(points: int) -> Matrix:
    r"""Centred sums of the two ends of each edge of a complete graph on r points, rank r−1 with equal lengths."""
    ends = np.eye(points) - 1 / points
    sums = np.array([ends[one] + ends[other] for one, other in combinations(range(points), 2)])
    found: Matrix = sums @ sums.T / (points - 2)
    return found


def antiprism_shapes(num_classes: int) -> tuple[Matrix, Matrix]:
    """A polygon, its points up and down in turn: ranks 2 and 1."""
    signs = (-1.0) ** np.arange(num_classes)
    return polygon_shape(num_classes), np.outer(signs, signs) / num_classes


@lru_cache(maxsize=64)
def shapes_of(num_classes: int) -> tuple[Shape, ...]:
    """All of K classes, the ones named first before those that are the same at this K."""
    return tuple(_shapes(num_classes))


def _shapes(count: int) -> Iterator[Shape]:
    if count < 2:
        return
    yield Shape("simplex", (simplex_shape(count),))
    if count % 2 == 0:
        yield Shape("pairs", (pairs_shape(count),))
    yield Shape("polygon", (polygon_shape(count),))
    if count & (count - 1) == 0:
        bits = product_shapes((2,) * (count.bit_length() - 1))
        yield Shape("hypercube", (sum(bits[1:], bits[0]),))
    for sizes in _factorisations(count, count // 2):
        parts = product_shapes(sizes)
        name = "product " + "x".join(map(str, sizes))
        if sizes[0] > sizes[-1]:
            yield Shape(name, parts)
            continue
        if sizes[0] > 2:  # of twos it is the hypercube
            yield Shape(name, (sum(parts[1:], parts[0]),))
        yield Shape(f"{name} {UNEQUAL}", parts)
    points = math.isqrt(2 * count) + 1
    if points >= 4 and points * (points - 1) // 2 == count:
        yield Shape("triangular", (triangular_shape(points),))
    if count >= 6 and count % 2 == 0:
        yield Shape("antiprism", antiprism_shapes(count))


def _factorisations(count: int, most: int) -> Iterator[tuple[int, ...]]:
    """Ways to write a number as a product of falling factors from 2 to `most`."""
    if count == 1:
        yield ()
    for first in range(min(count, most), 1, -1):
        if count % first == 0:
            for rest in _factorisations(count // first, first):
                yield (first, *rest)
