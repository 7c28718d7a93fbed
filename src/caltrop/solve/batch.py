"""One batch of rows from its starts to its end: a descent, a polish, and what became of each row."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

from caltrop.solve.descent import descend
from caltrop.solve.kink_newton import polish_at_kinks
from caltrop.solve.landscape import ChainLandscape, Landscape
from caltrop.solve.lbfgs import lbfgs
from caltrop.solve.newton import newton
from caltrop.solve.rounded import lbfgs_rounded

Told = Callable[[int, Tensor], None]
# where Newton's method takes over, and the stages of rounding that leave a basin where it is
_NEAR = 1e-7
_LATE = (3e-3, 1e-3, 3e-4)
# iterations of the descent that follows gradient descent
_AFTER = 4_000


@dataclass(frozen=True)
class Plan:
    """How a batch is solved."""

    method: str
    tol: float
    steps: int
    scale: float
    step_size: float
    polish: bool


@dataclass(frozen=True, eq=False)
class Ended:
    """Rows of a batch at their end; the looks of the descent before the polish."""

    points: Tensor
    values: Tensor
    stationarity: Tensor
    steps: Tensor
    is_diverged: Tensor
    is_out_of_steps: Tensor
    outputs: Tensor
    looks: tuple[int, ...]
    seen_values: Tensor
    seen_slopes: Tensor


def descended(landscape: Landscape, points: Tensor, plan: Plan, told: Told) -> Ended:
    """One batch by one method, polished."""
    is_relu = isinstance(landscape, ChainLandscape) and landscape.chain.relu and landscape.chain.depth > 1
    if plan.method == "gradient-descent":
        every = max(1, plan.steps // 200)
        path = descend(
            landscape, points, steps=plan.steps, step_size=plan.step_size, tol=plan.tol, every=every, told=told
        )
        looks, seen_values, seen_slopes = path.looks, path.values, path.slopes
        points, taken, diverged = path.points, path.steps, path.is_diverged
        limit = taken >= plan.steps
        if plan.polish and is_relu:
            assert isinstance(landscape, ChainLandscape)
            points = _kept(points, lbfgs_rounded(landscape, points, steps=_AFTER, stages=_LATE).points, diverged)
        elif plan.polish:
            points = _kept(points, lbfgs(landscape, points, steps=_AFTER, tol=max(plan.tol, _NEAR)).points, diverged)
    else:
        if plan.method == "rounded":
            assert isinstance(landscape, ChainLandscape)
            gone = lbfgs_rounded(landscape, points, steps=plan.steps, told=told)
        else:
            near = max(plan.tol, _NEAR) if plan.polish and not is_relu else plan.tol
            gone = lbfgs(landscape, points, steps=plan.steps, tol=near, told=told)
        looks, seen_values, seen_slopes = gone.looks, gone.seen_values, gone.seen_slopes
        points, taken = gone.points, gone.steps
        diverged = ~gone.values.isfinite()
        limit = taken >= plan.steps
    values, gradient = landscape.slopes(points)
    stationarity = gradient.abs().amax(dim=-1)
    if plan.polish and is_relu:
        assert isinstance(landscape, ChainLandscape)
        at_kinks = polish_at_kinks(landscape, points, tol=plan.tol, skipped=diverged)
        points, values, stationarity = at_kinks.points, at_kinks.values, at_kinks.residuals
    elif plan.polish:
        polished = newton(landscape, points, tol=finest(plan.tol))
        points, values, stationarity = polished.points, polished.values, polished.slopes
        taken = taken + polished.steps
    outputs = landscape.outputs(points).abs().flatten(1).amax(dim=-1)
    values = torch.where(diverged, torch.nan, values)
    stationarity = torch.where(diverged, torch.nan, stationarity)
    return Ended(points, values, stationarity, taken, diverged, limit, outputs, tuple(looks), seen_values, seen_slopes)


def finest(tol: float) -> float:
    """Newton's steps are cheap and double the digits: a thousandth of what is asked for, down to rounding."""
    return max(tol * 1e-3, 1e-13)


def _kept(before: Tensor, after: Tensor, diverged: Tensor) -> Tensor:
    return torch.where(diverged[:, None], before, after)


def merged(parts: list[Ended]) -> Ended:
    """Chunks of seeds as one; a chunk that ended earlier keeps its last look."""
    looks = tuple(sorted({look for part in parts for look in part.looks}))
    return Ended(
        points=torch.cat([part.points for part in parts]),
        values=torch.cat([part.values for part in parts]),
        stationarity=torch.cat([part.stationarity for part in parts]),
        steps=torch.cat([part.steps for part in parts]),
        is_diverged=torch.cat([part.is_diverged for part in parts]),
        is_out_of_steps=torch.cat([part.is_out_of_steps for part in parts]),
        outputs=torch.cat([part.outputs for part in parts]),
        looks=looks,
        seen_values=torch.cat([_at_looks(part.seen_values, part.looks, looks) for part in parts], dim=1),
        seen_slopes=torch.cat([_at_looks(part.seen_slopes, part.looks, looks) for part in parts], dim=1),
    )


def _at_looks(seen: Tensor, own: tuple[int, ...], looks: tuple[int, ...]) -> Tensor:
    places = torch.searchsorted(torch.tensor(own), torch.tensor(looks), right=True) - 1
    return seen[places]


def sliced(ended: Ended, rows: slice) -> Ended:
    """Some of the rows."""
    return Ended(
        ended.points[rows], ended.values[rows], ended.stationarity[rows], ended.steps[rows],
        ended.is_diverged[rows], ended.is_out_of_steps[rows], ended.outputs[rows],
        ended.looks, ended.seen_values[:, rows], ended.seen_slopes[:, rows],
    )  # fmt: skip
