r"""How many parameters give the same logits: the dimension of a set of global form $\{W_L\cdots W_1H=Z\}$, balanced.

Balanced factors of a fixed Z of rank r differ by an orthogonal matrix at each of the L interfaces, of which only the r
directions that are used show: L Stiefel manifolds of dimension $rd-r(r+1)/2$, also where singular values are equal. At
a minimum that is strict otherwise it is the nullity of the Hessian. The published count differs
(garrod2025persistence): a Grassmannian $r(d-r)$ for the simplex, and $rd-C$ with $\tfrac12r(r+1)\le C\le r^2$ for
other points.
"""

from __future__ import annotations

from caltrop.theory.unconstrained import whole


def fibre_dimension(rank: int, dim: int, depth: int) -> int:
    """L[rd − r(r+1)/2], exact for balanced linear factors of any fixed logits of rank r ≤ d.

    Raises:
        ValueError: sizes that are not possible.
    """
    _check(rank, dim, depth)
    return depth * (rank * dim - rank * (rank + 1) // 2)


def published_fibre_dimensions(rank: int, dim: int, depth: int, *, is_simplex: bool) -> tuple[int, int]:
    """The least and greatest published count, L(rd − r²) and L(rd − r(r+1)/2); for the simplex the first is both.

    Raises:
        ValueError: sizes that are not possible.
    """
    _check(rank, dim, depth)
    least = depth * rank * (dim - rank)
    return (least, least) if is_simplex else (least, fibre_dimension(rank, dim, depth))


def _check(rank: int, dim: int, depth: int) -> None:
    whole("rank", rank, 0, "it counts directions")
    whole("depth", depth, 1, "a features model has at least its head")
    whole("dim", dim, rank, f"{rank} directions do not fit into fewer dimensions")
