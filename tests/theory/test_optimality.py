"""Closed forms of the one-layer models are global, by the dual certificate, and bounds are bounds."""

from __future__ import annotations

import math
from itertools import combinations

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis.strategies import booleans, floats, integers
from scipy.optimize import minimize_scalar

from caltrop.theory import UfmCrossEntropy, UfmMse
from reference import ufm
from theory.descent import descended

classes, several = integers(2, 7), integers(1, 5)
logs = floats(-4, 0.5)


def is_certified(problem, slopes):
    r"""‖∇g(Z)‖ ≤ c, with equality on Z's singular vectors (and none on the bias): Z minimises g(Z) + c‖Z‖_*."""
    optimum = problem.optimum()
    hidden = (optimum.features @ optimum.weights.T).numpy()
    shift = np.zeros(problem.num_classes) if optimum.bias is None else optimum.bias.numpy()
    slope = slopes(hidden + shift, problem.labels.tolist())
    # rounding of numbers of order 1/N
    assert np.linalg.norm(slope, 2) <= problem.coupling * (1 + 1e-12) + 1e-15
    assert -(slope * hidden).sum() == pytest.approx(problem.coupling * np.linalg.norm(hidden, "nuc"), abs=1e-13)
    if problem.bias:
        assert np.abs(slope.sum(0)).max() < 1e-14


@settings(max_examples=60)
@given(classes, several, integers(0, 2), logs, logs, floats(0, 0.9), booleans())
def test_the_optimum_of_cross_entropy_carries_the_certificate(num_classes, per_class, room, first, second, eps, bias):
    problem = UfmCrossEntropy(
        num_classes=num_classes,
        dim=num_classes - 1 + room,
        weight_decay=10**first,
        feature_decay=10**second,
        per_class=per_class,
        bias=bias,
        label_smoothing=eps,
    )
    is_certified(problem, lambda logits, labels: ufm.cross_entropy_slopes(logits, labels, eps))


@settings(max_examples=60)
@given(classes, several, integers(0, 2), logs, logs, booleans())
def test_the_optimum_of_squared_error_carries_the_certificate(num_classes, per_class, room, first, second, bias):
    problem = UfmMse(
        num_classes=num_classes,
        dim=num_classes - bias + room,
        weight_decay=10**first,
        feature_decay=10**second,
        per_class=per_class,
        bias=bias,
    )
    is_certified(problem, ufm.squared_error_slopes)


@pytest.mark.parametrize("eps", [0.0, 0.1, 0.6])
@pytest.mark.parametrize("decay", [1e-3, 0.05, 0.2])
def test_the_scale_of_smoothed_logits_minimises_their_loss(eps, decay):
    problem = UfmCrossEntropy(
        num_classes=4, dim=3, weight_decay=decay, feature_decay=decay, per_class=2, label_smoothing=eps
    )
    simplex = np.eye(4) - 0.25

    def value(alpha):
        # Z = α(I − 11ᵀ/K) on every sample has the nuclear norm √n (K−1) α
        own = ufm.cross_entropy(alpha * simplex, np.eye(4), np.zeros(4), range(4), 0, 0, smoothing=eps)
        return own + decay * math.sqrt(2) * 3 * alpha

    found = minimize_scalar(value, bounds=(0, 20), method="bounded", options={"xatol": 1e-10})
    # a minimum is flat: its place is known to the root of the rounding of its value only
    assert problem.alpha == pytest.approx(found.x, abs=1e-6)
    assert problem.optimal_value == pytest.approx(found.fun, abs=1e-8)


@pytest.mark.parametrize("eps", [0.0, 0.25])
@pytest.mark.parametrize(("share", "is_zero"), [(0.999, False), (1.001, True)])
def test_cross_entropy_collapses_to_zero_where_penalty_and_smoothing_reach_one_kth(eps, share, is_zero):
    edge = (share - eps) / 4  # c' = 1/K − ε/K at the threshold
    problem = UfmCrossEntropy(
        num_classes=4, dim=4, weight_decay=edge**2 / 3, feature_decay=1.0, per_class=3, label_smoothing=eps
    )
    assert problem.optimum().is_zero is is_zero
    assert (problem.alpha == 0) is is_zero
    assert (problem.optimal_value == pytest.approx(math.log(4), abs=1e-12)) is is_zero or not is_zero


