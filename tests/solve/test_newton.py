"""Newton's method: quadratic ends, exact Hessian products, and points that it must leave alone."""

from __future__ import annotations

from dataclasses import dataclass

import pytest
import torch

from caltrop.solve.landscape import Layout, grid_landscape, landscape_of, starts
from caltrop.solve.lbfgs import lbfgs
from caltrop.solve.newton import hessian_products, newton
from caltrop.theory import DeepUfmCrossEntropy, DeepUfmMse, UfmCrossEntropy

DEEP = {"num_classes": 4, "dim": 5, "depth": 2, "weight_decay": 1e-3, "feature_decay": 1e-3}


def test_hessian_products_are_differences_of_gradients():
    problem = DeepUfmMse(**{**DEEP, "depth": 3}, bias=True)
    landscape, points = landscape_of(problem), starts(problem, range(3), 1.0)
    directions = starts(problem, (7, 8, 9), 1.0)
    step = 1e-6
    above, below = (landscape.slopes(points + sign * step * directions)[1] for sign in (1, -1))
    # second differences of terms of order 1: rounding 1e-16/1e-6
    assert torch.allclose(
        hessian_products(landscape, points, directions), (above - below) / (2 * step), rtol=0, atol=1e-8
    )


@pytest.mark.parametrize("problem", [DeepUfmCrossEntropy(**DEEP), UfmCrossEntropy(
    num_classes=4, dim=6, counts=(1, 2, 3, 6), weight_decay=5e-3, feature_decay=5e-3, bias=True)])  # fmt: skip
def test_from_six_digits_it_reaches_rounding_in_a_few_steps(problem):
    landscape = landscape_of(problem)
    near = lbfgs(landscape, starts(problem, range(4), 1.0), steps=500, tol=1e-6)
    found = newton(landscape, near.points, tol=1e-13)
    assert bool((found.slopes <= 1e-13).all())
    assert int(found.steps.max()) <= 4
    assert bool((found.values <= near.values + 1e-15).all())


def test_rows_have_their_own_penalties():
    problems = [DeepUfmCrossEntropy(**{**DEEP, "weight_decay": decay}) for decay in (1e-3, 1e-2)]
    grid = grid_landscape(problems, 2)
    points = starts(problems[0], range(2), 1.0).repeat(2, 1)
    near = lbfgs(grid, points, steps=500, tol=1e-6)
    # a row that is done leaves the others their own
    near.points[0] = newton(landscape_of(problems[0]), near.points[:1], tol=1e-13).points[0]
    found = newton(grid, near.points, tol=1e-13)
    assert found.steps[0] == 0
    assert bool((found.steps[1:] > 0).all())
    for place, problem in enumerate(problems):
        slopes = landscape_of(problem).slopes(found.points[2 * place : 2 * place + 2])[1]
        assert float(slopes.abs().max()) <= 1e-12


def test_a_value_is_never_raised_to_lower_a_gradient():
    """Random starts are no critical points: whatever step is taken must not climb towards one."""
    problem = DeepUfmCrossEntropy(**DEEP)
    landscape, points = landscape_of(problem), starts(problem, range(6), 1.0)
    before, _ = landscape.slopes(points)
    found = newton(landscape, points, tol=1e-13)
    assert bool((found.values <= before * (1 + 1e-12)).all())
    assert torch.allclose(landscape.slopes(found.points)[0], found.values, rtol=1e-14, atol=0)


@dataclass(frozen=True)
class Dip:
    """Σ 1 − exp(−x²/2): a full Newton step from beyond 0.8 lands on the plateau, where the gradient is small."""

    layout = Layout({"x": (1,)})

    def values(self, points):
        return (1 - torch.exp(-points.square() / 2)).sum(-1)

    def slopes(self, points):
        return self.values(points), points * torch.exp(-points.square() / 2)

    def outputs(self, points):
        return points

    def select(self, rows):
        return self


def test_a_smaller_gradient_higher_up_is_refused():
    start = torch.tensor([[0.9], [0.3]], dtype=torch.float64)
    found = newton(Dip(), start, tol=1e-12)
    assert bool((found.points.abs() <= 1e-12).all())


def test_a_point_that_is_not_finite_stays():
    problem = DeepUfmCrossEntropy(**DEEP)
    points = starts(problem, range(2), 1.0)
    points[0, 0] = torch.nan
    found = newton(landscape_of(problem), points, tol=1e-9)
    assert found.steps[0] == 0
    assert torch.equal(found.points[0].isnan(), points[0].isnan())
