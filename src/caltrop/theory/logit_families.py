r"""Arrangements of class logits: the shapes that low-rank solutions of deep features models take.

A shape S is a symmetric positive semi-definite K×K matrix, used at its best scale β: $\bar Z=\beta S$. What a loss of
$\beta S$ needs is closed form: singular values, and the margins $\delta_{kj}=S_{kk}-S_{kj}$.

| name | S | rank | singular values |
|---|---|---|---|
| simplex | $I-11^\top/K$ | K−1 | 1 |
| pairs | blocks [[1, −1], [−1, 1]]; a last [1] for odd K | ⌈K/2⌉ | 2; 1 for the last |
| polygon | $\cos(2\pi(i-j)/K)$ | 2 | K/2 |
| hypercube, $K=2^m$ | $\langle x_i,x_j\rangle/m$ of the words $x\in\{\pm1\}^m$ | m | K/m |
| product $f_1\times\dots\times f_m$ | sum over the letters of words of their simplices | $\sum(f_c-1)$ | $K/f_c$ |

Sources: garrod2025persistence (simplex, pairs); the others are known as codes, and belong here by our own search.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import torch
from jaxtyping import Float64
from torch import Tensor

from caltrop.theory.margins import Margins
from caltrop.theory.one_layer import simplex_axes


@dataclass(frozen=True)
class Part:
    """Classes first … stop−1 and the next `rank` axes, which live on them.

    `lift` is the eigenvalue at 1/√(stop−first) that makes the part's block non-negative: −(stop−first) times its least
    entry; 0 where it is non-negative already.
    """

    first: int
    stop: int
    rank: int
    lift: float


@dataclass(frozen=True, eq=False)
class LogitShape:
    """A shape at unit scale.

    `spectrum`: singular values and how often, in the order of the axes. `parts`: blocks without a common class.
    """

    name: str
    num_classes: int
    spectrum: tuple[tuple[float, int], ...]
    margins: Margins
    parts: tuple[Part, ...]
    axes_of: Callable[[], Tensor]

    @property
    def rank(self) -> int:
        """Of S."""
        return sum(times for _, times in self.spectrum)

    @property
    def strengths(self) -> Float64[Tensor, "rank"]:
        """Every singular value, as often as it occurs."""
        values = [torch.full((times,), value, dtype=torch.float64) for value, times in self.spectrum]
        return torch.cat(values)

    @property
    def axes(self) -> Float64[Tensor, "classes rank"]:
        """Orthonormal columns u with S = Σ s u uᵀ."""
        return self.axes_of()

    @property
    def logits(self) -> Float64[Tensor, "classes classes"]:
        """S itself."""
        axes = self.axes
        return (axes * self.strengths) @ axes.T

    def schatten(self, exponent: float) -> float:
        r"""$\sum_i s_i^p$."""
        return math.fsum(times * math.pow(value, exponent) for value, times in self.spectrum)


def logit_shape(name: str, num_classes: int) -> LogitShape:
    """The shape of that name, such as "polygon" or "product 3x3".

    Raises:
        KeyError: no shape has this name.
        ValueError: there is none for this many classes; the message says why.
    """
    simple = {"simplex": simplex, "pairs": pairs, "polygon": polygon, "hypercube": hypercube}
    if name in simple:
        return simple[name](num_classes)
    kind, _, sizes = name.partition(" ")
    if kind == "product" and sizes and all(size.isdigit() for size in sizes.split("x")):
        return product(num_classes, tuple(int(size) for size in sizes.split("x")))
    known = ", ".join((*simple, *(shape.name for shape in _products(num_classes))))
    raise KeyError(f"'{name}' is no family of logits; for {num_classes} classes there are: {known}.")


def logit_shapes(num_classes: int) -> tuple[LogitShape, ...]:
    """All shapes for K ≥ 2 classes; some coincide for few classes (all of them for two)."""
    cube = (hypercube(num_classes),) if num_classes & (num_classes - 1) == 0 else ()
    return (simplex(num_classes), pairs(num_classes), polygon(num_classes), *cube, *_products(num_classes))


def simplex(num_classes: int) -> LogitShape:
    """I − 11ᵀ/K."""
    return LogitShape(
        name="simplex",
        num_classes=num_classes,
        spectrum=((1.0, num_classes - 1),),
        margins=Margins.same(((1.0, num_classes - 1),)),
        parts=(Part(0, num_classes, num_classes - 1, 1.0),),
        axes_of=lambda: simplex_axes(num_classes),
    )


def pairs(num_classes: int) -> LogitShape:
    """Classes in opposite pairs, orthogonal to all others (a cross-polytope); of an odd number the last stays alone."""
    half, alone = divmod(num_classes, 2)
    paired = 2 * half
    # every class of a pair: 2 to its partner, 1 to the others; the one alone: 1 to all
    groups = ((paired / num_classes, ((2.0, 1), (1.0, num_classes - 2))),)
    single = ((1 / num_classes, ((1.0, num_classes - 1),)),) if alone else ()
    last = (Part(paired, num_classes, 1, 0.0),) if alone else ()

    def axes() -> Tensor:
        columns = torch.zeros(num_classes, half + alone, dtype=torch.float64)
        places = torch.arange(half)
        columns[2 * places, places] = math.sqrt(0.5)
        columns[2 * places + 1, places] = -math.sqrt(0.5)
        if alone:
            columns[-1, -1] = 1.0
        return columns

    return LogitShape(
        name="pairs",
        num_classes=num_classes,
        spectrum=((2.0, half), (1.0, 1)) if alone else ((2.0, half),),
        margins=Margins((*groups, *single)),
        parts=(Part(0, paired, half, float(paired)), *last),
        axes_of=axes,
    )


def polygon(num_classes: int) -> LogitShape:
    """Classes on a circle, evenly: the least rank that can tell K ≥ 3 classes apart."""
    turn = 2 * math.pi / num_classes
    # 1 − cos without cancelling, both ways round
    margins = tuple(
        (2 * math.sin(turn * step / 2) ** 2, 1 if 2 * step == num_classes else 2)
        for step in range(1, num_classes // 2 + 1)
    )
    least = 1.0 if num_classes % 2 == 0 else math.cos(math.pi / num_classes)

    def axes() -> Tensor:
        if num_classes == 2:
            return torch.tensor([[1.0], [-1.0]], dtype=torch.float64) * math.sqrt(0.5)
        angles = torch.arange(num_classes, dtype=torch.float64) * turn
        return torch.stack([angles.cos(), angles.sin()], dim=1) * math.sqrt(2 / num_classes)

    rank = min(2, num_classes - 1)
    return LogitShape(
        name="polygon",
        num_classes=num_classes,
        spectrum=((num_classes / rank, rank),),
        margins=Margins.same(margins),
        parts=(Part(0, num_classes, rank, num_classes * least),),
        axes_of=axes,
    )


def hypercube(num_classes: int) -> LogitShape:
    """Classes at the corners of a cube.

    Raises:
        ValueError: K is not a power of two.
    """
    bits = num_classes.bit_length() - 1
    if num_classes < 2 or num_classes != 2**bits:
        raise ValueError(f"a hypercube has 2, 4, 8, … corners, but num_classes={num_classes}.")

    def axes() -> Tensor:
        words = torch.arange(num_classes)[:, None] >> torch.arange(bits) & 1
        return (1 - 2 * words).double() / math.sqrt(num_classes)

    return LogitShape(
        name="hypercube",
        num_classes=num_classes,
        spectrum=((num_classes / bits, bits),),
        margins=Margins.same(tuple((2 * flips / bits, math.comb(bits, flips)) for flips in range(1, bits + 1))),
        parts=(Part(0, num_classes, bits, float(num_classes)),),
        axes_of=axes,
    )


def product(num_classes: int, factors: tuple[int, ...]) -> LogitShape:
    """Classes as words with a letter of `factors[c]` kinds at place c, and the sum of the letters' simplices.

    All margins are numbers of letters that differ. Twos alone make a hypercube (at another scale).

    Raises:
        ValueError: the factors are not two or more whole numbers above 1 whose product is K.
    """
    if len(factors) < 2 or min(factors) < 2 or math.prod(factors) != num_classes:
        raise ValueError(
            f"{'x'.join(map(str, factors))} is no product of two or more factors above 1 that gives "
            f"num_classes={num_classes}."
        )
    # words that differ at t places: the elementary symmetric polynomials of f − 1
    differ = [1]
    for size in factors:
        differ = [low + high * (size - 1) for low, high in zip([*differ, 0], [0, *differ], strict=True)]

    def axes() -> Tensor:
        columns = []
        for place, size in enumerate(factors):
            before, after = math.prod(factors[:place]), math.prod(factors[place + 1 :])
            letters = simplex_axes(size).repeat_interleave(after, dim=0).repeat(before, 1)
            columns.append(letters * math.sqrt(size / num_classes))
        return torch.cat(columns, dim=1)

    return LogitShape(
        name=f"product {'x'.join(map(str, factors))}",
        num_classes=num_classes,
        # letters of as many kinds have the same singular value
        spectrum=tuple(
            (num_classes / size, (size - 1) * len(list(alike))) for size, alike in itertools.groupby(factors)
        ),
        margins=Margins.same(tuple((float(places), times) for places, times in enumerate(differ) if places)),
        parts=(Part(0, num_classes, sum(factors) - len(factors), num_classes * sum(1 / size for size in factors)),),
        axes_of=axes,
    )


def _products(num_classes: int) -> Iterator[LogitShape]:
    for factors in factorisations(num_classes, num_classes - 1):
        if max(factors) > 2:
            yield product(num_classes, factors)


def factorisations(number: int, largest: int) -> Iterator[tuple[int, ...]]:
    """All ways to write a number as a product of factors from 2 to `largest`, each way from large to small."""
    if number == 1:
        yield ()
    for factor in range(min(number, largest), 1, -1):
        if number % factor == 0:
            for rest in factorisations(number // factor, factor):
                yield (factor, *rest)
