"""Gradient descent in place against steps along autograd's gradient; seeds that diverge leave the others alone."""

from __future__ import annotations

import pytest
import torch

from caltrop.solve.descent import ChainStepper, PlainStepper, descend
from caltrop.solve.landscape import grid_landscape, landscape_of, starts
from caltrop.theory import DeepUfmCrossEntropy, DeepUfmMse, UfmConvex, UfmCrossEntropy
from theory.seesaw import Seesaw

DEEP = {"num_classes": 4, "dim": 5, "weight_decay": 4e-3, "feature_decay": 2e-3}
PROBLEMS = [
    DeepUfmMse(**DEEP, depth=4, per_class=3, bias=True),
    DeepUfmMse(**DEEP, depth=2, relu=False),
    DeepUfmCrossEntropy(**DEEP, depth=3, counts=(1, 2, 3, 4), label_smoothing=0.1),
    DeepUfmCrossEntropy(**DEEP, depth=3, relu=True),
    UfmCrossEntropy(**DEEP, bias=True),
    UfmConvex(**DEEP),
]


def slow(problem, seed, steps, step_size):
    """Gradient descent on samples by autograd, one seed, from class features repeated."""
    chain = problem.class_means
    params = {name: value.clone().requires_grad_() for name, value in problem.lift(chain.init(seed)).items()}
    for _ in range(steps):
        loss = problem.loss(params)
        slopes = torch.autograd.grad(loss, list(params.values()))
        with torch.no_grad():
            for value, slope in zip(params.values(), slopes, strict=True):
                value -= step_size * slope
    return float(problem.loss(params).detach())


@pytest.mark.parametrize("problem", PROBLEMS)
def test_descent_of_class_means_is_that_of_samples_by_autograd(problem):
    landscape = landscape_of(problem)
    path = descend(landscape, starts(problem, (0, 5), 1.0), steps=40, step_size=0.1, every=15)
    assert path.looks == [0, 15, 30, 40]
    # the same steps in another order of sums
    assert path.values[-1].tolist() == pytest.approx([slow(problem, seed, 40, 0.1) for seed in (0, 5)], rel=1e-11)
    assert torch.allclose(landscape.slopes(path.points)[0], path.values[-1], rtol=1e-14, atol=0)


@pytest.mark.parametrize("problem", PROBLEMS)
def test_steps_in_place_are_steps_along_the_gradient(problem):
    landscape, points = landscape_of(problem), starts(problem, range(3), 1.0)
    fast, plain = ChainStepper(landscape, points, 0.1), PlainStepper(landscape, points, 0.1)
    fast.advance(20)
    plain.advance(20)
    assert torch.allclose(fast.points(), plain.points(), rtol=1e-10, atol=1e-13)


def test_a_grid_of_penalties_descends_like_its_problems():
    problems = [DeepUfmMse(**{**DEEP, "weight_decay": decay}, depth=3, per_class=2) for decay in (1e-3, 1e-1)]
    points = starts(problems[0], range(2), 1.0)
    together = descend(grid_landscape(problems, 2), points.repeat(2, 1), steps=30, step_size=0.1)
    apart = [descend(landscape_of(problem), points, steps=30, step_size=0.1) for problem in problems]
    assert torch.allclose(together.points, torch.cat([path.points for path in apart]), rtol=1e-11, atol=1e-14)


def test_single_precision_follows_double():
    problem = PROBLEMS[2]
    points = starts(problem, range(2), 1.0)
    double, single = (
        descend(landscape_of(problem), points, steps=50, step_size=0.1, dtype=dtype)
        for dtype in (torch.float64, torch.float32)
    )
    assert single.points.dtype == torch.float64
    # rounding of 2^-24 at each of 50 steps
    assert torch.allclose(single.points, double.points, rtol=0, atol=1e-4)
    assert not torch.equal(single.points, double.points)


def test_a_seed_that_diverges_stops_at_its_last_finite_point_and_leaves_the_others_alone():
    problem = DeepUfmMse(**DEEP, depth=4, relu=False)
    tame = starts(problem, range(3), 0.6)
    wild = tame.clone()
    wild[1] *= 40
    path = descend(landscape_of(problem), wild, steps=100, step_size=0.2, every=10)
    assert path.is_diverged.tolist() == [False, True, False]
    assert bool(path.points.isfinite().all())
    assert path.steps.tolist() == [100, 0, 100]
    assert path.values[1:, 1].isnan().all()
    alone = descend(landscape_of(problem), tame[[0, 2]], steps=100, step_size=0.2, every=10)
    assert torch.allclose(path.points[[0, 2]], alone.points, rtol=1e-12, atol=1e-15)


def test_a_seed_that_is_stationary_stops():
    path = descend(
        landscape_of(Seesaw(0.25)), starts(Seesaw(0.25), range(4), 1.0), steps=10_000, step_size=0.1, tol=1e-8
    )
    assert bool((path.slopes[-1] <= 1e-8).all())
    assert int(path.steps.max()) < 10_000
    assert path.values[-1].tolist() == pytest.approx([Seesaw(0.25).optimal_value] * 4, abs=1e-13)