@pytest.mark.parametrize(("share", "is_zero"), [(0.999, False), (1.001, True)])
@pytest.mark.parametrize(("bias", "dim", "beyond"), [(False, 4, 0.5), (True, 3, 0.375), (False, 2, 0.5)])
def test_squared_error_collapses_to_zero_at_one_over_k_root_n(share, is_zero, bias, dim, beyond):
    edge = share / (4 * math.sqrt(3))
    problem = UfmMse(num_classes=4, dim=dim, weight_decay=edge**2, feature_decay=1.0, per_class=3, bias=bias)
    assert problem.optimum().is_zero is is_zero
    assert (problem.optimal_value < beyond - 1e-9) is not is_zero


@pytest.mark.parametrize("bias", [False, True])
def test_squared_error_in_few_dimensions_costs_the_same_whichever_directions_are_kept(bias):
    problem = UfmMse(num_classes=5, dim=2, weight_decay=0.02, feature_decay=0.01, per_class=2, bias=bias)
    params = problem.optimum().params
    # all directions that could have been kept: those of a problem with room for them
    wide = UfmMse(num_classes=5, dim=5, weight_decay=0.02, feature_decay=0.01, per_class=2, bias=bias).optimum().params
    for kept in combinations(range(4 if bias else 5), 2):
        other = {**params, **{name: wide[name][:, list(kept)] for name in ("features", "weights")}}
        assert float(problem.loss(other)) == pytest.approx(problem.optimal_value, abs=1e-14)
    one_less = {**params, **{name: params[name] * torch.tensor([1.0, 0.0]) for name in ("features", "weights")}}
    assert float(problem.loss(one_less)) > problem.optimal_value + 1e-3


@pytest.mark.parametrize("bias", [False, True])
@pytest.mark.parametrize("dim", [1, 2, 4])
@pytest.mark.parametrize("counts", [(1, 2, 4), (20, 1, 1), (3, 3, 1)])
def test_the_bound_of_squared_error_is_reached_for_unequal_classes_too(counts, dim, bias):
    problem = UfmMse(num_classes=3, dim=dim, weight_decay=0.03, feature_decay=0.02, counts=counts, bias=bias)
    reached = min(descended(problem, seed) for seed in range(2))
    assert problem.lower_bound == pytest.approx(reached, abs=1e-10)


# how close the entropy of a feasible point comes, measured: .984 and .76 at the mildest, .92 and .77 at 20:1:1
@pytest.mark.parametrize(("bias", "share"), [(False, 0.9), (True, 0.7)])
@pytest.mark.parametrize("counts", [(1, 2, 4), (20, 1, 1), (3, 3, 3, 1)])
def test_the_bound_of_cross_entropy_lies_below_what_descent_reaches_but_not_far(counts, bias, share):
    size = {"num_classes": len(counts), "dim": len(counts) + 1, "weight_decay": 0.01, "feature_decay": 0.004}
    problem = UfmCrossEntropy(**size, counts=counts, bias=bias)
    reached = min(descended(problem, seed) for seed in range(2))
    assert share * reached < problem.lower_bound <= reached


@settings(max_examples=40)
@given(classes, several, logs, logs, floats(0, 0.9), booleans())
def test_the_bound_of_nearly_equal_classes_is_nearly_the_optimal_value(
    num_classes, per_class, first, second, eps, bias
):
    size = {"num_classes": num_classes, "dim": num_classes, "weight_decay": 10**first, "feature_decay": 10**second}
    equal = UfmCrossEntropy(**size, per_class=per_class, bias=bias, label_smoothing=eps)
    # the same bound, of a problem that is balanced but does not know it: too narrow for its closed form
    narrow = UfmCrossEntropy(**{**size, "dim": 1}, per_class=per_class, bias=bias, label_smoothing=eps)
    assert narrow.lower_bound == pytest.approx(equal.optimal_value, abs=1e-13)
