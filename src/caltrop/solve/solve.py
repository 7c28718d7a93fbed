"""Solve a problem from many starts at once, by the method that suits it."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import torch
from rich.progress import TimeElapsedColumn
from torch import Tensor

from caltrop.record.status import Status
from caltrop.solve.batch import Ended, Plan, Told, descended, finest, merged, sliced
from caltrop.solve.landscape import Landscape, batch_key, grid_landscape, landscape_of, starts
from caltrop.solve.newton import newton
from caltrop.solve.nuclear import solve_nuclear
from caltrop.solve.outcomes import outcomes
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
_MAX_STEPS = {"convex": 100, "lbfgs": 5_000, "rounded": 5_000, "gradient-descent": 20_000}
STEP_SIZE = 0.5
# rows of one batch: more gain nothing, and take memory
CHUNK = 64


def solve(
    problem: Problem,
    *,
    seeds: int | Sequence[int] | np.ndarray = 1,
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
        None takes 20 000 steps of gradient descent, 5 000 iterations of L-BFGS, 100 of the convex solver.
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
    seeds: int | Sequence[int] | np.ndarray = 1,
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
        Plan(_method(problem, method), _positive("tol", tol), _steps(problem, method, max_steps),
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


def _together(problems: Sequence[Problem], seeds: tuple[int, ...], plan: Plan, told: Told) -> list[Solution]:
    started = time.perf_counter()
    first = problems[0]
    if plan.method == "convex":
        return [_convex(problem, seeds, plan, told) for problem in problems]
    begin = starts(first, seeds, plan.scale).repeat(len(problems), 1)
    if len(problems) > 1:
        landscape: Landscape = grid_landscape([p for p in problems if isinstance(p, Unconstrained)], len(seeds))
    else:
        landscape = landscape_of(first)
    chunks = torch.split(torch.arange(len(begin)), CHUNK)
    ended = [descended(landscape.select(rows), begin[rows], plan, told) for rows in chunks]
    seconds = (time.perf_counter() - started) / len(problems)
    batch, count = merged(ended), len(seeds)
    return [
        _solution(problem, seeds, plan, sliced(batch, slice(n * count, (n + 1) * count)), landscape, seconds)
        for n, problem in enumerate(problems)
    ]


def _solution(
    problem: Problem, seeds: tuple[int, ...], plan: Plan, ended: Ended, landscape: Landscape, seconds: float
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


def _convex(problem: Problem, seeds: tuple[int, ...], plan: Plan, told: Told) -> Solution:
    """The convex problem's answer, its factors polished; the same for every seed, since no start enters.

    Where the width has no room for its rank the seeds are solved by L-BFGS, beside the convex problem's bound.
    """
    started = time.perf_counter()
    assert isinstance(problem, OneLayer)
    found = solve_nuclear(problem, max_iterations=plan.steps)
    bound = max(problem.lower_bound, found.lower_bound)
    if not found.fits:
        (narrow,) = _together([problem], seeds, replace(plan, method="lbfgs"), told)
        return replace(narrow, lower_bound=bound, seconds=time.perf_counter() - started)
    landscape = landscape_of(problem)
    point = landscape.layout.pack(found.params)[None]
    # a point that is exact in value is so in its gradient only to the root of that
    polished = newton(landscape, point, tol=finest(plan.tol))
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


def _seeds(asked: int | Sequence[int] | np.ndarray) -> tuple[int, ...]:
    if isinstance(asked, Sequence | np.ndarray):
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
