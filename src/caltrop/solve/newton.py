r"""Newton's method of many seeds at once, for the last digits of smooth problems.

The Newton equation is solved by conjugate gradients with exact products of Hessian and vector. A gauge symmetry
(rotations of an interface) makes the Hessian singular along its orbit; the gradient is orthogonal to orbits, so
conjugate gradients never leave their complement and give the shortest solution. A direction of negative curvature ends
them: the step so far is then taken if it lowers the gradient.
"""

from __future__ import annotations

import torch
from torch import Tensor

from caltrop.solve.landscape import Landscape
from caltrop.solve.lbfgs import Descended

_STEPS, _HALVINGS = 12, 6


def newton(landscape: Landscape, points: Tensor, *, tol: float, steps: int = _STEPS, inner: int = 400) -> Descended:
    """Polish points [batch, size] until the largest absolute gradient is at most `tol` or no longer falls.

    Rows that are not near a critical point stay where they are, and so do values: a step that raises the loss beyond
    rounding is not taken.
    """
    rows = torch.arange(len(points))
    points = points.detach().double().clone()
    values, gradient = landscape.slopes(points)
    slopes = gradient.abs().amax(dim=-1)
    taken = torch.zeros(len(points), dtype=torch.int64)
    going = rows[slopes.isfinite() & values.isfinite() & (slopes > tol)]
    for _ in range(steps):
        if len(going) == 0:
            break
        here = landscape.select(going)
        direction = _newton_direction(here, points[going], gradient[going], inner)
        length = torch.ones(len(going), dtype=torch.float64)
        waiting = torch.arange(len(going))
        moved = torch.zeros(len(going), dtype=torch.bool)
        for _ in range(_HALVINGS):
            at = going[waiting]
            there = points[at] + length[waiting, None] * direction[waiting]
            new_values, new_gradient = landscape.select(at).slopes(there)
            new_slopes = new_gradient.abs().amax(dim=-1)
            # the gradient in the mean falls before its largest entry does
            falls = new_gradient.norm(dim=-1) < 0.9 * gradient[at].norm(dim=-1)
            falls &= new_values <= values[at] + 1e-13 * values[at].abs().clamp(min=1e-3)
            chosen = at[falls]
            points[chosen], values[chosen], gradient[chosen] = there[falls], new_values[falls], new_gradient[falls]
            slopes[chosen], moved[waiting[falls]] = new_slopes[falls], True
            waiting = waiting[~falls]
            length[waiting] /= 2
            if len(waiting) == 0:
                break
        taken[going[moved]] += 1
        going = going[moved & (slopes[going] > tol)]
    stuck = slopes > tol
    return Descended(points, values, slopes, taken, stuck, [0], values[None], slopes[None])


def hessian_products(landscape: Landscape, points: Tensor, directions: Tensor) -> Tensor:
    """The Hessian at each point times its direction, [batch, size], exact up to rounding."""
    return _Hessian(landscape, points)(directions)


class _Hessian:
    """Products with the Hessians at some points, sharing one graph of their gradients."""

    def __init__(self, landscape: Landscape, points: Tensor) -> None:
        with torch.enable_grad():
            self._leaves = points.detach().clone().requires_grad_()
            total = landscape.values(self._leaves).sum()
            (self._gradient,) = torch.autograd.grad(total, self._leaves, create_graph=True)

    def __call__(self, directions: Tensor) -> Tensor:
        (product,) = torch.autograd.grad(self._gradient, self._leaves, directions, retain_graph=True)
        return product


def _newton_direction(landscape: Landscape, points: Tensor, gradient: Tensor, inner: int) -> Tensor:
    """−H⁻¹g of each row by conjugate gradients, to a tenth of √|g| relative, or until curvature is not positive."""
    hessian = _Hessian(landscape, points)
    solution = torch.zeros_like(points)
    residual = -gradient
    search = residual.clone()
    squares = residual.square().sum(dim=-1)
    start = squares.clone()
    # superlinear: the equation is solved better as the gradient falls
    goal = start * torch.minimum(start.sqrt(), torch.full_like(start, 1e-2)).clamp(min=1e-8)
    active = squares > 0
    for step in range(inner):
        product = hessian(search)
        curvature = (search * product).sum(dim=-1)
        positive = curvature > 1e-14 * search.square().sum(dim=-1)
        if step == 0:
            # nothing better than the gradient where it is concave itself
            solution = torch.where((active & ~positive)[:, None], residual, solution)
        active = active & positive
        rate = torch.where(active, squares / curvature.where(positive, torch.ones_like(curvature)), 0)
        solution = torch.addcmul(solution, rate[:, None], search)
        residual = torch.addcmul(residual, -rate[:, None], product)
        new = residual.square().sum(dim=-1)
        active = active & (new > goal)
        if not bool(active.any()):
            break
        ratio = torch.where(active, new / squares, 0)
        search = torch.addcmul(residual, ratio[:, None], search)
        squares = torch.where(active, new, squares)
    return solution
