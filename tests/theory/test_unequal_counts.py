"""Squared error with any counts: certified, of the measures stated, and never beaten, also in few dimensions."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis.strategies import booleans, floats, integers, lists

from caltrop.observe import measure_problem
from caltrop.theory import UfmMse
from reference import ufm
from theory.descent import descended
from theory.test_optimality import is_certified

sizes = lists(integers(1, 40), min_size=2, max_size=6).map(tuple)


def ufm_mse(counts, dim, penalty, other, bias):
    return UfmMse(
        num_classes=len(counts), dim=dim, weight_decay=10**penalty, feature_decay=10**other, counts=counts, bias=bias
    )


@settings(max_examples=80)
@given(sizes, integers(0, 2), floats(-4, 0), floats(-4, 0), booleans())
def test_the_optimum_carries_the_certificate(counts, room, penalty, other, bias):
    problem = ufm_mse(counts, len(counts) - bias + room, penalty, other, bias)
    is_certified(problem, ufm.squared_error_slopes)
    assert float(problem.loss(problem.optimum().params)) == pytest.approx(problem.optimal_value, rel=1e-12)


@settings(max_examples=60)
@given(sizes, integers(1, 7), floats(-4, 0), booleans())
def test_the_value_is_a_sum_over_singular_values_of_the_targets(counts, dim, penalty, bias):
    problem = ufm_mse(counts, dim, penalty, penalty, bias)
    targets = np.eye(len(counts))[problem.labels.numpy()]
    spectrum = np.linalg.svd(targets - targets.mean(0) if bias else targets, compute_uv=False)
    edge = problem.num_samples * problem.coupling
    each = [
        min(s**2, edge**2 + 2 * edge * max(s - edge, 0)) if place < dim else s**2 for place, s in enumerate(spectrum)
    ]
    assert problem.optimal_value == pytest.approx(sum(each) / (2 * problem.num_samples), rel=1e-12)
    assert problem.lower_bound == problem.optimal_value
    logits = problem.logits(problem.optimum().params)
    strengths = torch.linalg.svdvals(logits - problem.optimum().params.get("bias", 0))
    assert torch.allclose(strengths[: len(problem.strengths)], problem.strengths, rtol=0, atol=1e-11)


@pytest.mark.parametrize("bias", [False, True])
@pytest.mark.parametrize("dim", [1, 2, 4])
@pytest.mark.parametrize("counts", [(1, 2, 4), (20, 1, 1), (5, 5, 2, 1)])
def test_descent_reaches_the_value_and_never_goes_below(counts, dim, bias):
    problem = ufm_mse(counts, dim, -1.5, -1.7, bias)
    reached = min(descended(problem, seed) for seed in range(2))
    assert -1e-14 < reached - problem.optimal_value < 1e-10


@pytest.mark.parametrize("bias", [False, True])
@pytest.mark.parametrize(
    ("counts", "dim", "penalty"), [((9, 2, 5), 3, -1.5), ((30, 1, 1, 16), 4, -1.2), ((4, 9), 1, -2)]
)
def test_predictions_are_what_is_measured(counts, dim, penalty, bias):
    problem = ufm_mse(counts, dim, penalty, penalty, bias)
    predictions = problem.optimum().predictions
    seen = measure_problem(problem)
    assert len(predictions) >= 3
    for name, value in predictions.items():
        assert seen["features", name] == pytest.approx(value, abs=1e-10), name


def test_without_a_bias_the_largest_classes_are_kept():
    optimum = ufm_mse((3, 9, 1, 9), 2, -2, -2, bias=False).optimum()
    assert optimum.weights.norm(dim=1).gt(0).tolist() == [False, True, False, True]
    # a class is given up where √n_k ≤ Nc
    beyond = UfmMse(num_classes=3, dim=3, weight_decay=0.1, feature_decay=0.1, counts=(1, 4, 16)).optimum()
    assert beyond.weights.norm(dim=1).gt(0).tolist() == [False, False, True]
    assert beyond.rank == 1


def test_equal_counts_are_no_special_case():
    for bias in (False, True):
        equal = ufm_mse((3, 3, 3, 3), 4, -1.5, -1.5, bias)
        expected = equal.optimum()
        params = equal._unequal_factors() | ({"bias": expected.bias} if bias else {})
        assert float(equal.loss(params)) == pytest.approx(expected.value, rel=1e-13)
        assert equal.strengths.tolist() == pytest.approx([equal.strength * 3**0.5] * len(equal.strengths), rel=1e-13)
