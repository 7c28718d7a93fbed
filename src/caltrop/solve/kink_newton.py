r"""Newton's method for a chain with ReLU whose stationary points lie at kinks.

First ReLU is rounded ever less (`rounded`), each time followed by Newton's method with the whole Hessian, which is
small once a point is reduced to what it uses (`reduction`). Then it is clear which pre-activations are 0 at the
minimum; call them the set A. With a fixed slope for each of them the loss $f_s$ is smooth, and a stationary point has

$$\nabla f_s(x)=0,\qquad p_a(x)=0\ \ (a\in A),\qquad s_a\in[0,1].$$

The slopes are multipliers of $p_A=0$, since $\partial_{s_a}\nabla f_s=B_a\nabla p_a$ there, with $B_a$ the error that
comes back to the unit. A step is the shortest one that restores $p_A=0$, plus Newton's within the tangent space, by
conjugate gradients; then the slopes in [0, 1] that leave the least gradient (`kinks`).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, fields

import torch
from torch import Tensor

from caltrop.solve.curvature import hessian_products
from caltrop.solve.kinks import kink_residual
from caltrop.solve.landscape import ChainLandscape, Layout
from caltrop.solve.newton import newton
from caltrop.solve.reduction import Reduction
from caltrop.solve.rounded import RoundedChain
from caltrop.theory.chain import FEATURES, Chain
from caltrop.theory.optimum import Params

# a unit whose weights are this share of the largest of its layer lives from rounding alone: it acts as a bias there
_DYING = 5e-2
# ε as shares of a layer's largest pre-activation; kinks are what lies within so many of the last
_SHARES = (3e-5, 3e-6, 3e-7)
_WITHIN = 100.0
# Newton steps: for each ε, and at the kinks; products with the Hessian for each of the latter
_ROUNDED_STEPS, _STEPS, _INNER = 20, 10, 400
# a point that uses more parameters than this has not settled, and its Hessian would take long
_MOST = 1_000
# kinks of a polished point are zero to rounding, or to that of a step
_EXACT = (1e-12, 1e-9)

_Linear = Callable[[Tensor], Tensor]


@dataclass(frozen=True, eq=False)
class AtKinks:
    """Polished points [batch, size], their values and smallest (sub)gradients [batch], and who was polished."""

    points: Tensor
    values: Tensor
    residuals: Tensor
    is_polished: Tensor


def polish_at_kinks(landscape: ChainLandscape, points: Tensor, *, tol: float, skipped: Tensor) -> AtKinks:
    """Newton's method at the kinks of each point, one after the other.

    A row is polished if it ends stationary to `tol`, and not above where it began by more than rounding. Rows that are
    `skipped`, or do not, stay as they are; `residuals` is the smallest gradient over the slopes at pre-activations that
    are zero to rounding, NaN where skipped.
    """
    points = points.clone()
    values, _ = landscape.slopes(points)
    residuals = torch.full_like(values, torch.nan)
    polished = torch.zeros(len(points), dtype=torch.bool)
    tried = (~skipped).nonzero()[:, 0]
    if len(tried) == 0:
        return AtKinks(points, values, residuals, polished)
    # where no kink is in the way, Newton's method itself is enough, and all rows go together
    plain = newton(landscape.select(tried), points[tried], tol=tol * 1e-3)
    for place, row in enumerate(tried.tolist()):
        if float(plain.slopes[place]) <= tol:
            points[row], values[row], residuals[row] = plain.points[place], plain.values[place], plain.slopes[place]
            polished[row] = True
            continue
        chain = _single(landscape.select(torch.tensor([row])).chain)
        layout = Layout(chain.shapes)
        before = layout.unpack(points[row])
        after = _polished(chain, before, tol)
        value = float(chain.loss(after))
        # what was rounded stops above its minimum, never below
        residual = _residual(chain, after, tol)
        if residual <= tol and value <= float(values[row]) + 1e-9:
            points[row], values[row], residuals[row], polished[row] = layout.pack(after), value, residual, True
        else:
            residuals[row] = _residual(chain, before, tol)
    return AtKinks(points, values, residuals, polished)


def _residual(chain: Chain, params: Params, tol: float) -> float:
    """The smallest gradient over the slopes at pre-activations that are zero to rounding."""
    least = torch.inf
    for tolerance in _EXACT:
        least = min(least, kink_residual(chain, params, tolerance=tolerance, target=tol).residual)
        if least <= tol:
            break
    return least


def _polished(chain: Chain, params: Params, tol: float) -> Params:
    if not all(float(params[name].abs().max()) > 0 for name in chain.factors):
        return params
    small = Reduction.of(chain, params, _DYING)
    if sum(int(free.sum()) for free in small.is_free.values()) > _MOST:
        return params
    followed = _followed(small)
    layout = Layout(small.chain.shapes)
    return small.whole(layout.unpack(_Kinked(small.chain, followed, _WITHIN * _SHARES[-1], tol).descend()))


def _followed(small: Reduction) -> Tensor:
    """The minimum of the rounded chain as its rounding falls, near the reduced point."""
    layout = Layout(small.chain.shapes)
    point = layout.pack(small.params)
    free = layout.pack(small.is_free).nonzero()[:, 0]
    axes = torch.zeros(len(free), layout.size, dtype=torch.float64)
    axes[torch.arange(len(free)), free] = 1
    for share in _SHARES:
        rounded = RoundedChain.of(small.chain, {name: v[None] for name, v in layout.unpack(point).items()}, share)
        for _ in range(_ROUNDED_STEPS):
            value, gradient = _value_and_gradient(rounded, layout, point)
            slope = gradient[free]
            if not bool(slope.isfinite().all()) or float(slope.abs().max()) <= 1e-12:
                break
            params = layout.unpack(point)
            # a hundred copies at a time
            rows = [hessian_products(rounded.loss, params, piece)[:, free] for piece in torch.split(axes, 100)]
            hessian = torch.cat(rows)
            step = _downhill((hessian + hessian.T) / 2, slope)
            length, lower = 1.0, False
            for _ in range(30):
                moved = point.clone()
                moved[free] += length * step
                new, _ = _value_and_gradient(rounded, layout, moved)
                lower = bool(new < value)
                if lower:
                    point = moved
                    break
                length /= 2
            if not lower:
                break
    return point


def _downhill(hessian: Tensor, slope: Tensor) -> Tensor:
    """Newton's step with every curvature made positive; flat directions are left alone."""
    factor, failed = torch.linalg.cholesky_ex(hessian + 1e-9 * torch.eye(len(slope), dtype=torch.float64))
    if not int(failed):
        solved: Tensor = torch.cholesky_solve(slope[:, None], factor)[:, 0]
        return -solved
    curvatures, axes = torch.linalg.eigh(hessian)
    step: Tensor = -axes @ ((axes.T @ slope) / curvatures.abs().clamp(min=1e-6))
    return step


