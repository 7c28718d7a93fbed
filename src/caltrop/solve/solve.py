"""Solve a problem from many starts at once, by the method that suits it."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import torch
from rich.progress import TimeElapsedColumn
from torch import Tensor

from caltrop.record.status import Status
from caltrop.solve.descent import descend
from caltrop.solve.kink_newton import polish_at_kinks
from caltrop.solve.landscape import (
    ChainLandscape,
    Landscape,
    batch_key,
    grid_landscape,
    landscape_of,
    starts,
)
from caltrop.solve.lbfgs import lbfgs
from caltrop.solve.newton import newton
from caltrop.solve.nuclear import solve_nuclear
from caltrop.solve.outcomes import outcomes
from caltrop.solve.rounded import lbfgs_rounded
from caltrop.solve.solution import Solution, Trajectory
from caltrop.theory import Problem
from caltrop.theory.one_layer import OneLayer
from caltrop.theory.unconstrained import Unconstrained, whole

METHODS = {
    "convex": "the convex problem over logits, whose answer does not depend on a start (one layer)",
    "lbfgs": "L-BFGS, then Newton's method (smooth problems)",
    "rounded": "L-BFGS with ReLU rounded ever less at its kinks, then Newton's method on the kinks found (deep ReLU)",
    "gradient-descent": "gradient descent with a fixed step, the papers' setting; then a polish within the basin",
}
_MAX_STEPS = {"convex": 100_000, "lbfgs": 5_000, "rounded": 5_000, "gradient-descent": 20_000}
STEP_SIZE = 0.5
# rows of one batch: more gain nothing, and take memory
CHUNK = 64


def solve(
    problem: Problem,
    *,
    seeds: int | Sequence[int] = 1,
    method: str | None = None,
    tol: float = 1e-9,
    max_steps: int | None = None,
    scale: float = 1.0,
    step_size: float | None = None,
    polish: bool = True,
    progress: bool = False,
) -> Solution:
    """Solve a problem from several starts at once.

    Parameters
    ----------
    problem
        Any registered problem. An unconstrained features model is solved over class means, which is exact.
    seeds
        How many starts (0, 1, …), or which.
    method
        One of `METHODS`; None takes "convex" for one layer, "rounded" for deep ReLU and "lbfgs" for all else.
    tol
        The largest absolute (sub)gradient of a point that counts as stationary.
    max_steps
        None takes 20 000 steps of gradient descent, else 5 000 iterations.
    scale
        Entries of a start have standard deviation scale/√dim.
    step_size
        Of gradient descent, on samples; None takes the papers' 0.5.
    polish
        Whether gradient descent is followed by a descent to the bottom of its basin; its own end is then the last look
        of `trajectory`.
    progress
        Whether to show a bar on stderr.

    Returns
    -------
    Solution
        Never fails to converge aloud: its `outcomes` and `certificate` say how it went.

    Raises
    ------
    ValueError
        For a method that does not exist or does not fit the problem, no seeds, numbers that are not possible.
    """
    return solve_grid(
        [problem], seeds=seeds, method=method, tol=tol, max_steps=max_steps, scale=scale,
        step_size=step_size, polish=polish, progress=progress,
    )[0]  # fmt: skip


def solve_grid(
    problems: Sequence[Problem],
    *,
    seeds: int | Sequence[int] = 1,
    method: str | None = None,
    tol: float = 1e-9,
    max_steps: int | None = None,
    scale: float = 1.0,
    step_size: float | None = None,
    polish: bool = True,
    progress: bool = False,
) -> tuple[Solution, ...]:
    """Solve several problems from the same seeds, those that differ in their penalties only in one batch.

    Arguments and errors are those of `solve`; one Solution for each problem, in order. `seconds` of problems that
    shared a batch is that of the batch, divided evenly.
    """
    chosen = _seeds(seeds)
    plans = [
        _Plan(_method(problem, method), _positive("tol", tol), _steps(problem, method, max_steps),
              _positive("scale", scale), _positive("step_size", STEP_SIZE if step_size is None else step_size), polish)
        for problem in problems
    ]  # fmt: skip
    groups: dict[object, list[int]] = {}
    for place, (problem, plan) in enumerate(zip(problems, plans, strict=True)):
        key = batch_key(problem)
        alone = key is None or plan.method == "convex"
        groups.setdefault(place if alone else (key, plan.method), []).append(place)
    found: dict[int, Solution] = {}
    total = len(problems) * len(chosen)
    with Status("seeds", total, TimeElapsedColumn(), shown=progress) as status:
        for places in groups.values():
            members, plan = [problems[place] for place in places], plans[places[0]]
            solved = _together(members, chosen, plan, _teller(status, len(found) * len(chosen)))
            found.update(zip(places, solved, strict=True))
            status.update(len(found) * len(chosen), "")
            status.say(f"{len(found) * len(chosen)} of {total} seeds: {solved[-1]!r}")
    return tuple(found[place] for place in range(len(problems)))


@dataclass(frozen=True)
class _Plan:
    method: str
    tol: float
    steps: int
    scale: float
    step_size: float
    polish: bool


@dataclass(frozen=True, eq=False)
class _Ended:
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


Told = Callable[[int, Tensor], None]


def _together(problems: Sequence[Problem], seeds: tuple[int, ...], plan: _Plan, told: Told) -> list[Solution]:
    started = time.perf_counter()
    first = problems[0]
    if plan.method == "convex":
        return [_convex(problem, seeds, plan, told) for problem in problems]
    begin = starts(first, seeds, plan.scale).repeat(len(problems), 1)
    if len(problems) > 1:
        landscape: Landscape = grid_landscape([p for p in problems if isinstance(p, Unconstrained)], len(seeds))
    else:
        landscape = landscape_of(first)
    ended = []
    for rows in torch.arange(len(begin)).split(CHUNK):
        ended.append(_descended(landscape.select(rows), begin[rows], plan, told))
    seconds = (time.perf_counter() - started) / len(problems)
    whole_batch = _merged(ended)
    return [
        _solution(problem, seeds, plan, _slice(whole_batch, slice(n * len(seeds), (n + 1) * len(seeds))), landscape, seconds)
        for n, problem in enumerate(problems)
    ]  # fmt: skip


def _descended(landscape: Landscape, points: Tensor, plan: _Plan, told: Told) -> _Ended:
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
            points = _kept(points, lbfgs_rounded(landscape, points, steps=2_000, stages=_LATE).points, diverged)
        elif plan.polish:
            points = _kept(points, lbfgs(landscape, points, steps=2_000, tol=max(plan.tol, _NEAR)).points, diverged)
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
        polished = newton(landscape, points, tol=_finest(plan.tol))
        points, values, stationarity = polished.points, polished.values, polished.slopes
        taken = taken + polished.steps
    outputs = landscape.outputs(points).abs().flatten(1).amax(dim=-1)
    values = torch.where(diverged, torch.nan, values)
    stationarity = torch.where(diverged, torch.nan, stationarity)
    return _Ended(
        points, values, stationarity, taken, diverged, limit, outputs, tuple(looks), seen_values, seen_slopes
    )


# where Newton's method takes over, and the stages of rounding that leave a basin where it is
_NEAR = 1e-7
_LATE = (3e-3, 1e-3, 3e-4, 1e-4)


def _finest(tol: float) -> float:
    """Newton's steps are cheap and double the digits: a thousandth of what is asked for, down to rounding."""
    return max(tol * 1e-3, 1e-13)


