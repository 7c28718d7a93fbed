"""The dual bound: below every loss that random points or descent reach, equal to the closed form at an optimum."""

from __future__ import annotations

from dataclasses import dataclass

import pytest
import torch
from hypothesis import given, settings
from hypothesis.strategies import booleans, floats, integers, lists, sampled_from

from caltrop.theory import DeepUfmMse, UfmConvex, UfmCrossEntropy, UfmMse
from caltrop.theory.duality import coupling, dual_bound
from caltrop.theory.ufm_convex import LOSSES
from theory.descent import descended

names = sampled_from(sorted(LOSSES))
sizes = lists(integers(1, 30), min_size=2, max_size=5).map(tuple)


def random_matrix(seed, *shape):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def paid(problem, logits, bias):
    """Loss of class logits and bias by the definition: mean fit, and c times the nuclear norm over all samples."""
    each = logits[problem.labels]
    fit = problem.fit_of.values(each + bias, problem.labels).mean()
    return float(fit + problem.coupling * torch.linalg.matrix_norm(each, "nuc"))


@settings(max_examples=150)
@given(names, sizes, booleans(), floats(-5, 0), integers(0, 10**6), floats(-2, 1.5), floats(-2, 1.5))
def test_no_random_point_lies_below_the_bound_of_another(name, counts, bias, penalty, seed, first, second):
    problem = UfmConvex(
        criterion=name,
        num_classes=len(counts),
        dim=len(counts),
        weight_decay=10**penalty,
        feature_decay=10**penalty,
        counts=counts,
        bias=bias,
    )
    size = len(counts)
    here, there = 10**first * random_matrix(seed, size, size), 10**second * random_matrix(seed + 1, size, size)
    shift = 10**second * random_matrix(seed + 2, size) * bias
    bound, loss = dual_bound(problem.class_means, here), paid(problem, there, shift)
    assert bound <= loss * (1 + 1e-14)
    # from its own point too, which is the nearest that a bound comes
    assert bound <= paid(problem, here, torch.zeros(size, dtype=torch.float64)) * (1 + 1e-14)


@pytest.mark.parametrize("bias", [False, True])
@pytest.mark.parametrize("name", sorted(LOSSES))
def test_factors_that_descent_finds_lie_above_every_bound(name, bias):
    problem = UfmConvex(
        criterion=name, num_classes=3, dim=4, weight_decay=0.02, feature_decay=0.01, counts=(5, 1, 2), bias=bias
    )
    reached = min(descended(problem, seed) for seed in range(2))
    bounds = [dual_bound(problem.class_means, 5 * random_matrix(seed, 3, 3)) for seed in range(50)]
    assert 0 <= max(bounds) <= reached
    assert problem.lower_bound <= reached


@pytest.mark.parametrize(
    "problem",
    [
        UfmCrossEntropy(num_classes=4, dim=4, weight_decay=0.01, feature_decay=0.02, per_class=3),
        UfmCrossEntropy(num_classes=3, dim=4, weight_decay=0.01, feature_decay=0.02, label_smoothing=0.2, bias=True),
        UfmMse(num_classes=4, dim=4, weight_decay=0.01, feature_decay=0.02, per_class=3),
        UfmMse(num_classes=4, dim=4, weight_decay=0.01, feature_decay=0.02, counts=(1, 2, 9, 5), bias=True),
        UfmMse(num_classes=4, dim=4, weight_decay=0.9, feature_decay=0.9, counts=(1, 2, 9, 5)),
        UfmConvex(num_classes=4, dim=4, weight_decay=0.01, feature_decay=0.02, per_class=2),
        UfmConvex(num_classes=4, dim=4, weight_decay=0.01, feature_decay=0.02, per_class=2, bias=True),
        UfmConvex(num_classes=3, dim=4, weight_decay=0.01, feature_decay=0.02, criterion="squared-hinge"),
    ],
)
def test_at_an_optimum_the_bound_is_its_value(problem):
    optimum = problem.optimum()
    logits = optimum.features @ optimum.weights.T + (0 if optimum.bias is None else optimum.bias)
    first = [problem.labels.tolist().index(k) for k in range(problem.num_classes)]
    assert dual_bound(problem.class_means, logits[first]) == pytest.approx(problem.optimal_value, rel=1e-13)


def test_the_coupling_of_a_model_is_that_of_its_problem():
    problem = UfmMse(num_classes=2, dim=2, weight_decay=1e-200, feature_decay=1e-200)
    assert coupling(problem.class_means) == pytest.approx(problem.coupling, rel=1e-15)


def test_a_deep_model_has_no_such_bound():
    problem = DeepUfmMse(num_classes=2, depth=2, dim=4, weight_decay=0.01, feature_decay=0.01)
    with pytest.raises(ValueError, match=r"depth=2, but only the penalty of one layer is convex in the logits"):
        dual_bound(problem.class_means, torch.zeros(2, 2, dtype=torch.float64))


@dataclass(frozen=True)
class Plain:
    """A loss as a user would write it, with neither conjugates nor curvatures: Σ log cosh of the error."""

    def values(self, logits, labels):
        away = logits - torch.eye(logits.shape[-1], dtype=logits.dtype)[labels]
        return torch.log(torch.cosh(away)).sum(dim=-1)

    def gradients(self, logits, labels):
        return torch.tanh(logits - torch.eye(logits.shape[-1], dtype=logits.dtype)[labels])

    def infimum(self, num_classes):
        return 0.0


@pytest.mark.parametrize("scale", [0.01, 0.3])
@pytest.mark.parametrize("bias", [False, True])
def test_a_fit_without_conjugates_is_bounded_too(bias, scale):
    size = {"num_classes": 3, "dim": 3, "weight_decay": 0.05, "feature_decay": 0.05, "counts": (1, 2, 4)}
    problem = UfmConvex(**size, criterion=Plain(), bias=bias)
    reached = min(descended(problem, seed) for seed in range(2))
    for seed in range(20):
        bound = dual_bound(problem.class_means, scale * random_matrix(seed, 3, 3))
        assert 0 <= bound <= reached
        # the gradients of a random point do not sum to zero, so that a bias leaves the infimum only
        assert (bound == 0) is bias
