"""L-BFGS of many seeds at once: against SciPy's, on problems of which the optimum is known, and where nothing works."""

from __future__ import annotations

from dataclasses import dataclass

import pytest
import torch

from caltrop.solve.landscape import Layout, landscape_of, starts
from caltrop.solve.lbfgs import _History, lbfgs
from caltrop.theory import DeepUfmCrossEntropy, UfmMse
from theory.descent import descended

LAYOUT = Layout({"x": (6,)})


@dataclass(frozen=True)
class Bowl:
    """½ Σ aᵢ xᵢ² with curvatures 1 to 10⁴, or |x| with its kink."""

    kink: bool = False
    layout = LAYOUT

    def values(self, points):
        if self.kink:
            return points.abs().sum(-1)
        return (torch.logspace(0, 4, 6, dtype=torch.float64) * points.square()).sum(-1) / 2

    def slopes(self, points):
        with torch.enable_grad():
            leaves = points.detach().clone().requires_grad_()
            values = self.values(leaves)
            (gradient,) = torch.autograd.grad(values.sum(), leaves)
        return values.detach(), gradient

    def outputs(self, points):
        return points

    def select(self, rows):
        return self


def draw(rows, seed=0):
    return torch.randn(rows, 6, dtype=torch.float64, generator=torch.Generator().manual_seed(seed))


def test_a_quadratic_is_solved_and_rows_do_not_depend_on_their_neighbours():
    points = draw(5)
    points[2] = 0
    together = lbfgs(Bowl(), points, steps=200, tol=1e-10)
    assert bool((together.slopes <= 1e-10).all())
    assert together.steps[2] == 0
    for row in range(5):
        alone = lbfgs(Bowl(), points[row : row + 1], steps=200, tol=1e-10)
        assert torch.allclose(alone.points[0], together.points[row], rtol=0, atol=1e-12)
        assert alone.steps[0] == together.steps[row]


def test_the_direction_is_that_of_the_two_loop_recursion():
    """Nocedal & Wright, algorithm 7.4, on vectors."""
    curvature = torch.diag(torch.arange(1.0, 7.0, dtype=torch.float64))
    history = _History.empty(torch.zeros(1, 6, dtype=torch.float64), 3)
    steps = draw(5, seed=1)
    gradient = draw(1, seed=2)
    for step in steps:
        moved = torch.ones(1, dtype=torch.bool)
        products = history.add(step[None], (curvature @ step)[None], gradient, moved)
    found = history.direction(gradient, products)[0]
    pairs = [(step, curvature @ step) for step in steps[-3:]]
    q, amounts = gradient[0].clone(), []
    for s, y in reversed(pairs):
        amounts.append(float(s @ q / (s @ y)))
        q -= amounts[-1] * y
    s, y = pairs[-1]
    r = float(s @ y / (y @ y)) * q
    for (s, y), amount in zip(pairs, reversed(amounts), strict=True):
        r += (amount - float(y @ r / (s @ y))) * s
    assert torch.allclose(found, -r, rtol=1e-12, atol=0)


def test_a_pair_without_positive_curvature_changes_nothing():
    history = _History.empty(torch.zeros(1, 6, dtype=torch.float64), 3)
    gradient, step = draw(1, seed=2), draw(1, seed=3)
    products = history.add(step, -step, gradient, torch.ones(1, dtype=torch.bool))
    assert torch.equal(history.direction(gradient, products), -gradient)
    assert int(history.pairs) == 0


def test_values_reach_the_optimum_as_scipy_s_do():
    problem = UfmMse(num_classes=4, dim=4, weight_decay=5e-3, feature_decay=5e-3, per_class=3)
    found = lbfgs(landscape_of(problem), starts(problem, range(4), 1.0), steps=500, tol=1e-10)
    assert found.values.tolist() == pytest.approx([problem.optimal_value] * 4, abs=1e-14)
    # SciPy's stops where values no longer change in float64
    assert float(found.values[0]) == pytest.approx(descended(problem, 0), abs=1e-8)


def test_the_looks_are_of_all_rows_and_never_rise():
    problem = DeepUfmCrossEntropy(num_classes=4, dim=5, depth=3, weight_decay=1e-3, feature_decay=1e-3)
    found = lbfgs(landscape_of(problem), starts(problem, range(3), 1.0), steps=500, tol=1e-9, every=10)
    assert found.looks[:3] == [0, 10, 20]
    assert found.seen_values.shape == (len(found.looks), 3)
    assert bool((found.seen_values.diff(dim=0) <= 1e-15).all())
    assert torch.equal(found.seen_values[-1], found.values)


def test_steps_run_out():
    found = lbfgs(Bowl(), draw(2), steps=3, tol=1e-12)
    assert found.steps.tolist() == [3, 3]
    assert bool((found.slopes > 1e-12).all())


def test_at_a_kink_it_ends_and_says_so():
    found = lbfgs(Bowl(kink=True), draw(3), steps=400, tol=1e-10)
    assert bool(found.points.isfinite().all())
    # |x| has slopes ±1 or exactly 0: what is left cannot be lowered
    assert bool((found.values < 1e-6).all())
    assert bool((found.is_stuck | (found.slopes == 0) | (found.steps == 400)).all())


def test_a_start_that_is_not_finite_is_left_alone():
    points = draw(3)
    points[1, 0] = torch.inf
    found = lbfgs(Bowl(), points, steps=100, tol=1e-10)
    assert found.is_stuck.tolist() == [False, True, False]
    assert bool((found.slopes[[0, 2]] <= 1e-10).all())
