"""Many seeds at once against a loop over seeds: gradient descent, L-BFGS, and a published width sweep.

`python -m benchmarks.solving` measures CPU microseconds per step and seed, CPU seconds of L-BFGS beside SciPy's, and
seconds of 8 widths × 10 seeds × 20 000 steps (Fig. 2 of garrod2025persistence), on one thread, and writes
`results/solving.json`. `--smoke` proves in seconds that everything runs, and writes nothing.
"""

from __future__ import annotations

import argparse
import json
import statistics
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch
from scipy.optimize import minimize

from benchmarks.environment import QUIET, environment, load_per_core
from caltrop.solve import solve
from caltrop.solve.descent import ChainStepper
from caltrop.solve.landscape import ChainLandscape, Layout, landscape_of, starts
from caltrop.solve.lbfgs import lbfgs
from caltrop.theory import DeepUfmCrossEntropy, DeepUfmMse, Problem

RESULTS = Path(__file__).parent / "results" / "solving.json"
STEP_SIZE = 0.3
SEEDS = (1, 4, 16, 64)
WIDTHS = (10, 20, 30, 50, 70, 100, 130, 160)
# what was aimed at: CPU seconds of a loop with autograd over those of a scheme at 64 seeds, and seconds of the sweep
TARGETS = {"batched, autograd": 5.0, "batched, in place": 8.0, "sweep wall_s": 240.0}

Params = dict[str, torch.Tensor]
Work = Callable[[], object]


def loop_autograd(problem: DeepUfmMse, seeds: int) -> Callable[[int], None]:
    """A loop over seeds around torch.optim.SGD, class-mean features as one more parameter."""
    chain = problem.class_means
    models = []
    for seed in range(seeds):
        params = {name: value.requires_grad_() for name, value in chain.init(seed, 0.6).items()}
        models.append((params, torch.optim.SGD(params.values(), lr=STEP_SIZE)))

    def run(steps: int) -> None:
        for params, optimiser in models:
            for _ in range(steps):
                optimiser.zero_grad()
                chain.loss(params).backward()  # type: ignore[no-untyped-call]
                optimiser.step()

    return run


def loop_by_hand(problem: DeepUfmMse, seeds: int) -> Callable[[int], None]:
    """A loop over seeds around the gradient by hand."""
    chain = problem.class_means
    models = [chain.init(seed, 0.6) for seed in range(seeds)]

    def run(steps: int) -> None:
        for params in models:
            for _ in range(steps):
                _, gradient = chain.value_and_gradient(params)
                for name, value in params.items():
                    value.sub_(gradient[name], alpha=STEP_SIZE)

    return run


def batched_autograd(problem: DeepUfmMse, seeds: int) -> Callable[[int], None]:
    """Seeds as a leading axis, the gradient by autograd of the broadcast loss."""
    chain = problem.class_means
    several = [chain.init(seed, 0.6) for seed in range(seeds)]
    params = {name: torch.stack([one[name] for one in several]).requires_grad_() for name in chain.shapes}
    leaves = list(params.values())

    def run(steps: int) -> None:
        for _ in range(steps):
            slopes = torch.autograd.grad(chain.loss(params).sum(), leaves)
            with torch.no_grad():
                torch._foreach_add_(leaves, slopes, alpha=-STEP_SIZE)

    return run


def in_place(problem: DeepUfmMse, seeds: int) -> Callable[[int], None]:
    """Seeds as a leading axis, steps in place: what `solve` does."""
    landscape = landscape_of(problem)
    assert isinstance(landscape, ChainLandscape)
    return ChainStepper(landscape, starts(problem, range(seeds), 0.6), STEP_SIZE).advance


SCHEMES = {
    "loop, autograd": loop_autograd,
    "loop, by hand": loop_by_hand,
    "batched, autograd": batched_autograd,
    "batched, in place": in_place,
}