@dataclass(frozen=True, eq=False)
class SlopedChain(Chain):
    """A chain whose ReLU has fixed slopes, [rows, dim] for each hidden layer: linear units, smooth."""

    slopes: tuple[Tensor, ...] = ()

    def layers(self, params: Params) -> dict[str, Tensor]:
        """What each matrix is given, [..., rows, dim], as `Chain.layers`."""
        values = params[FEATURES]
        found = {"layer 1": values}
        for layer, (name, slopes) in enumerate(zip(self.factors[1:-1], self.slopes, strict=True), start=2):
            values = values @ params[name].mT
            found[f"layer {layer} pre"] = values
            values = values * slopes
            found[f"layer {layer}"] = values
        return found


def _single(chain: Chain) -> Chain:
    """The chain of one row, without the axis of its decays."""
    decays = chain.decays if chain.decays.ndim == 1 else chain.decays[0]
    return Chain(**{f.name: getattr(chain, f.name) for f in fields(Chain)} | {"decays": decays})


class _Kinked:
    """One point, its kinks and the slopes there."""

    def __init__(self, chain: Chain, point: Tensor, share: float, tol: float) -> None:
        self.chain, self.layout, self.point, self.share, self.tol = chain, Layout(chain.shapes), point, share, tol
        hidden = self._pre(self.chain, self.point)
        # a unit that is zero has no say, whatever its slope
        self.kinks = [(values.abs() <= share * values.abs().max()) & (values != 0).any(dim=0) for values in hidden]
        self.slopes = [(values > 0).double() for values in hidden]
        self._choose_slopes()

    def descend(self) -> Tensor:
        """The point where Newton's steps end."""
        best, least = self.point, torch.inf
        for _ in range(_STEPS):
            residual = self._step()
            if residual < least:
                best, least = self.point, residual
            if residual <= self.tol / 1e3 or not residual < 1e3 * least:
                break
        return best

    def _pre(self, chain: Chain, point: Tensor) -> list[Tensor]:
        layers = chain.layers(self.layout.unpack(point))
        return [layers[f"layer {layer} pre"] for layer in range(2, chain.depth + 1)]

    def _sloped(self) -> SlopedChain:
        return SlopedChain(**{f.name: getattr(self.chain, f.name) for f in fields(Chain)}, slopes=tuple(self.slopes))

    def _choose_slopes(self) -> float:
        """The slopes that leave the smallest gradient at the point as it is, and its largest entry."""
        found = kink_residual(self.chain, self.layout.unpack(self.point), tolerance=self.share, starts=())
        chosen = [found.slopes[f"layer {layer}"] for layer in range(2, self.chain.depth + 1)]
        self.slopes = [
            torch.where(kink, new, old) for kink, new, old in zip(self.kinks, chosen, self.slopes, strict=True)
        ]
        return found.residual

    def _step(self) -> float:
        """One Newton step in point and slopes; the largest gradient or kink that is left."""
        chain = self._sloped()
        with torch.enable_grad():
            leaf = self.point.detach().clone().requires_grad_()
            params = self.layout.unpack(leaf)
            layers = chain.layers(params)
            hidden = [layers[f"layer {layer} pre"] for layer in range(2, chain.depth + 1)]
            kinked = torch.cat([values[kink] for values, kink in zip(hidden, self.kinks, strict=True)])
            loss = chain.loss(params)
            (gradient,) = torch.autograd.grad(loss, leaf, create_graph=True)
            if len(kinked):
                (rows,) = torch.autograd.grad(
                    kinked, leaf, torch.eye(len(kinked), dtype=torch.float64), retain_graph=True, is_grads_batched=True
                )
            else:
                rows = leaf.new_zeros(0, len(leaf))

        def product(direction: Tensor) -> Tensor:
            (found,) = torch.autograd.grad(gradient, leaf, direction, retain_graph=True)
            return found

        slope, off = gradient.detach(), kinked.detach()
        left, strengths, right = torch.linalg.svd(rows, full_matrices=False)
        kept = strengths > 1e-9 * strengths.max() if len(strengths) else strengths > 0
        left, strengths, right = left[:, kept], strengths[kept], right[kept]

        def tangent(vector: Tensor) -> Tensor:
            within: Tensor = vector - right.T @ (right @ vector)
            return within

        normal = -right.T @ ((left.T @ off) / strengths)
        along = _conjugate_gradients(product, tangent, -(slope + product(normal)))
        move = normal + along
        self.point = self.point + move
        return self._choose_slopes()


def _value_and_gradient(chain: Chain, layout: Layout, point: Tensor) -> tuple[Tensor, Tensor]:
    with torch.enable_grad():
        leaf = point.detach().clone().requires_grad_()
        loss = chain.loss(layout.unpack(leaf))
        (gradient,) = torch.autograd.grad(loss, leaf)
    return loss.detach(), gradient


def _conjugate_gradients(product: _Linear, tangent: _Linear, right_side: Tensor) -> Tensor:
    """The shortest solution within a tangent space, until it is exact to 1e-12 or curvature is not positive."""
    solution = torch.zeros_like(right_side)
    residual = tangent(right_side)
    search, squares = residual.clone(), float(residual.square().sum())
    goal = squares * 1e-20
    for _ in range(_INNER):
        if squares <= goal or squares == 0:
            break
        image = tangent(product(search))
        curvature = float(search @ image)
        if curvature <= 1e-14 * float(search.square().sum()):
            break
        rate = squares / curvature
        solution = solution + rate * search
        residual = residual - rate * image
        new = float(residual.square().sum())
        search, squares = residual + (new / squares) * search, new
    return solution
