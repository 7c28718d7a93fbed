"""One-layer models solved as convex ones: against closed forms, descent on factors, and a reduction by symmetry."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis.strategies import booleans, floats, integers, lists, sampled_from
from scipy.optimize import minimize

from caltrop.solve.nuclear import solve_nuclear
from caltrop.theory import UfmConvex, UfmCrossEntropy, UfmMse
from caltrop.theory.duality import dual_bound
from caltrop.theory.ufm_convex import LOSSES
from theory.descent import descended
from theory.test_duality import Plain
from theory.test_ufm_convex import Lopsided

names = sampled_from(sorted(LOSSES))
sizes = lists(integers(1, 100), min_size=2, max_size=6).map(tuple)


def cross_entropy(counts, penalty, **more):
    size = {"num_classes": len(counts), "dim": len(counts), "weight_decay": penalty, "feature_decay": penalty}
    return UfmCrossEntropy(**{**size, "counts": counts, **more})


@settings(max_examples=60)
@given(names, integers(2, 6), integers(1, 6), floats(-4, 0), booleans())
def test_balanced_closed_forms_are_found_by_the_dual_alone(name, num_classes, per_class, penalty, bias):
    size = {"num_classes": num_classes, "dim": num_classes, "per_class": per_class, "bias": bias}
    problem = UfmConvex(**size, weight_decay=10**penalty, feature_decay=10**penalty, criterion=name)
    found = solve_nuclear(problem)
    assert found.value == pytest.approx(problem.optimal_value, rel=1e-12)
    logits = found.params["features"] @ found.params["weights"].T + found.params.get("bias", 0)
    # the problem's own bound is not asked; slopes of order c are differences of numbers of order 1
    rounding = 1e-13 * math.sqrt(per_class) / (num_classes * per_class * problem.coupling)
    assert dual_bound(problem.class_means, logits) == pytest.approx(problem.optimal_value, rel=max(2e-12, rounding))


@settings(max_examples=60)
@given(names, sizes, floats(-5, 0), floats(-5, 0), booleans())
def test_any_counts_and_losses_are_solved_to_a_gap_near_the_rounding(name, counts, first, second, bias):
    problem = UfmConvex(
        num_classes=len(counts),
        dim=len(counts),
        weight_decay=10**first,
        feature_decay=10**second,
        counts=counts,
        bias=bias,
        criterion=name,
    )
    found = solve_nuclear(problem)
    # slopes that are differences of numbers of order 1 are rounded by that, and measured against c in the bound
    rounding = 1e-13 * math.sqrt(max(counts)) / (sum(counts) * problem.coupling)
    assert -1e-14 <= found.relative_gap < max(1e-12, rounding)
    assert float(problem.loss(problem.lift(found.params))) == pytest.approx(found.value, rel=1e-13)


@settings(max_examples=60)
@given(sizes, floats(-5, 0), floats(0, 0.5), booleans())
def test_cross_entropy_with_any_counts_carries_the_certificate(counts, penalty, eps, bias):
    problem = cross_entropy(counts, 10**penalty, bias=bias, label_smoothing=eps)
    found = solve_nuclear(problem)
    assert -1e-14 < found.relative_gap < 1e-12
    assert problem.lower_bound <= found.value * (1 + 1e-14)


@pytest.mark.parametrize("bias", [False, True])
@pytest.mark.parametrize("counts", [(1, 2, 4), (20, 1, 1), (3, 3, 3, 1)])
@pytest.mark.parametrize("kind", ["cross-entropy", "binary-cross-entropy", "squared-hinge", "pseudo-huber"])
def test_descent_on_factors_reaches_the_value_and_never_goes_below_the_bound(kind, counts, bias):
    size = {"num_classes": len(counts), "dim": len(counts) + 1, "weight_decay": 0.01, "feature_decay": 0.004}
    problem = UfmConvex(**size, counts=counts, bias=bias, criterion=kind)
    found = solve_nuclear(problem)
    reached = [descended(problem, seed) for seed in range(2)]
    assert min(reached) >= found.lower_bound * (1 - 1e-14)
    # L-BFGS ends where its value no longer changes
    assert min(reached) == pytest.approx(found.value, abs=1e-9)


def reduced(big, small, classes, penalty, smoothing=0.0):
    """Two groups of `classes` each, by symmetry: Z has six numbers, found by a simplex search in plain NumPy."""
    half = classes // 2
    eye, ones = np.eye(half), np.ones((half, half))
    counts = np.repeat([big, small], half).astype(float)

    def value(free):
        blocks = [[free[0] * eye + free[1] * ones, free[2] * ones], [free[3] * ones, free[4] * eye + free[5] * ones]]
        logits = np.block(blocks)
        tops = logits.max(1, keepdims=True)
        logs = logits - tops - np.log(np.exp(logits - tops).sum(1, keepdims=True))
        fit = -(1 - smoothing) * np.diag(logs) - smoothing * logs.mean(1)
        nuclear = np.linalg.norm(np.sqrt(counts)[:, None] * logits, "nuc")
        return counts @ fit / counts.sum() + penalty * nuclear

    point = np.array([5.0, -1, 0, 0, 5, -1])
    for _ in range(6):
        options = {"maxiter": 20000, "maxfev": 20000, "xatol": 1e-12, "fatol": 1e-16}
        point = minimize(value, point, method="Nelder-Mead", options=options).x
    return value(point), point


@pytest.mark.parametrize(
    ("big", "small", "classes", "penalty"), [(100, 1, 10, 1e-5), (20, 2, 4, 1e-3), (9, 3, 6, 1e-3)]
)
def test_a_reduction_by_symmetry_finds_the_same(big, small, classes, penalty):
    problem = cross_entropy((big,) * (classes // 2) + (small,) * (classes // 2), penalty)
    found = solve_nuclear(problem)
    value, free = reduced(big, small, classes, penalty)
    # the search goes down to what its comparisons of values can tell
    assert value == pytest.approx(found.value, rel=1e-8)
    assert value >= found.lower_bound * (1 - 1e-13)
    logits = (found.params["features"] @ found.params["weights"].T).numpy()
    assert logits[0, 0] - logits[0, 1] == pytest.approx(free[0], abs=1e-2)


def test_the_point_is_stationary_and_balanced():
    problem = cross_entropy((50, 20, 5, 1), 1e-4, bias=True, weight_decay=3e-3)
    found = solve_nuclear(problem)
    _, slopes = problem.class_means.value_and_gradient(found.params)
    # relative to the entries of the features' penalty, λ n h
    scale = float((problem.feature_decay * found.params["features"] * 50).abs().max())
    assert all(float(slope.abs().max()) < 1e-8 * scale for slope in slopes.values())
    weighted, features = problem.class_means.balance(found.params)
    assert float(weighted) == pytest.approx(float(features), rel=1e-13)
    assert float(weighted) == pytest.approx(problem.coupling * float(found.strengths.sum()), rel=1e-13)


@pytest.mark.parametrize("dim", [1, 2])
def test_a_width_without_room_for_the_rank_gives_a_point_and_a_bound_that_descent_lies_between(dim):
    problem = cross_entropy((8, 4, 2, 1), 5e-3, dim=dim)
    found = solve_nuclear(problem)
    assert (found.rank, found.fits) == (3, False)
    reached = min(descended(problem, seed) for seed in range(3))
    assert found.lower_bound < reached <= found.value
    assert float(problem.loss(problem.lift(found.params))) == pytest.approx(found.value, rel=1e-13)
    wide = solve_nuclear(cross_entropy((8, 4, 2, 1), 5e-3, dim=3))
    assert wide.fits
    assert wide.value == pytest.approx(found.lower_bound, rel=1e-12)


def test_a_start_saves_steps_and_changes_nothing():
    here, there = cross_entropy((60, 30, 3, 1), 1e-3, bias=True), cross_entropy((60, 29, 3, 1), 1e-3, bias=True)
    warm = solve_nuclear(there, start=solve_nuclear(here).params)
    cold = solve_nuclear(there)
    assert warm.value == pytest.approx(cold.value, rel=1e-12)
    assert warm.iterations <= cold.iterations


@pytest.mark.parametrize("counts", [(1, 1, 1), (1, 5, 9)])
@pytest.mark.parametrize("bias", [False, True])
def test_beyond_the_threshold_everything_but_the_bias_is_zero(counts, bias):
    found = solve_nuclear(cross_entropy(counts, 0.9, bias=bias))
    assert (found.rank, float(found.params["weights"].abs().max())) == (0, 0.0)
    shares = np.array(counts) / sum(counts)
    entropy = -(shares @ np.log(shares)) if bias else math.log(3)
    assert found.value == pytest.approx(entropy, rel=1e-13)
    assert found.relative_gap < 1e-12


@pytest.mark.parametrize("fit", [Plain(), Lopsided()], ids=["no curvature", "uneven"])
@pytest.mark.parametrize("bias", [False, True])
def test_a_loss_of_one_s_own_is_solved_and_certified(fit, bias):
    size = {"num_classes": 3, "dim": 3, "weight_decay": 0.02, "feature_decay": 0.03, "counts": (1, 2, 4)}
    problem = UfmConvex(**size, criterion=fit, bias=bias)
    found = solve_nuclear(problem)
    assert found.value == pytest.approx(min(descended(problem, seed) for seed in range(2)), abs=1e-9)
    # with a bias the gradients must sum to zero to rounding for a bound
    assert -1e-14 < found.relative_gap < 1e-10


def test_where_divide_and_conquer_gives_up_another_decomposition_is_taken(monkeypatch):
    # as LAPACK does at large clusters of equal singular values, of 30 and 30 classes for example
    expected = solve_nuclear(cross_entropy((7, 7, 2, 2), 1e-3))

    def failing(matrix):
        raise np.linalg.LinAlgError("SVD did not converge")

    monkeypatch.setattr(np.linalg, "svd", failing)
    assert solve_nuclear(cross_entropy((7, 7, 2, 2), 1e-3)).value == pytest.approx(expected.value, rel=1e-13)


def test_many_classes_of_two_sizes_are_solved():
    found = solve_nuclear(cross_entropy((1,) * 30 + (20,) * 30, 1e-5, bias=True))
    assert -1e-14 < found.relative_gap < 1e-12


def test_tiny_penalties_keep_the_gap_small():
    found = solve_nuclear(cross_entropy((1, 3, 4), 1e-9, bias=True))
    assert found.value < 1e-7
    assert -1e-14 < found.relative_gap < 1e-12


@pytest.mark.parametrize("bias", [False, True])
def test_squared_error_of_any_counts_is_the_closed_form(bias):
    problem = UfmMse(num_classes=4, dim=4, weight_decay=0.01, feature_decay=0.02, counts=(1, 2, 9, 5), bias=bias)
    found = solve_nuclear(problem)
    assert found.value == pytest.approx(problem.optimal_value, rel=1e-12)
    assert torch.allclose(found.strengths[: len(problem.strengths)], problem.strengths, rtol=0, atol=1e-8)


def test_steps_may_be_counted_out():
    found = solve_nuclear(cross_entropy((5000, 5000, 50), 1e-7, bias=True), max_iterations=0)
    assert found.iterations == 0
    assert found.relative_gap > 1e-6
