"""What the solvers see of a problem: flat points, values, gradients and rows that can be taken out."""

from __future__ import annotations

import pytest
import torch

from caltrop.solve.landscape import (
    ChainLandscape,
    Layout,
    ProblemLandscape,
    batch_key,
    grid_landscape,
    landscape_of,
    rates_of,
    starts,
)
from caltrop.theory import DeepUfmCrossEntropy, DeepUfmMse, UfmMse
from theory.seesaw import Seesaw

DEEP = {"num_classes": 4, "dim": 5, "depth": 3, "weight_decay": 4e-3, "feature_decay": 2e-3}


def by_class(**more):
    return DeepUfmMse(**{**DEEP, "counts": (1, 2, 3, 4), "bias": True, **more})


def test_points_come_back_from_their_layout():
    layout = Layout({"a": (2, 3), "b": (4,), "c": ()})
    points = torch.randn(5, layout.size, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    params = layout.unpack(points)
    assert {name: tuple(value.shape) for name, value in params.items()} == {"a": (5, 2, 3), "b": (5, 4), "c": (5,)}
    assert torch.equal(layout.pack(params), points)


@pytest.mark.parametrize("problem", [by_class(), by_class(bias=False), DeepUfmCrossEntropy(**DEEP), Seesaw(0.3)])
def test_slopes_are_those_of_the_value(problem):
    landscape, points = landscape_of(problem), starts(problem, range(3), 1.0)
    leaves = points.clone().requires_grad_()
    values = landscape.values(leaves)
    (expected,) = torch.autograd.grad(values.sum(), leaves)
    found, gradient = landscape.slopes(points)
    assert torch.allclose(found, values.detach(), rtol=1e-14, atol=0)
    assert torch.allclose(gradient, expected, rtol=1e-11, atol=1e-15)
    assert not gradient.requires_grad


def test_a_features_model_over_class_means_has_the_gradient_that_autograd_finds_over_samples():
    problem = by_class()
    landscape, points = landscape_of(problem), starts(problem, (2,), 1.0)
    lifted = {
        name: value.clone().requires_grad_() for name, value in problem.lift(landscape.layout.unpack(points)).items()
    }
    problem.loss(lifted).sum().backward()
    gradient = landscape.layout.unpack(landscape.slopes(points)[1])
    per_class = torch.zeros(4, 5, dtype=torch.float64).index_add_(0, problem.labels, lifted["features"].grad[0])
    assert torch.allclose(gradient["features"][0], per_class, rtol=1e-12, atol=1e-15)
    for name in ("weights_1", "weights_2", "weights", "bias"):
        assert torch.allclose(gradient[name], lifted[name].grad, rtol=1e-12, atol=1e-15)


def test_a_grid_has_the_penalties_of_each_problem():
    problems = [DeepUfmCrossEntropy(**{**DEEP, "weight_decay": decay}) for decay in (1e-3, 1e-2, 1e-1)]
    points = starts(problems[0], range(2), 1.0)
    together = grid_landscape(problems, 2)
    values, gradient = together.slopes(points.repeat(3, 1))
    apart = [landscape_of(problem).slopes(points) for problem in problems]
    assert torch.allclose(values, torch.cat([value for value, _ in apart]), rtol=1e-14, atol=0)
    assert torch.allclose(gradient, torch.cat([slope for _, slope in apart]), rtol=1e-12, atol=1e-16)
    some = together.select(torch.tensor([1, 4]))
    expected = torch.stack([apart[0][0][1], apart[2][0][0]])
    assert torch.allclose(some.slopes(points[[1, 0]])[0], expected, rtol=1e-14, atol=0)


@pytest.mark.parametrize(
    ("other", "word"),
    [
        (DeepUfmMse(**DEEP), "loss"),
        (DeepUfmCrossEntropy(**{**DEEP, "dim": 6}), "dim"),
        (DeepUfmCrossEntropy(**{**DEEP, "depth": 2}), "depth"),
        (DeepUfmCrossEntropy(**{**DEEP, "relu": True}), "activation"),
        (DeepUfmCrossEntropy(**{**DEEP, "per_class": 2}), "counts"),
    ],
)
def test_problems_that_differ_in_more_than_penalties_are_refused_and_have_other_keys(other, word):
    first = DeepUfmCrossEntropy(**DEEP)
    assert batch_key(first) != batch_key(other)
    with pytest.raises(ValueError, match=f"differs from .* in its {word}"):
        grid_landscape([first, other], 1)


def test_problems_that_differ_in_penalties_have_the_same_key():
    assert batch_key(DeepUfmCrossEntropy(**DEEP)) == batch_key(DeepUfmCrossEntropy(**{**DEEP, "weight_decay": 1.0}))
    assert batch_key(Seesaw(0.1)) is None


def test_a_start_is_the_problem_s_own_of_that_seed_and_scales():
    problem = UfmMse(num_classes=3, dim=4, weight_decay=1e-2, feature_decay=1e-2, per_class=2)
    points = starts(problem, (3, 1), 0.5)
    layout = landscape_of(problem).layout
    assert torch.equal(points[0], layout.pack(problem.class_means.init(3, 0.5)))
    assert torch.allclose(points[1], 0.5 * layout.pack(problem.class_means.init(1)), rtol=1e-15, atol=0)
    seesaw = Seesaw(0.3)
    assert torch.equal(starts(seesaw, (4,), 2.0)[0], 2 * landscape_of(seesaw).layout.pack(seesaw.init(4)))


def test_features_of_class_means_move_by_one_nth_of_a_step_on_samples():
    landscape = landscape_of(by_class())
    assert isinstance(landscape, ChainLandscape)
    rates = landscape.layout.unpack(rates_of(landscape))
    assert rates["features"][:, 0].tolist() == [1, 1 / 2, 1 / 3, 1 / 4]
    assert bool((rates["weights_1"] == 1).all())
    seesaw = landscape_of(Seesaw(0.3))
    assert isinstance(seesaw, ProblemLandscape)
    assert rates_of(seesaw) == 1.0
