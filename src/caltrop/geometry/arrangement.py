r"""Naming the arrangement of K classes from their logits: simplex, pairs, polygon …, sums of them, or unknown.

Logits $Z=HW^\top$ [classes, classes] do not change when features and head are rotated together; classes may come in
any order, and lengths are free. Z is cut into components, sets of classes with no entry between them. Each is compared
with the named shapes of its size. Where none fits, classes that may trade places (twins: exchanging their rows and
columns leaves Z as it is) form blocks: inside a block Z is $aI+b\mathbf1\mathbf1^\top$, a simplex beside a constant,
and between two blocks it is constant.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

import numpy as np

from caltrop.geometry.matching import ClassLogits, match
from caltrop.geometry.shapes import UNEQUAL, Matrix, shapes_of, simplex_shape
from caltrop.linalg import tensor_of

TOL = 1e-3
RANK_CUT = 1e-3
# Logits below it are those of a model that has given up: nothing of them is left but rounding and an open tolerance.
ZERO = 1e-6
BESIDE = "simplex beside a constant"


@dataclass(frozen=True)
class Block:
    """Classes that belong together, in the order of the shape: its cyclic order, its words, one pair after another.

    `scale` is the largest singular value of what is inside the block, `rank` that of the same.
    """

    shape: str
    classes: tuple[int, ...]
    scale: float
    rank: int


@dataclass(frozen=True)
class Structure:
    """What an arrangement of classes is called.

    name
        The same for every order of the classes: "zero", "simplex", "pairs", "polygon", "hypercube", "product 3x3",
        "simplex of 5 + 2 pairs", "2 pairs + 1 single", "simplex without 1 class", "frame", "unknown, rank 4", …
    rank
        Singular values of Z above a cut, relative to the largest.
    deviation
        ‖Z − named‖_F/‖Z‖_F, at most the tolerance; NaN where the name is not of a whole arrangement (unknown, zero).
    scale
        The largest singular value of Z; for a simplex the α of α(I − 11ᵀ/K), for pairs twice their entries.
    blocks
        Which classes are where.
    also
        Other names of the same arrangement at this K: pairs of four classes are a polygon, too.
    layer_ranks
        The rank of each layer's class means, where layers were looked at.
    """

    name: str
    rank: int
    deviation: float
    scale: float
    blocks: tuple[Block, ...] = ()
    also: tuple[str, ...] = ()
    layer_ranks: dict[str, int] = field(default_factory=dict, hash=False)

    @property
    def is_known(self) -> bool:
        """Whether all of it has a name."""
        return "unknown" not in self.name and self.name != "not finite"

    @property
    def is_dnc(self) -> bool:
        """Whether it is deep neural collapse of all classes: a simplex, or an orthogonal frame for squared error."""
        return self.name in ("simplex", BESIDE, "dnc")

    @property
    def dropped(self) -> tuple[int, ...]:
        """Classes whose rows and columns of Z are zero."""
        return tuple(sorted(label for block in self.blocks if block.shape == "dropped" for label in block.classes))

    def __str__(self) -> str:
        """The name, with the classes that were dropped: "dnc without class 3"."""
        if not self.dropped:
            return self.name
        labels = ", ".join(map(str, self.dropped))
        named = "class" if len(self.dropped) == 1 else "classes"
        return f"{self.name.partition(' without ')[0]} without {named} {labels}"


def structure_counts(structures: Iterable[Structure]) -> dict[str, int]:
    """How often each name occurs, the commonest first, ties in alphabetical order."""
    counts = Counter(structure.name for structure in structures)
    return dict(sorted(counts.items(), key=lambda pair: (-pair[1], pair[0])))


def name_arrangement(logits: object, *, tol: float = TOL, rank_cut: float = RANK_CUT, zero: float = ZERO) -> Structure:
    r"""What class logits [classes, classes] are, up to the order of the classes, lengths and rotation.

    Remove first what a model leaves free, for cross-entropy a constant in each row. `tol` bounds the deviation,
    relative to ‖Z‖_F; `rank_cut` is relative to the largest singular value, `zero` an absolute bound on all entries.

    Raises
    ------
    ValueError
        Where the matrix is not square.
    """
    matrix = tensor_of(logits).double().cpu().numpy()
    if matrix.ndim != 2 or matrix.shape[0] != matrix.shape[1]:
        raise ValueError(f"class logits form a square matrix, [classes, classes], not {list(matrix.shape)}.")
    if not np.isfinite(matrix).all():
        return Structure("not finite", 0, math.nan, math.nan)
    if np.abs(matrix).max(initial=0) <= zero:
        return Structure("zero", 0, math.nan, 0.0)
    return _named(matrix, tol, rank_cut)


def rank_of(spectrum: Matrix, cut: float = RANK_CUT) -> int:
    """Singular values above `cut` times the largest; 0 for zero."""
    largest = float(spectrum.max(initial=0))
    return int((spectrum > cut * largest).sum()) if largest > 0 else 0


@dataclass(frozen=True, eq=False)
class _Piece:
    """What was found of some classes: blocks, the matrix they stand for, the rank of what is between the blocks."""

    classes: tuple[int, ...]
    blocks: tuple[Block, ...]
    fitted: Matrix
    between: int = 0
    also: tuple[str, ...] = ()


def _named(matrix: Matrix, tol: float, cut: float) -> Structure:
    whole = ClassLogits(matrix)
    rank, scale = rank_of(whole.spectrum, cut), float(whole.spectrum[0])
    absent, pieces = _pieces(whole, tol, cut)
    fitted = np.zeros_like(matrix)
    for piece in pieces:
        fitted[np.ix_(piece.classes, piece.classes)] = piece.fitted
    deviation = float(np.linalg.norm(matrix - fitted)) / whole.norm
    dropped = tuple(Block("dropped", (label,), 0.0, 0) for label in absent) if deviation <= tol else ()
    blocks = tuple(sorted((block for piece in pieces for block in piece.blocks), key=_place))
    unknown = [block for block in blocks if block.shape == "unknown"]
    if deviation > tol or len(unknown) == len(blocks):
        flat = _flat(whole, rank, tol)
        if flat is not None:
            return Structure(flat[0], rank, flat[1], scale)
        return Structure(without_classes(f"unknown, rank {rank}", len(dropped)), rank, math.nan, scale, dropped)
    name, also = _title(blocks, pieces)
    return Structure(
        without_classes(name, len(dropped)), rank, math.nan if unknown else deviation, scale, (*blocks, *dropped), also
    )


def _pieces(whole: ClassLogits, tol: float, cut: float) -> tuple[list[int], list[_Piece]]:
    """Classes with nothing in their rows and columns, and what the others are: one piece if they are one shape."""
    matrix, least = whole.matrix, tol * whole.norm
    groups = components(matrix, least)
    absent = [group[0] for group in groups if len(group) == 1 and abs(matrix[group[0], group[0]]) <= least]
    groups = [group for group in groups if group[0] not in absent]
    present = sorted(label for group in groups for label in group)
    here = ClassLogits(matrix[np.ix_(present, present)])
    frame = _frame(here, present, tol)
    if frame is not None:
        return absent, [frame]
    found = _shape(here, present, tol) if len(groups) > 1 else None
    if found is not None:
        return absent, [found]
    return absent, [_piece(ClassLogits(matrix[np.ix_(group, group)]), group, tol, cut) for group in groups]


def _place(block: Block) -> tuple[int, str, int]:
    return -len(block.classes), block.shape, min(block.classes)


def components(matrix: Matrix, cut: float) -> list[list[int]]:
    """Sets of classes with no entry above `cut` between them, each in rising order."""
    linked = (np.abs(matrix) > cut) | (np.abs(matrix.T) > cut)
    left, found = set(range(len(matrix))), []
    while left:
        reached, edge = set(), {min(left)}
        while edge:
            reached |= edge
            edge = set(np.flatnonzero(linked[list(edge)].any(axis=0)).tolist()) - reached
        found.append(sorted(reached))
        left -= reached
    return found


def twins(matrix: Matrix, cut: float) -> list[list[int]]:
    r"""Blocks of classes that may trade places: $\|Z-\tau Z\tau\|_F\le$ `cut` for the exchange τ of two of them.

    Z is at least half of that away from every matrix in which the two are alike.
    """
    count = len(matrix)
    rows, columns = _squared_distances(matrix), _squared_distances(matrix.T)
    own, turned = np.diag(matrix), matrix - matrix.T
    # the sums above run over all k; those of the two classes themselves are taken out, and put in as they trade
    inside = (own[:, None] - matrix.T) ** 2 + (matrix - own[None, :]) ** 2
    across = (own[:, None] - matrix) ** 2 + (matrix.T - own[None, :]) ** 2
    apart = 2 * (rows + columns - inside - across + (own[:, None] - own) ** 2 + turned**2)
    return components((apart <= cut**2).astype(np.float64) * (1 - np.eye(count)), 0.5)


def _squared_distances(rows: Matrix) -> Matrix:
    # rounding of 1e-16 of ‖Z‖² is far below any cut that is meant
    products = rows @ rows.T
    squares = np.diag(products)
    found: Matrix = squares[:, None] + squares - 2 * products
    return found


def _frame(logits: ClassLogits, classes: Sequence[int], tol: float) -> _Piece | None:
    length = float(np.trace(logits.matrix)) / len(classes)
    fitted = length * np.eye(len(classes))
    if length <= 0 or np.linalg.norm(logits.matrix - fitted) > tol * logits.norm:
        return None
    return _Piece(tuple(classes), (Block("frame", tuple(classes), length, len(classes)),), fitted)


def _shape(logits: ClassLogits, classes: Sequence[int], tol: float) -> _Piece | None:
    shapes = shapes_of(len(classes))
    matches = [found for shape in shapes if (found := match(logits, shape, tol)) is not None]
    if not matches:
        return None
    best = matches[0]
    order = tuple(classes[place] for place in best.order)
    # where equal lengths fit, so do unequal ones that happen to be equal
    also = tuple(found.shape.name for found in matches[1:] if not found.shape.name.endswith(UNEQUAL))
    block = Block(best.shape.name, order, max(best.lengths), best.shape.rank)
    return _Piece(tuple(classes), (block,), best.fitted, also=also)


def _piece(logits: ClassLogits, classes: Sequence[int], tol: float, cut: float) -> _Piece:
    matrix = logits.matrix
    if len(classes) == 1:
        name = "single" if matrix[0, 0] > 0 else "unknown"
        return _Piece(tuple(classes), (Block(name, tuple(classes), logits.norm, 1),), matrix)
    found = _shape(logits, classes, tol) or _blocks(matrix, classes, tol, cut)
    if found is not None:
        return found
    block = Block("unknown", tuple(classes), float(logits.spectrum[0]), rank_of(logits.spectrum, cut))
    return _Piece(tuple(classes), (block,), matrix)


def _blocks(matrix: Matrix, classes: Sequence[int], tol: float, cut: float) -> _Piece | None:
    norm = float(np.linalg.norm(matrix))
    groups = twins(matrix, 2 * tol * norm)
    # two singles that are no twins differ in something that a name of blocks would not say
    if sum(len(group) == 1 for group in groups) > 1:
        return None
    found, fitted = [], np.zeros_like(matrix)
    for group in groups:
        here = np.ix_(group, group)
        inside = matrix[here]
        shape = simplex_shape(len(group))
        length = float((inside * shape).sum()) / max(1, len(group) - 1)
        merged = length <= tol * norm
        name = "single" if len(group) == 1 else "merged" if merged else "simplex"
        order = tuple(classes[member] for member in group)
        rank = 0 if merged else len(group) - 1
        found.append(Block(name, order, 0.0 if merged else length, rank))
        fitted[here] += 0 if merged else length * shape
    means = _quotient(matrix, groups)
    between = 0
    if np.linalg.norm(means) > tol * norm:
        fitted += means
        between = rank_of(np.linalg.svd(means, compute_uv=False), cut)
    if np.linalg.norm(matrix - fitted) > tol * norm:
        return None
    return _Piece(tuple(classes), tuple(found), fitted, between)


def _quotient(matrix: Matrix, groups: Sequence[Sequence[int]]) -> Matrix:
    """Z averaged over each pair of blocks."""
    share = np.zeros_like(matrix)
    for group in groups:
        share[np.ix_(group, group)] = 1 / len(group)
    found: Matrix = share @ matrix @ share
    return found


def _flat(logits: ClassLogits, rank: int, tol: float) -> tuple[str, float] | None:
    """A multiple of any projection: what a frame or a simplex is when it has fewer dimensions than it needs."""
    matrix, count = logits.matrix, len(logits.matrix)
    right = np.linalg.svd(matrix)[2][:rank]
    projection = float(logits.spectrum[:rank].mean()) * right.T @ right
    deviation = float(np.linalg.norm(matrix - projection)) / logits.norm
    if deviation > tol:
        return None
    off_centre = float(np.linalg.norm(matrix.sum(axis=1))) / logits.norm
    if off_centre <= tol and rank < count - 1:
        return f"flat simplex, rank {rank}", deviation
    # one of rank K−1 that is nearly centred is a simplex beyond the tolerance
    if rank < count - 1 or (rank == count - 1 and off_centre > 10 * tol):
        return f"flat frame, rank {rank}", deviation
    return None


def _title(blocks: Sequence[Block], pieces: Sequence[_Piece]) -> tuple[str, tuple[str, ...]]:
    parts = [_part(block) for block in blocks]
    between = sum(piece.between for piece in pieces)
    if len(blocks) == 1:
        return BESIDE if between else blocks[0].shape, pieces[0].also
    if set(parts) == {"single"}:
        return f"frame {UNEQUAL}", ()
    if set(parts) == {"pair"} and between == 0:
        return f"pairs {UNEQUAL}", ()
    singles = parts.count("single")
    joined = " + ".join(_counted(part, count) for part, count in Counter(parts).items())
    # a single has its own direction among the blocks; anything beyond that is a second structure
    beyond = f", rank {between} between" if between > singles else ""
    also = ("pairs",) if parts.count("pair") == len(parts) - 1 and singles == 1 and not beyond else ()
    return joined + beyond, also


def _part(block: Block) -> str:
    size = len(block.classes)
    if block.shape == "unknown":
        return f"unknown of {size}, rank {block.rank}"
    if block.shape == "single" or block.shape.startswith("product"):
        return block.shape
    return "pair" if block.shape == "simplex" and size == 2 else f"{block.shape} of {size}"


def _counted(part: str, count: int) -> str:
    if part in ("pair", "single"):
        return f"{count} {part}{'s' * (count > 1)}"
    if count == 1:
        return part
    word, _, rest = part.partition(" ")
    plural = {"simplex": "simplices", "unknown": "unknown", "merged": "merged"}.get(word, f"{word}s")
    return f"{count} {plural} {rest}"


def without_classes(name: str, dropped: int) -> str:
    """The name, and how many classes are missing."""
    if dropped == 0:
        return name
    return f"{name} without {dropped} {'class' if dropped == 1 else 'classes'}"
