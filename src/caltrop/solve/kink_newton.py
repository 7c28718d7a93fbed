r"""Newton's method for a chain with ReLU whose stationary points lie at kinks.

Which pre-activations are 0 at the minimum is read off a point nearby; call them the set A. With a fixed slope for each
of them the loss $f_s$ is smooth, and a stationary point has

$$\nabla f_s(x)=0,\qquad p_a(x)=0\ \ (a\in A),\qquad s_a\in[0,1].$$

The slopes are multipliers: $\partial_{s_a}\nabla f_s=B_a\nabla p_a$ where $p_a=0$, with $B_a$ the error that comes back
to the unit. A Newton step is the shortest one that restores $p_A=0$, plus one within the tangent space, by conjugate
gradients; then the slopes that cancel what is left. A slope that leaves [0, 1] leaves A; a unit that changes sign
enters it. Units with nothing coming in and nothing going out are made exactly zero.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields

import torch
from torch import Tensor

from caltrop.solve.kinks import kink_residual
from caltrop.solve.landscape import ChainLandscape, Layout
from caltrop.theory.chain import FEATURES, Chain
from caltrop.theory.optimum import Params

_STEPS, _INNER = 15, 400
# slopes this far outside [0, 1] are not rounding
_BEYOND = 1e-7
# a unit whose weights are this share of the largest of its layer is on its way to zero
_DYING = 5e-2
# kinks of a polished point are zero to rounding
_EXACT = 1e-12


@dataclass(frozen=True, eq=False)
class AtKinks:
    """Polished points [batch, size], their values and smallest (sub)gradients [batch], and who was polished."""

    points: Tensor
    values: Tensor
    residuals: Tensor
    is_polished: Tensor


def polish_at_kinks(
    landscape: ChainLandscape, points: Tensor, *, tol: float, skipped: Tensor, near: Sequence[float] = (1e-3, 1e-4, 1e-2)
) -> AtKinks:
    """Newton's method at the kinks of each point, one after the other.

    A kink is what lies within a share of its layer's largest pre-activation; the shares `near` are tried in turn until a
    point is stationary to `tol`. Rows that are `skipped`, or that find no better point, stay as they are; their residual
    is the smallest gradient over the slopes at pre-activations that are zero to rounding.
    """
    points = points.clone()
    values, _ = landscape.slopes(points)
    residuals = torch.full_like(values, torch.nan)
    polished = torch.zeros(len(points), dtype=torch.bool)
    for row in range(len(points)):
        if bool(skipped[row]):
            continue
        chain = landscape.select(torch.tensor([row])).chain
        chain = _single(chain)
        layout = Layout(chain.shapes)
        before = layout.unpack(points[row])
        for share in near:
            found = _Kinked(chain, points[row], share, tol).descend()
            value = float(chain.loss(layout.unpack(found)))
            # rounding stops above the minimum, never below
            if not value <= float(values[row]) + 1e-9:
                continue
            residual = kink_residual(chain, layout.unpack(found), tolerance=_EXACT, target=tol).residual
            if residual <= tol:
                points[row], values[row], residuals[row], polished[row] = found, value, residual, True
                break
        if not bool(polished[row]):
            residuals[row] = kink_residual(chain, before, tolerance=_EXACT, target=tol).residual
    return AtKinks(points, values, residuals, polished)


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
        self.chain, self.layout, self.share, self.tol = chain, Layout(chain.shapes), share, tol
        self.point = self.layout.pack(_without_dying(chain, self.layout.unpack(point)))
        hidden = self._pre(self.chain, self.point)
        # a unit that is zero has no say, whatever its slope
        self.kinks = [(values.abs() <= share * values.abs().max()) & (values != 0).any(dim=0) for values in hidden]
        self.slopes = [
            torch.where(kink, 0.5, (values > 0).double()) for values, kink in zip(hidden, self.kinks, strict=True)
        ]
        self._choose_slopes()

    def descend(self) -> Tensor:
        """The point where Newton's steps end."""
        best, least = self.point, torch.inf
        for _ in range(_STEPS):
            residual = self._step()
            if residual < least:
                best, least = self.point, residual
            if residual <= self.tol / 10 or not residual < 1e6 * least:
                break
        return best

    def _pre(self, chain: Chain, point: Tensor) -> list[Tensor]:
        layers = chain.layers(self.layout.unpack(point))
        return [layers[f"layer {layer} pre"] for layer in range(2, chain.depth + 1)]

    def _sloped(self) -> SlopedChain:
        return SlopedChain(**{f.name: getattr(self.chain, f.name) for f in fields(Chain)}, slopes=tuple(self.slopes))

    def _choose_slopes(self) -> None:
        """The slopes that leave the smallest gradient at the point as it is."""
        found = kink_residual(self.chain, self.layout.unpack(self.point), tolerance=self.share, starts=())
        chosen = [found.slopes[f"layer {layer}"] for layer in range(2, self.chain.depth + 1)]
        self.slopes = [
            torch.where(kink, new, old) for kink, new, old in zip(self.kinks, chosen, self.slopes, strict=True)
        ]

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
            return vector - right.T @ (right @ vector)

        normal = -right.T @ ((left.T @ off) / strengths)
        along = _conjugate_gradients(product, tangent, -(slope + product(normal)))
        move = normal + along
        self._advance(move)
        return self._turn()

    def _advance(self, move: Tensor) -> None:
        """Go along a step up to the first unit that changes sign, which is a kink from then on."""
        before = self._pre(self._sloped(), self.point)
        after = self._pre(self._sloped(), self.point + move)
        length = 1.0
        shares = []
        for old, new, kink in zip(before, after, self.kinks, strict=True):
            turns = ~kink & (old * new < 0)
            share = torch.where(turns, old / torch.where(turns, old - new, 1.0), torch.inf)
            shares.append(share)
            length = min(length, float(share.min()))
        self.point = self.point + length * move
        self.entered = [share <= length * (1 + 1e-9) for share in shares]
        self.kinks = [kink | entered for kink, entered in zip(self.kinks, self.entered, strict=True)]

    def _turn(self) -> float:
        """Slopes that leave the smallest gradient; at a bound they leave the kinks if it is not zero. What is left."""
        hidden = self._pre(self._sloped(), self.point)
        found = kink_residual(self.chain, self.layout.unpack(self.point), tolerance=self.share, starts=())
        for place, kink in enumerate(self.kinks):
            chosen = found.slopes[f"layer {place + 2}"]
            self.slopes[place] = torch.where(kink, chosen, (hidden[place] > 0).double())
            at_bound = kink & ((chosen <= 0) | (chosen >= 1)) & ~self.entered[place]
            if found.residual > self.tol:
                self.kinks[place] = kink & ~at_bound
        return found.residual


def _value_and_gradient(chain: Chain, layout: Layout, point: Tensor) -> tuple[Tensor, Tensor]:
    with torch.enable_grad():
        leaf = point.detach().clone().requires_grad_()
        loss = chain.loss(layout.unpack(leaf))
        (gradient,) = torch.autograd.grad(loss, leaf)
    return loss.detach(), gradient


def _conjugate_gradients(product, tangent, right_side: Tensor) -> Tensor:  # type: ignore[no-untyped-def]
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


def _without_dying(chain: Chain, params: Params) -> Params:
    """Hidden units whose weights below and above nearly vanish, made exactly zero."""
    params = {name: value.clone() for name, value in params.items()}
    for place in range(1, chain.depth):
        below, above = params[chain.factors[place]], params[chain.factors[place + 1]]
        coming, going = below.norm(dim=1), above.norm(dim=0)
        dying = (coming <= _DYING * coming.max()) & (going <= _DYING * going.max())
        below[dying] = 0
        above[:, dying] = 0
    return params
