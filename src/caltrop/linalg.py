r"""Arrays in, arrays out: symmetric Grams, spans, spectra, and scans over pairs of rows.

Everything of size $K$, $d$ or $K\times\min(K,d)$ is float64. Products of residuals run in the
features' own working precision (float32 at least). NumPy's BLAS computes one triangle of a Gram
(`syrk`) where torch computes both, so products go through NumPy on the CPU.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Float, Int
from scipy.linalg import blas
from torch import Tensor

# Singular values below this share of the largest are not part of the span's numerical rank. On
# eigenvalues of a Gram it is 1e-12, still four digits above what float64 sums of products resolve.
RANK_CUT = 1e-6
# Below this relative eigenvalue a Gram has lost half of float64's digits: take an SVD instead.
GRAM_TRUST = 1e-8
# Above it, right vectors made from left ones are still orthonormal to 1e-12.
LEFT_TRUST = 1e-4
# Rounding of class means: differences below this share of the largest mean are no differences.
COINCIDE = 1e-13
EXPONENT_BITS = 0x7FF0_0000_0000_0000
TILE = 512


def tensor_of(values: object) -> Tensor:
    """A detached tensor of any tensor or numeric array, without a copy where torch can share its memory."""
    if isinstance(values, Tensor):
        return values.detach()
    array = np.asarray(values)
    if not (np.issubdtype(array.dtype, np.number) or array.dtype == np.bool_):
        raise TypeError(f"an array of type {array.dtype} holds no numbers.")
    if array.dtype.itemsize > 8 and not np.iscomplexobj(array):
        array = array.astype(np.float64)  # torch knows no wider format
    if not array.dtype.isnative:
        array = array.astype(array.dtype.newbyteorder("="))
    if not array.flags.writeable or any(stride < 0 for stride in array.strides):
        array = array.copy()
    return torch.from_numpy(array)


def matmul(left: Float[Tensor, "a b"], right: Float[Tensor, "b c"]) -> Float[Tensor, "a c"]:
    """`left @ right`, through NumPy's BLAS on the CPU, where it is the faster of the two for tall factors."""
    if left.device.type != "cpu":
        return left @ right
    # some BLAS kernels raise floating-point flags on finite input; finiteness is checked where features enter
    with np.errstate(all="ignore"):
        return torch.from_numpy(np.matmul(left.numpy(), right.numpy()))


def gram(rows: Float[Tensor, "n d"]) -> Float[Tensor, "d d"]:
    r"""$X^\top X$, exactly symmetric. NumPy recognises the product and computes one triangle."""
    if rows.device.type != "cpu":
        return rows.T @ rows
    array = rows.numpy()
    return torch.from_numpy(array.T @ array)


class GramSum:
    r"""A running $\sum X^\top X$ in float64, of float32 or float64 row blocks.

    Each block's product is taken in the block's own precision and added in float64, so the rounding
    of a long float32 sum never builds up. Blocks under about 1000 rows waste the $d\times d$ update;
    the caller buffers.
    """

    def __init__(self, dim: int) -> None:
        # Fortran order, lower triangle: what syrk accumulates in place.
        self._total = np.zeros((dim, dim), order="F")
        self._work: np.ndarray | None = None

    def add(self, rows: Float[Tensor, "n d"]) -> None:
        """Add the Gram of `rows`; they are not changed."""
        if len(rows) == 0:
            return
        if rows.device.type != "cpu":
            self._total += gram(rows).double().cpu().numpy()
            return
        array = rows.numpy()
        if array.dtype == np.float64:
            blas.dsyrk(1.0, array.T, beta=1.0, c=self._total, trans=0, lower=1, overwrite_c=1)
            return
        if self._work is None:
            self._work = np.zeros_like(self._total, dtype=np.float32, order="F")
        blas.ssyrk(1.0, array.T, beta=0.0, c=self._work, trans=0, lower=1, overwrite_c=1)
        self._total += self._work

    def value(self) -> Float[Tensor, "d d"]:
        """The sum so far, both triangles filled."""
        upper = self._total.T
        full = upper.copy()
        # block by block: a whole transposed matrix would be read against its order
        for start in range(0, len(full), TILE):
            here, below = slice(start, start + TILE), slice(start + TILE, None)
            full[here, here] = np.triu(upper[here, here]) + np.triu(upper[here, here], 1).T
            full[below, here] = upper[here, below].T
        return torch.from_numpy(full)


def eigenvalues(rows: Float[Tensor, "n d"]) -> Float[Tensor, "m"]:
    r"""Eigenvalues of $X^\top X$ (= of $XX^\top$ but for zeros), largest first, $m=\min(n,d)$, float64."""
    smaller = rows if len(rows) >= rows.shape[1] else rows.T.contiguous()
    # NumPy's LAPACK takes half of torch's time on many processors, here and for the eigenvectors.
    values = torch.from_numpy(np.linalg.eigvalsh(gram(smaller.double()).numpy()))
    return values.flip(0).clamp(min=0)