def descent(seeds: tuple[int, ...], steps: int, rounds: int) -> list[dict[str, Any]]:
    """CPU microseconds per step and seed of each scheme, median, least and largest of rounds that take turns."""
    problem = DeepUfmMse(num_classes=10, dim=64, depth=4, weight_decay=4e-3, feature_decay=4e-3)
    found = []
    for count in seeds:
        taken: dict[str, list[float]] = {name: [] for name in SCHEMES}
        # a loop costs the same for every seed, so that a few stand for all
        share = {name: min(count, 4) if name.startswith("loop") else count for name in SCHEMES}
        runs = {name: make(problem, share[name]) for name, make in SCHEMES.items()}
        for run in runs.values():
            run(3)
        for _ in range(rounds):
            for name, run in runs.items():
                seconds = cpu_seconds(lambda run=run: run(steps))  # type: ignore[misc]
                taken[name].append(1e6 * seconds / steps / share[name])
        rows = {name: spread(values) for name, values in taken.items()}
        slow, hand = rows["loop, autograd"]["median"], rows["loop, by hand"]["median"]
        for name, row in rows.items():
            ratios = {"times_loop_autograd": slow / row["median"], "times_loop_by_hand": hand / row["median"]}
            found.append({"seeds": count, "scheme": name, "cpu_us_per_step_and_seed": row, **ratios})
    return found


def quasi_newton(cases: tuple[tuple[int, int, int], ...], seeds: int, rounds: int) -> list[dict[str, Any]]:
    """CPU seconds of L-BFGS from all seeds to a gradient of 1e-7, beside a loop of SciPy's with the same gradient."""
    found = []
    for num_classes, depth, dim in cases:
        decay = 2.0**-10
        problem = DeepUfmCrossEntropy(
            num_classes=num_classes, depth=depth, dim=dim, weight_decay=decay, feature_decay=decay
        )
        landscape, points = landscape_of(problem), starts(problem, range(seeds), 1.0)
        ours, theirs = [], []
        for _ in range(rounds):
            ours.append(cpu_seconds(lambda: lbfgs(landscape, points, steps=3_000, tol=1e-7)))  # noqa: B023
            theirs.append(cpu_seconds(lambda: scipy_loop(problem, points)))  # noqa: B023
        solved = lbfgs(landscape, points, steps=3_000, tol=1e-7)
        values = scipy_loop(problem, points)
        found.append({
            "classes": num_classes, "depth": depth, "dim": dim, "seeds": seeds,
            "batched_cpu_s": spread(ours), "scipy_loop_cpu_s": spread(theirs),
            "times": statistics.median(theirs) / statistics.median(ours),
            "batched_reached": int((solved.slopes <= 1e-7).sum()),
            "scipy_reached": sum(slope <= 1e-7 for _, slope in values),
            "batched_lowest": float(solved.values.min()), "scipy_lowest": min(value for value, _ in values),
        })  # fmt: skip
    return found


def scipy_loop(problem: DeepUfmCrossEntropy, points: torch.Tensor) -> list[tuple[float, float]]:
    """Value and largest gradient where SciPy's L-BFGS-B ends, start by start."""
    chain = problem.class_means
    layout = Layout(chain.shapes)

    def slopes(flat: np.ndarray) -> tuple[float, np.ndarray]:
        value, gradient = chain.value_and_gradient(layout.unpack(torch.from_numpy(flat)))
        return float(value), layout.pack(gradient).numpy()

    options = {"maxiter": 3_000, "maxfun": 6_000, "ftol": 0.0, "gtol": 1e-7, "maxcor": 10}
    ended = [minimize(slopes, point.numpy().copy(), jac=True, method="L-BFGS-B", options=options) for point in points]
    return [(float(one.fun), float(np.abs(one.jac).max())) for one in ended]


