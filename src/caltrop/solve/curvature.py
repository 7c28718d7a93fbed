r"""Second derivatives at a stationary point: negative directions, and null ones beside those that symmetry makes.

Without ReLU, rotating what passes an interface changes nothing, so a stationary point of rank r has at least
$L\,[rd-r(r+1)/2]$ null directions, also where its singular values coincide (`theory.fibres`). A bias under
cross-entropy adds one: softmax does not see a common shift. With ReLU, away from kinks, units of a layer that are
positive for the same rows can be rotated among each other, and features, which ReLU does not meet, as before.

Width is no obstacle. At a balanced point choose coordinates at every interface so that the first r carry the factors;
the rotations $O(d-r)$ of the others leave the point alone, so the Hessian falls apart: a core of width r; directions
with one coordinate outside, $d-r$ equal copies; hidden entries with both outside, whose eigenvalue is $\lambda_l$ (a
third factor that is zero multiplies every other second-order term). A Hessian of width r+1 has each block once, and
counts at width d follow. Derived here; checked against dense Hessians.

Where the factors have no common subspace, or with ReLU, the Hessian itself is built up to `DENSE` parameters, and above
that Lanczos finds its lowest eigenvalues from products with vectors.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from dataclasses import dataclass

import torch
from jaxtyping import Float64
from torch import Tensor

from caltrop.solve.alignment import factor_rank
from caltrop.theory.chain import FEATURES, Chain
from caltrop.theory.fibres import fibre_dimension
from caltrop.theory.fits import CrossEntropy
from caltrop.theory.optimum import Params

DENSE = 1500
CHUNK = 64
LOWEST = 6
# Rounding of a Hessian built in float64, as a share of its largest eigenvalue.
ROUNDING = 1e-11
# Lanczos: how close the lowest Ritz value comes to an eigenvalue, as a share of the largest; and products at most.
CLOSE = 1e-9
KRYLOV = 400

Loss = Callable[[Params], Tensor]


@dataclass(frozen=True)
class Curvature:
    """Signs of the Hessian's eigenvalues at a point.

    parameters
        How many there are.
    negative, nullity
        Eigenvalues below −cut and within ±cut. From "lanczos" `negative` is a lower bound, and `nullity` None.
    expected_nullity
        What rotations of the interfaces make (see the module); None where no count is known.
    smallest
        The lowest eigenvalues; of equal ones "reduced" has fewer copies, and "lanczos" one.
    least_positive
        The lowest eigenvalue above cut; None from "lanczos", and where there is none.
    cut
        Eigenvalues closer to 0 are not told from 0: rounding, and what is left of the gradient.
    method
        "dense", "reduced" (exact, by width r+1) or "lanczos".
    """

    parameters: int
    negative: int
    nullity: int | None
    expected_nullity: int | None
    smallest: tuple[float, ...]
    least_positive: float | None
    cut: float
    method: str


def expected_nullity(chain: Chain, params: Params, cut: float) -> int:
    """Flat directions that symmetry makes at a stationary point without kinks (see the module).

    Ranks count singular values above `cut` times the largest of a factor.
    """
    layers, total = chain.layers(params), int(chain.bias and isinstance(chain.fit_of, CrossEntropy))
    for place in range(chain.depth):
        below = params[chain.factors[place]]
        below = below if place == 0 else below.T
        above = params[chain.factors[place + 1]]
        both = torch.cat([_unit(below), _unit(above)])
        groups = torch.zeros(chain.dim, dtype=torch.int64)
        if chain.relu and place > 0:
            groups = torch.unique(layers[f"layer {place + 1} pre"] > 0, dim=1, return_inverse=True)[1]
        for group in range(int(groups.max()) + 1):
            members = both[:, groups == group]
            rank = int((torch.linalg.svdvals(members) > cut).sum())
            total += fibre_dimension(rank, members.shape[1], 1)
    return total


def chain_curvature(chain: Chain, params: Params, *, residual: float, dense: int = DENSE) -> Curvature:
    """Curvature of a chain at a point without kinks whose gradient is at most `residual` in every entry."""
    smallest_decay = float(chain.decays.min())
    # a direction that should be zero is held there by its penalty alone, up to what is left of the gradient
    share = max(1e-6, 10 * residual / smallest_decay)
    rank = factor_rank(chain, params, share)
    wanted = expected_nullity(chain, params, share)
    straight = not chain.relu or chain.depth == 1
    core = _core(chain, params, rank, share) if straight and rank + 1 < chain.dim else None
    if core is not None and sum(part.numel() for part in core(rank + 1)[1].values()) <= dense:
        inner = _spectrum(*core(rank))
        outer = _spectrum(*core(rank + 1))
        cut = _cut(outer, residual)
        copies = chain.dim - rank

        def total(of: Callable[[Tensor], Tensor]) -> int:
            core_count, both = int(of(inner).sum()), int(of(outer).sum())
            return core_count + copies * (both - core_count)

        return Curvature(
            parameters=sum(part.numel() for part in params.values()),
            negative=total(lambda values: values < -cut),
            nullity=total(lambda values: values.abs() <= cut),
            expected_nullity=wanted,
            smallest=tuple(outer[:LOWEST].tolist()),
            least_positive=_least_above(outer, cut),
            cut=cut,
            method="reduced",
        )
    return dataclasses.replace(
        loss_curvature(chain.loss, params, residual=residual, dense=dense), expected_nullity=wanted
    )


def loss_curvature(loss: Loss, params: Params, *, residual: float, dense: int = DENSE) -> Curvature:
    """Curvature of any twice differentiable loss that broadcasts over leading axes of its parameters."""
    size = sum(part.numel() for part in params.values())
    if size <= dense:
        values = torch.linalg.eigvalsh(hessian(loss, params))
        cut = _cut(values, residual)
        below, null = int((values < -cut).sum()), int((values.abs() <= cut).sum())
        lowest = tuple(values[:LOWEST].tolist())
        return Curvature(size, below, null, None, lowest, _least_above(values, cut), cut, "dense")
    values, left = _lanczos(lambda vector: hessian_products(loss, params, vector[None])[0], size)
    cut = max(_cut(values, residual), left)
    below = int((values < -cut).sum())
    return Curvature(size, below, None, None, tuple(values[:LOWEST].tolist()), None, cut, "lanczos")


def hessian(loss: Loss, params: Params) -> Float64[Tensor, "parameters parameters"]:
    """The symmetric matrix of second derivatives, parameters in the order of the mapping, each flattened."""
    size = sum(part.numel() for part in params.values())
    eye = torch.eye(size, dtype=torch.float64)
    rows = torch.cat([hessian_products(loss, params, piece) for piece in torch.split(eye, CHUNK)])
    return (rows + rows.T) / 2


def hessian_products(
    loss: Loss, params: Params, directions: Float64[Tensor, "count parameters"]
) -> Float64[Tensor, "count parameters"]:
    """The Hessian times each direction, all at once: copies of the point are a leading axis of the loss."""
    count, sizes = len(directions), [part.numel() for part in params.values()]
    copies = {name: part.detach().expand(count, *part.shape).clone() for name, part in params.items()}
    with torch.enable_grad():
        for part in copies.values():
            part.requires_grad_()
        first = torch.autograd.grad(loss(copies).sum(), list(copies.values()), create_graph=True)
        pieces = torch.split(directions, sizes, dim=1)
        along = torch.stack([(a.flatten(1) * b).sum() for a, b in zip(first, pieces, strict=True)]).sum()
        second = torch.autograd.grad(along, list(copies.values()), allow_unused=True, materialize_grads=True)
    return torch.cat([part.flatten(1) for part in second], dim=1)


def _unit(matrix: Tensor) -> Tensor:
    """Of spectral norm 1, or zero."""
    size = float(torch.linalg.matrix_norm(matrix, ord=2))
    return matrix / size if size > 0 else matrix


def _least_above(values: Tensor, cut: float) -> float | None:
    above = values[values > cut]
    return float(above.min()) if len(above) else None


def _cut(values: Tensor, residual: float) -> float:
    return max(ROUNDING * float(values.abs().max()), 10 * residual)


def _spectrum(chain: Chain, params: Params) -> Tensor:
    if not any(part.numel() for part in params.values()):  # a core of rank 0 has no parameters
        return torch.zeros(0, dtype=torch.float64)
    values: Tensor = torch.linalg.eigvalsh(hessian(chain.loss, params))
    return values


def _core(chain: Chain, params: Params, rank: int, share: float) -> Callable[[int], tuple[Chain, Params]] | None:
    """The same point at other widths of at least its rank, None where its factors have no common subspaces."""
    frames = []
    for place in range(chain.depth):
        below = params[chain.factors[place]]
        below = below if place == 0 else below.T
        above = params[chain.factors[place + 1]]
        sides = [side / side.norm() for side in (below, above) if float(side.norm()) > 0]
        if not sides:
            frames.append(torch.eye(chain.dim, dtype=torch.float64)[:, :rank])
            continue
        frame = torch.linalg.svd(torch.cat(sides), full_matrices=False)[2][:rank].T
        for side in sides:
            if float((side - side @ frame @ frame.T).norm()) > share * rank + 1e-12:
                return None
        frames.append(frame)

    def at(width: int) -> tuple[Chain, Params]:
        inner = dict(params)
        inner[FEATURES] = _wide(params[FEATURES] @ frames[0], None, width)
        for place in range(1, chain.depth):
            name = chain.factors[place]
            inner[name] = _wide(frames[place].T @ params[name] @ frames[place - 1], width, width)
        head = chain.factors[-1]
        inner[head] = _wide(params[head] @ frames[-1], None, width)
        return dataclasses.replace(chain, dim=width), inner

    return at


def _wide(matrix: Tensor, rows: int | None, columns: int) -> Tensor:
    full = torch.zeros(matrix.shape[0] if rows is None else rows, columns, dtype=torch.float64)
    full[: matrix.shape[0], : matrix.shape[1]] = matrix
    return full


def _lanczos(product: Callable[[Tensor], Tensor], size: int) -> tuple[Tensor, float]:
    """Ritz values of one Krylov space, lowest first, and the residual of the lowest: an eigenvalue is that close to it.

    Every vector is made orthogonal to all before it, twice, so that no Ritz value is a ghost: by interlacing there are
    at least as many eigenvalues below any number as Ritz values.
    """
    vector = torch.randn(size, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    basis = [vector / vector.norm()]
    diagonal: list[float] = []
    beside: list[float] = []
    while True:
        image = product(basis[-1])
        diagonal.append(float(image @ basis[-1]))
        known = torch.stack(basis)
        for _ in range(2):
            image = image - known.T @ (known @ image)
        length = float(image.norm())
        values, vectors = torch.linalg.eigh(torch.diag(torch.tensor(diagonal, dtype=torch.float64)) + _beside(beside))
        left = length * abs(float(vectors[-1, 0]))
        if len(basis) >= min(size, KRYLOV) or left <= CLOSE * float(values.abs().max()):
            return values, left
        beside.append(length)
        basis.append(image / length)


def _beside(values: list[float]) -> Tensor:
    upper = torch.diag(torch.tensor(values, dtype=torch.float64), 1) if values else torch.zeros(1, 1)
    return upper + upper.T