def principal_axes(
    rows: Float[Tensor, "n d"],
) -> tuple[Float[Tensor, "d r"], Float[Tensor, "r"]]:
    r"""Orthonormal right singular vectors $V$ of centred rows, with singular values, largest first.

    $r=\min(n-1, d)$ always, also where trailing singular values vanish: the span is never cut here,
    a rank is decided by whoever reads the singular values. The rows must sum to zero, so any $n-1$ of
    them have the same span.
    """
    n, d = rows.shape
    if d <= n - 1:
        return right_vectors(rows)
    found = _from_left_vectors(rows)
    if found is not None:
        return found
    # Rows that sum to zero are spanned by all but the last; Householder QR keeps Q orthonormal to
    # rounding even where those rows are dependent, which V = MᵀU/s does not.
    basis = torch.linalg.qr(rows[:-1].T).Q
    axes, values = right_vectors(matmul(rows, basis))
    return matmul(basis, axes), values


def _from_left_vectors(rows: Float[Tensor, "n d"]) -> tuple[Float[Tensor, "d r"], Float[Tensor, "r"]] | None:
    """V = MᵀU/s from the n × n Gram, a third of the work of a QR; None where it would not be orthonormal."""
    squares, vectors = np.linalg.eigh(gram(rows.T).numpy())
    # the first is that of the vector of ones, which rows that sum to zero do not have
    if len(squares) < 2 or not squares[1] > LEFT_TRUST * squares[-1] > 0:
        return None
    values = np.sqrt(squares[:0:-1])
    return matmul(rows.T, torch.from_numpy(vectors[:, :0:-1] / values)), torch.from_numpy(values)


def right_vectors(rows: Float[Tensor, "n r"]) -> tuple[Float[Tensor, "r r"], Float[Tensor, "r"]]:
    """Right singular vectors and singular values, largest first, of at least as many rows as columns."""
    if rows.shape[1] == 0:  # the span of one row that is its own centre
        return torch.zeros(0, 0, dtype=torch.float64), torch.zeros(0, dtype=torch.float64)
    squares, vectors = map(torch.from_numpy, np.linalg.eigh(gram(rows).numpy()))
    trusted = squares[-1] > 0 and squares[0] > GRAM_TRUST * squares[-1]
    if trusted:
        return vectors.flip(1), squares.flip(0).sqrt()
    factor = rows if len(rows) <= 2 * rows.shape[1] else torch.linalg.qr(rows, mode="r").R
    _, values, right = torch.linalg.svd(factor, full_matrices=False)
    return right.T.contiguous(), values


def trace_of_quotient(
    numerator: Float[Tensor, "r r"], axes: Float[Tensor, "r r"], values: Float[Tensor, "r"], rank: int
) -> float:
    r"""$\operatorname{tr}(A\,(X^\top X)^+)$ over the `rank` leading right vectors `axes` of $X$, singular `values`."""
    leading = axes[:, :rank]
    quadratic = (leading * matmul(numerator, leading)).sum(0)
    return float((quadratic / values[:rank].square()).sum())


def effective_rank(spectrum: Float[Tensor, "m"]) -> float:
    r"""$\exp(-\sum p_i\log p_i)$ of the shares $p_i=\lambda_i/\sum\lambda$ (Roy & Vetterli, 2007); NaN for zero."""
    total = spectrum.sum()
    if not total > 0:
        return math.nan
    shares = spectrum.clamp(min=0) / total
    return float(torch.exp(-torch.special.xlogy(shares, shares).sum()))


@dataclass(frozen=True)
class Tile:
    """One block of the upper triangle of all pairs of rows: `products[a, b]` of rows `left[a]`, `right[b]`."""

    left: Int[Tensor, "a"]
    right: Int[Tensor, "b"]
    products: Float[Tensor, "a b"]
    pairs: Tensor  # [a, b] bool: True where left < right


def upper_tiles(rows: Float[Tensor, "n d"], tile: int = TILE) -> Iterator[Tile]:
    r"""Inner products of all pairs $i<j$, in tiles: memory `4·tile²` numbers, each pair exactly once."""
    count = len(rows)
    for top in range(0, count, tile):
        left = torch.arange(top, min(top + tile, count))
        for start in range(top, count, 4 * tile):
            right = torch.arange(start, min(start + 4 * tile, count))
            products = matmul(rows[left[0] : left[-1] + 1], rows[right[0] : right[-1] + 1].T)
            yield Tile(left, right, products, left[:, None] < right[None, :])


def spacing(values: Float[Tensor, ...], storage: torch.dtype) -> Float[Tensor, ...]:
    """Distance from each value to the next one representable in `storage`; float64 in and out."""
    info = torch.finfo(storage)
    # without its fraction bits a float64 is the power of two below it
    powers = values.abs().clamp_(min=info.tiny).view(torch.int64).bitwise_and_(EXPONENT_BITS).view(torch.float64)
    return powers.mul_(info.eps)