def sweep(widths: tuple[int, ...], seeds: int, steps: int) -> dict[str, Any]:
    """Seconds of gradient descent over widths (K=10, L=2, n=5, λ=2⁻¹⁰, step 0.5), float64, without and with polish."""
    rows = []
    for dim in widths:
        decay = 2.0**-10
        problem: Problem = DeepUfmCrossEntropy(
            num_classes=10, depth=2, dim=dim, per_class=5, weight_decay=decay, feature_decay=decay
        )
        seconds, cpu = time.perf_counter(), time.process_time()
        raw = solve(problem, seeds=seeds, method="gradient-descent", max_steps=steps, polish=False)
        middle, middle_cpu = time.perf_counter(), time.process_time()
        polished = solve(problem, seeds=seeds, method="gradient-descent", max_steps=steps)
        rows.append({
            "dim": dim, "wall_s": middle - seconds, "cpu_s": middle_cpu - cpu,
            "polished_wall_s": time.perf_counter() - middle, "polished_cpu_s": time.process_time() - middle_cpu,
            "lowest": float(raw.values.min()), "polished_lowest": float(polished.values.min()),
            "converged": polished.outcomes.count("converged"), "diverged": raw.outcomes.count("diverged"),
        })  # fmt: skip
    totals = {key: sum(row[key] for row in rows) for key in ("wall_s", "cpu_s", "polished_wall_s", "polished_cpu_s")}
    return {"seeds": seeds, "steps": steps, "widths": rows, **totals}


def cpu_seconds(work: Work) -> float:
    """CPU seconds of this process."""
    started = time.process_time()
    work()
    return time.process_time() - started


def spread(values: list[float]) -> dict[str, float]:
    """Median, least and largest."""
    return {"median": statistics.median(values), "least": min(values), "largest": max(values)}


def measured(*, smoke: bool) -> dict[str, Any]:
    """The whole record."""
    torch.set_num_threads(1)
    before = load_per_core()
    if smoke:
        parts = {
            "descent": descent((1, 4), steps=3, rounds=1),
            "lbfgs": quasi_newton(((4, 2, 5),), seeds=2, rounds=1),
            "sweep": sweep((10, 12), seeds=2, steps=50),
        }
    else:
        parts = {
            "descent": descent(SEEDS, steps=100, rounds=5),
            "lbfgs": quasi_newton(((4, 3, 6), (10, 3, 12), (10, 4, 32)), seeds=16, rounds=3),
            "sweep": sweep(WIDTHS, seeds=10, steps=20_000),
        }
    loads = [load for load in (before, load_per_core()) if load is not None]
    quiet = bool(loads) and max(loads) <= QUIET
    return {"environment": environment(), "load_per_core": loads, "quiet": quiet, "targets": TARGETS, **parts}


def main() -> None:
    """Measure and write the file."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.solving", description=__doc__)
    parser.add_argument("--smoke", action="store_true", help="seconds instead of minutes, nothing written")
    parser.add_argument("--out", type=Path, default=None)
    given = parser.parse_args()
    record = measured(smoke=given.smoke)
    out = given.out or (None if given.smoke else RESULTS)
    if out is not None:
        out.write_text(json.dumps(record, indent=1, allow_nan=False) + "\n", encoding="utf-8")
    for row in record["descent"]:
        median = row["cpu_us_per_step_and_seed"]["median"]
        print(f"{row['seeds']:3d} seeds, {row['scheme']}: {median:.0f} µs, ×{row['times_loop_autograd']:.1f} the loop")
    for row in record["lbfgs"]:
        print(f"L-BFGS K={row['classes']} L={row['depth']} d={row['dim']}: ×{row['times']:.1f} SciPy's loop")
    print(f"sweep: {record['sweep']['wall_s']:.0f} s, polished {record['sweep']['polished_wall_s']:.0f} s")
    if not record["quiet"]:
        print(f"not a quiet run (load per core {record['load_per_core']}): trust CPU seconds and ratios, not wall time")


if __name__ == "__main__":
    main()