def _kept(before: Tensor, after: Tensor, diverged: Tensor) -> Tensor:
    return torch.where(diverged[:, None], before, after)


def _merged(parts: list[_Ended]) -> _Ended:
    """Chunks of seeds as one; a chunk that ended earlier keeps its last look."""
    if len(parts) == 1:
        return parts[0]
    looks = tuple(sorted({look for part in parts for look in part.looks}))
    return _Ended(
        *(
            torch.cat([getattr(part, name) for part in parts])
            for name in ("points", "values", "stationarity", "steps", "is_diverged", "is_out_of_steps", "outputs")
        ),
        looks,
        torch.cat([_at_looks(part.seen_values, part.looks, looks) for part in parts], dim=1),
        torch.cat([_at_looks(part.seen_slopes, part.looks, looks) for part in parts], dim=1),
    )


def _at_looks(seen: Tensor, own: tuple[int, ...], looks: tuple[int, ...]) -> Tensor:
    places = torch.searchsorted(torch.tensor(own), torch.tensor(looks), right=True) - 1
    return seen[places]


def _slice(ended: _Ended, rows: slice) -> _Ended:
    return _Ended(
        ended.points[rows], ended.values[rows], ended.stationarity[rows], ended.steps[rows],
        ended.is_diverged[rows], ended.is_out_of_steps[rows], ended.outputs[rows],
        ended.looks, ended.seen_values[:, rows], ended.seen_slopes[:, rows],
    )  # fmt: skip


