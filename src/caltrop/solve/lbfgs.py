r"""Limited-memory BFGS of many seeds at once.

The history is one tensor $Z=(S,Y)$ of [seeds, 2m, size]. The direction lies in the span of $Z$ and the gradient, so
that the two-loop recursion runs on their Gram matrices, a few numbers for each seed, and $Z$ is read twice a step:
once for the products with the newest pair and the gradient, once for the direction.

Each seed has its own line search (weak Wolfe conditions by bracketing, which also stop at kinks); seeds that accept
the first step wait only for those that do not, which are evaluated alone. Where the value no longer resolves a
decrease, the slope alone decides. Rows that are done leave the batch once half of it is.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

from caltrop.solve.landscape import Landscape

# Armijo's and the curvature condition's fractions of the first slope
_DECREASE, _FLATTER = 1e-4, 0.9
# a value is known to about this relative error after the sums behind it
_ROUNDING = 1e-15
_TRIALS = 30


@dataclass(frozen=True, eq=False)
class Descended:
    """Where rows went: points [batch, size], values and largest gradients [batch], iterations of each row [batch].

    `is_stuck` [batch] says which found no step that decreases the value; `looks` are iterations at which `seen_values`
    and `seen_slopes` [looks, batch] were kept.
    """

    points: Tensor
    values: Tensor
    slopes: Tensor
    steps: Tensor
    is_stuck: Tensor
    looks: list[int]
    seen_values: Tensor
    seen_slopes: Tensor


Told = Callable[[int, Tensor], None]


def lbfgs(
    landscape: Landscape,
    points: Tensor,
    *,
    steps: int,
    tol: float,
    memory: int = 10,
    every: int = 20,
    told: Told | None = None,
) -> Descended:
    """At most `steps` iterations from `points` [batch, size], until the largest absolute gradient is at most `tol`.

    A row whose start is not finite stays where it is; `is_stuck` says so.
    """
    rows = torch.arange(len(points))
    kept = points.detach().double().clone()
    values, gradient = landscape.slopes(kept)
    slopes = gradient.abs().amax(dim=-1)
    out = Descended(
        kept, values, slopes, torch.zeros(len(points), dtype=torch.int64), ~(values.isfinite() & slopes.isfinite()),
        [], values, slopes,
    )  # fmt: skip
    looks: list[int] = []
    seen: list[tuple[Tensor, Tensor]] = []
    state = _State(kept.clone(), values.clone(), gradient, _History.empty(kept, memory))
    here = landscape
    alive = ~out.is_stuck & (slopes > tol)
    for step in range(steps + 1):
        if step % every == 0:
            looks.append(step)
            seen.append((out.values.clone(), out.slopes.clone()))
            if told is not None:
                told(step, out.values)
        if step == steps or not bool(alive.any()):
            break
        if int(alive.sum()) * 2 <= len(alive):
            state, rows, here = state.select(alive), rows[alive], here.select(alive.nonzero()[:, 0])
            alive = alive[alive]
        moved = state.advance(here, alive)
        found = state.gradient.abs().amax(dim=-1)
        out.steps[rows[moved]] = step + 1
        out.points[rows[moved]] = state.points[moved]
        out.values[rows[moved]] = state.values[moved]
        out.slopes[rows[moved]] = found[moved]
        # without a decrease along a fresh gradient, there is none to be found
        stuck = alive & ~moved & (state.history.pairs == 0)
        out.is_stuck[rows[stuck]] = True
        state.history.forget(alive & ~moved)
        alive = alive & ~stuck & (found > tol)
    if looks[-1] != int(out.steps.max()):
        looks.append(int(out.steps.max()))
        seen.append((out.values.clone(), out.slopes.clone()))
    return Descended(
        out.points, out.values, out.slopes, out.steps, out.is_stuck,
        looks, torch.stack([one for one, _ in seen]), torch.stack([one for _, one in seen]),
    )  # fmt: skip


def joined(parts: list[Descended], points: Tensor, values: Tensor, slopes: Tensor) -> Descended:
    """One descent after another, ended at `points`: steps add up, and the looks follow each other."""
    steps = torch.stack([part.steps for part in parts]).sum(dim=0)
    before, looks = 0, []
    for part in parts:
        looks += [before + look for look in part.looks]
        before += part.looks[-1]
    seen_values = torch.cat([part.seen_values for part in parts])
    seen_slopes = torch.cat([part.seen_slopes for part in parts])
    return Descended(points, values, slopes, steps, parts[-1].is_stuck, looks, seen_values, seen_slopes)


@dataclass(eq=False)
class _History:
    """Steps and gradient changes, [batch, 2m, size] as m steps and then m changes, with their Gram matrices."""

    basis: Tensor
    # products of the basis with itself, [batch, 2m, 2m]
    gram: Tensor
    # 1/⟨s, y⟩ of each pair, 0 where there is none or where it was not positive: the pair is then inert
    weights: Tensor
    newest: int
    pairs: Tensor

    @classmethod
    def empty(cls, points: Tensor, memory: int) -> _History:
        batch, size = points.shape
        return cls(
            points.new_zeros(batch, 2 * memory, size),
            points.new_zeros(batch, 2 * memory, 2 * memory),
            points.new_zeros(batch, memory),
            -1,
            torch.zeros(batch, dtype=torch.int64),
        )

    @property
    def memory(self) -> int:
        return self.weights.shape[1]

    def forget(self, rows: Tensor) -> None:
        self.weights[rows] = 0
        self.pairs[rows] = 0

    def select(self, rows: Tensor) -> _History:
        return _History(self.basis[rows], self.gram[rows], self.weights[rows], self.newest, self.pairs[rows])

    def add(self, step: Tensor, change: Tensor, gradient: Tensor, moved: Tensor) -> Tensor:
        """Keep a pair and give the products of all with `gradient`, [batch, 2m]."""
        self.newest = place = (self.newest + 1) % self.memory
        self.basis[:, place], self.basis[:, self.memory + place] = step, change
        # the long side inside both factors: twice as fast as the transposed product
        products = torch.stack([step, change, gradient], dim=1) @ self.basis.mT
        for where, product in ((place, products[:, 0]), (self.memory + place, products[:, 1])):
            self.gram[:, where, :] = product
            self.gram[:, :, where] = product
        curvature = self.gram[:, place, self.memory + place]
        changes = self.gram[:, self.memory + place, self.memory + place]
        steps = self.gram[:, place, place]
        # not positive beyond rounding, the pair would spoil the metric
        good = moved & (curvature > 1e-14 * (steps * changes).sqrt())
        self.weights[:, place] = torch.where(good, 1 / curvature.clamp(min=1e-300), 0)
        self.pairs = torch.where(good, self.pairs + 1, self.pairs)
        return products[:, 2]

    def direction(self, gradient: Tensor, products: Tensor) -> Tensor:
        """−(inverse Hessian) × gradient, [batch, size], by the two-loop recursion on coefficients."""
        m, gram = self.memory, self.gram
        coefficients = torch.zeros_like(products)
        amounts = torch.zeros_like(self.weights)
        order = [(self.newest - age) % m for age in range(m)]
        along = products.clone()
        for place in order:
            amount = self.weights[:, place] * along[:, place]
            amounts[:, place] = amount
            coefficients[:, m + place] -= amount
            along -= amount[:, None] * gram[:, m + place]
        scale = self._scale()
        coefficients *= scale[:, None]
        along *= scale[:, None]
        for place in reversed(order):
            amount = amounts[:, place] - self.weights[:, place] * along[:, m + place]
            coefficients[:, place] += amount
            along += amount[:, None] * gram[:, place]
        return -torch.baddbmm(scale[:, None, None] * gradient[:, None], coefficients[:, None], self.basis)[:, 0]

    def _scale(self) -> Tensor:
        """⟨s, y⟩/⟨y, y⟩ of the newest pair that counts; 1 without one."""
        scale = torch.ones(len(self.weights), dtype=self.weights.dtype)
        for age in reversed(range(self.memory)):
            place = (self.newest - age) % self.memory
            change = self.gram[:, self.memory + place, self.memory + place]
            known = self.weights[:, place] > 0
            scale = torch.where(known, 1 / (self.weights[:, place] * change).clamp(min=1e-300), scale)
        return scale


@dataclass(eq=False)
class _State:
    points: Tensor
    values: Tensor
    gradient: Tensor
    history: _History
    products: Tensor | None = None

    def select(self, rows: Tensor) -> _State:
        products = None if self.products is None else self.products[rows]
        history = self.history.select(rows)
        return _State(self.points[rows], self.values[rows], self.gradient[rows], history, products)

    def advance(self, landscape: Landscape, alive: Tensor) -> Tensor:
        """One iteration of all rows that are alive; which of them moved."""
        products = self.history.weights.new_zeros(len(alive), 2 * self.history.memory)
        if self.products is not None:
            products = self.products
        direction = self.history.direction(self.gradient, products)
        fresh = self.history.pairs == 0
        # a first step of length at most 1
        first = torch.where(fresh, 1 / self.gradient.norm(dim=-1).clamp(min=1.0), 1.0)
        found = _search(landscape, self, direction, first, alive)
        step, change = found.points - self.points, found.gradient - self.gradient
        self.points, self.values, self.gradient = found.points, found.values, found.gradient
        self.products = self.history.add(step, change, self.gradient, found.moved)
        return found.moved


@dataclass(eq=False)
class _Found:
    points: Tensor
    values: Tensor
    gradient: Tensor
    moved: Tensor


def _search(landscape: Landscape, at: _State, direction: Tensor, first: Tensor, alive: Tensor) -> _Found:
    """A step of each row along its direction that meets the weak Wolfe conditions."""
    slope = (direction * at.gradient).sum(dim=-1)
    found = _Found(at.points.clone(), at.values.clone(), at.gradient.clone(), torch.zeros_like(alive))
    open_rows = (alive & (slope < 0)).nonzero()[:, 0]
    low, high = torch.zeros_like(first), torch.full_like(first, torch.inf)
    length = first.clone()
    # the lowest point that a row met, for those that run out of trials at a kink
    for _ in range(_TRIALS):
        if len(open_rows) == 0:
            break
        whole = len(open_rows) == len(alive)
        here = landscape if whole else landscape.select(open_rows)
        t, d = length[open_rows], direction[open_rows]
        points = torch.addcmul(at.points[open_rows], t[:, None], d)
        values, gradient = here.slopes(points)
        new_slope = (gradient * d).sum(dim=-1)
        before, old_slope = at.values[open_rows], slope[open_rows]
        lower = values <= before + _DECREASE * t * old_slope
        # below rounding, a slope that has not turned too far says that the value fell
        unresolved = (values - before).abs() <= _ROUNDING * before.abs().clamp(min=1e-3)
        lower |= unresolved & (new_slope <= (2 * _DECREASE - 1) * old_slope)
        flat = new_slope >= _FLATTER * old_slope
        good = lower & flat & gradient.isfinite().all(dim=-1)
        best = lower & values.isfinite() & (values < found.values[open_rows])
        keep = open_rows[good | best]
        found.points[keep], found.values[keep] = points[good | best], values[good | best]
        found.gradient[keep], found.moved[keep] = gradient[good | best], True
        high[open_rows] = torch.where(~lower, t, high[open_rows])
        low[open_rows] = torch.where(lower & ~flat, t, low[open_rows])
        bounded = high[open_rows].isfinite()
        middle = (low[open_rows] + high[open_rows]) / 2
        cut = _quadratic(t, values - before, old_slope)
        inside = (~lower) & (low[open_rows] == 0) & cut.isfinite()
        guess = torch.where(inside, cut, middle)
        length[open_rows] = torch.where(bounded, guess, 2 * t)
        open_rows = open_rows[~good]
    return found


def _quadratic(t: Tensor, rise: Tensor, slope: Tensor) -> Tensor:
    """The minimum of the parabola through both values with the first slope, within [0.1, 0.5] of t."""
    return torch.minimum(torch.maximum(-slope * t.square() / (2 * (rise - slope * t)), 0.1 * t), 0.5 * t)