def _solution(
    problem: Problem, seeds: tuple[int, ...], plan: _Plan, ended: _Ended, landscape: Landscape, seconds: float
) -> Solution:
    words = outcomes(ended.outputs, ended.is_diverged, ended.stationarity <= plan.tol, ended.is_out_of_steps)
    return Solution(
        problem=problem,
        seeds=seeds,
        values=ended.values,
        stationarity=ended.stationarity,
        outcomes=words,
        params={name: value.clone() for name, value in landscape.layout.unpack(ended.points).items()},
        trajectory=Trajectory(ended.looks, ended.seen_values, ended.seen_slopes),
        method=plan.method,
        steps=ended.steps,
        seconds=seconds,
        tol=plan.tol,
        lower_bound=problem.lower_bound,
    )


def _convex(problem: Problem, seeds: tuple[int, ...], plan: _Plan, told: Told) -> Solution:
    """The convex problem's answer, its factors polished; the same for every seed, since no start enters.

    Where the width has no room for its rank the seeds are solved by L-BFGS, beside the convex problem's bound.
    """
    started = time.perf_counter()
    assert isinstance(problem, OneLayer)
    found = solve_nuclear(problem)
    bound = max(problem.lower_bound, found.lower_bound)
    if not found.fits:
        (narrow,) = _together([problem], seeds, replace(plan, method="lbfgs"), told)
        return replace(narrow, lower_bound=bound, seconds=time.perf_counter() - started)
    landscape = landscape_of(problem)
    point = landscape.layout.pack(found.params)[None]
    # a point that is exact in value is so in its gradient only to the root of that
    polished = newton(landscape, point, tol=_finest(plan.tol))
    outputs = landscape.outputs(polished.points).abs().flatten(1).amax(dim=-1)
    count = len(seeds)
    no = torch.zeros(1, dtype=torch.bool)
    (word,) = outcomes(outputs, no, polished.slopes <= plan.tol, no)
    params = landscape.layout.unpack(polished.points)
    return Solution(
        problem=problem,
        seeds=seeds,
        values=polished.values.repeat(count),
        stationarity=polished.slopes.repeat(count),
        outcomes=(word,) * count,
        params={name: value.repeat(count, *(1,) * (value.ndim - 1)) for name, value in params.items()},
        trajectory=None,
        method=plan.method,
        steps=torch.full((count,), found.iterations, dtype=torch.int64),
        seconds=time.perf_counter() - started,
        tol=plan.tol,
        lower_bound=bound,
    )


def _method(problem: Problem, asked: str | None) -> str:
    deep = isinstance(problem, Unconstrained) and getattr(problem, "depth", 1) > 1
    relu = deep and bool(getattr(problem, "relu", False))
    if asked is None:
        return "convex" if isinstance(problem, OneLayer) else "rounded" if relu else "lbfgs"
    if asked not in METHODS:
        raise ValueError(f"method={asked!r} is none of {', '.join(METHODS)}.")
    why = None
    if asked == "convex" and not isinstance(problem, OneLayer):
        why = "only the one-layer models are convex in their logits"
    elif asked == "rounded" and not relu:
        why = "it has no ReLU to round"
    if why:
        raise ValueError(f"method='{asked}' does not fit {problem}: {why}. Leave method out to have one chosen.")
    return asked


def _steps(problem: Problem, method: str | None, asked: int | None) -> int:
    if asked is None:
        return _MAX_STEPS[_method(problem, method)]
    return whole("max_steps", asked, 1, "a solver takes at least one step")


def _seeds(asked: int | Sequence[int]) -> tuple[int, ...]:
    if isinstance(asked, Sequence):
        chosen = tuple(whole("seeds", seed, 0, "a seed is a number of a start") for seed in asked)
        if not chosen:
            raise ValueError("seeds is empty: give at least one.")
        return chosen
    return tuple(range(whole("seeds", asked, 1, "it is the number of starts, or a sequence of seeds")))


def _positive(name: str, value: float) -> float:
    if not 0 < value < float("inf"):
        raise ValueError(f"{name}={value!r} must be positive and finite.")
    return float(value)


def _teller(status: Status, done: int) -> Told:
    def tell(step: int, values: Tensor) -> None:
        finite = values[values.isfinite()]
        lowest = f", lowest {float(finite.min()):.8g}" if len(finite) else ""
        status.update(done, f"step {step}{lowest}")

    return tell
