"""Every registered problem, a user's own included, found through the registry: what design asks of one."""

from __future__ import annotations

import dataclasses

import pytest
import torch

import theory.seesaw  # noqa: F401 - registers a user's problem
from caltrop import measures
from caltrop import theory as registry
from caltrop.observe import measure_problem
from caltrop.theory.fits import PseudoHuber
from theory.descent import descended

# by problem: sizes whose optimum is known, …
KNOWN = {
    "ufm-cross-entropy": [
        {"num_classes": 3, "per_class": 4, "dim": 5, "weight_decay": 5e-3, "feature_decay": 5e-3},
        {"num_classes": 4, "per_class": 2, "dim": 3, "weight_decay": 1e-2, "feature_decay": 2e-3},
        {"num_classes": 2, "per_class": 3, "dim": 1, "weight_decay": 1e-2, "feature_decay": 2e-3, "bias": True},
        {"num_classes": 4, "dim": 6, "weight_decay": 1e-2, "feature_decay": 1e-2, "label_smoothing": 0.1},
        {"num_classes": 3, "dim": 4, "weight_decay": 1e-2, "feature_decay": 1e-2, "counts": (2, 2, 2)},
    ],
    "ufm-convex": [
        {"num_classes": 3, "per_class": 4, "dim": 5, "weight_decay": 5e-3, "feature_decay": 5e-3},
        {"num_classes": 4, "per_class": 2, "dim": 3, "weight_decay": 5e-3, "feature_decay": 5e-3, "bias": True},
        {"num_classes": 3, "dim": 3, "weight_decay": 1e-2, "feature_decay": 4e-3, "criterion": "squared-hinge"},
        {"num_classes": 4, "dim": 4, "weight_decay": 1e-2, "feature_decay": 4e-3, "criterion": PseudoHuber(0.5)},
        {"num_classes": 4, "dim": 3, "weight_decay": 1e-2, "feature_decay": 4e-3, "criterion": "cross-entropy"},
    ],
    "ufm-mse": [
        {"num_classes": 3, "dim": 5, "weight_decay": 1e-2, "feature_decay": 4e-3, "counts": (1, 2, 4)},
        {"num_classes": 3, "dim": 5, "weight_decay": 1e-2, "feature_decay": 4e-3, "counts": (1, 2, 4), "bias": True},
        {"num_classes": 3, "dim": 1, "weight_decay": 1e-2, "feature_decay": 4e-3, "counts": (1, 2, 4), "bias": True},
        {"num_classes": 4, "dim": 2, "weight_decay": 1e-2, "feature_decay": 4e-3, "counts": (6, 1, 3, 6)},
        {"num_classes": 3, "per_class": 4, "dim": 3, "weight_decay": 1e-2, "feature_decay": 4e-3},
        {"num_classes": 2, "per_class": 2, "dim": 7, "weight_decay": 5e-3, "feature_decay": 5e-3},
        {"num_classes": 4, "per_class": 2, "dim": 3, "weight_decay": 5e-3, "feature_decay": 5e-3, "bias": True},
        {"num_classes": 5, "per_class": 2, "dim": 3, "weight_decay": 5e-3, "feature_decay": 5e-3},
        {"num_classes": 2, "per_class": 2, "dim": 1, "weight_decay": 5e-3, "feature_decay": 5e-3},
        {"num_classes": 5, "per_class": 2, "dim": 2, "weight_decay": 5e-3, "feature_decay": 5e-3, "bias": True},
    ],
    "deep-ufm-cross-entropy": [
        {"num_classes": 4, "depth": 1, "dim": 3, "weight_decay": 1e-2, "feature_decay": 2e-3, "per_class": 2},
        {"num_classes": 4, "depth": 1, "dim": 5, "weight_decay": (5e-3,), "feature_decay": 5e-3}
        | {"relu": True, "label_smoothing": 0.1},
        {"num_classes": 2, "depth": 2, "dim": 5, "weight_decay": 1e-3, "feature_decay": 1e-3},
        {"num_classes": 2, "depth": 2, "dim": 3, "weight_decay": (1e-3, 2e-3), "feature_decay": 1e-3}
        | {"per_class": 2, "bias": True, "label_smoothing": 0.05},
    ],
    "deep-ufm-mse": [
        {"num_classes": 3, "depth": 2, "dim": 6, "weight_decay": 2e-3, "feature_decay": 1e-3, "relu": False},
        {"num_classes": 3, "depth": 3, "dim": 8, "weight_decay": (1e-3, 2e-3, 1e-3), "feature_decay": 1e-3}
        | {"per_class": 2, "relu": False},
        {"num_classes": 4, "depth": 2, "dim": 8, "weight_decay": 1e-3, "feature_decay": 1e-3}
        | {"per_class": 2, "relu": False, "bias": True},
        {"num_classes": 4, "depth": 2, "dim": 2, "weight_decay": 1e-3, "feature_decay": 1e-3, "relu": False},
        {"num_classes": 4, "depth": 1, "dim": 5, "weight_decay": 5e-3, "feature_decay": 5e-3, "per_class": 2},
        {"num_classes": 2, "depth": 2, "dim": 8, "weight_decay": 1e-3, "feature_decay": 1e-3},
    ],
    "seesaw": [{"penalty": 0.25}],
}
# … sizes beyond the threshold, …
ZERO = {
    "ufm-cross-entropy": [
        {"num_classes": 4, "per_class": 5, "dim": 8, "weight_decay": 0.2, "feature_decay": 0.1},
        {"num_classes": 3, "dim": 3, "weight_decay": 0.2, "feature_decay": 0.2, "label_smoothing": 0.5},
    ],
    "ufm-convex": [
        {"num_classes": 3, "per_class": 4, "dim": 2, "weight_decay": 0.4, "feature_decay": 0.4},
        {"num_classes": 4, "per_class": 2, "dim": 1, "weight_decay": 0.6, "feature_decay": 0.6, "bias": True},
    ],
    "ufm-mse": [
        {"num_classes": 3, "dim": 2, "weight_decay": 0.5, "feature_decay": 0.5, "counts": (1, 2, 4), "bias": True},
        {"num_classes": 3, "dim": 2, "weight_decay": 0.5, "feature_decay": 0.5, "counts": (1, 2, 4)},
        {"num_classes": 4, "per_class": 5, "dim": 8, "weight_decay": 0.2, "feature_decay": 0.1},
        {"num_classes": 4, "per_class": 5, "dim": 2, "weight_decay": 0.2, "feature_decay": 0.1},
        {"num_classes": 4, "per_class": 5, "dim": 2, "weight_decay": 0.2, "feature_decay": 0.1, "bias": True},
    ],
    "deep-ufm-cross-entropy": [
        {"num_classes": 4, "depth": 3, "dim": 5, "weight_decay": 0.5, "feature_decay": 0.5, "relu": True},
        {"num_classes": 3, "depth": 2, "dim": 3, "weight_decay": (0.5, 0.7), "feature_decay": 0.4, "bias": True},
        {"num_classes": 3, "depth": 1, "dim": 3, "weight_decay": 0.4, "feature_decay": 0.4},
    ],
    "deep-ufm-mse": [
        {"num_classes": 2, "depth": 3, "dim": 5, "weight_decay": 0.2, "feature_decay": 0.1, "per_class": 2},
        {"num_classes": 4, "depth": 3, "dim": 5, "weight_decay": 0.2, "feature_decay": 0.2, "per_class": 2},
        {"num_classes": 3, "depth": 2, "dim": 2, "weight_decay": 0.2, "feature_decay": 0.2, "bias": True},
        {"num_classes": 3, "depth": 2, "dim": 5, "weight_decay": 0.2, "feature_decay": 0.1, "counts": (1, 3, 2)}
        | {"relu": False, "bias": True},
    ],
    "seesaw": [{"penalty": 2.5}],
}
# … and sizes of which only a bound is known
UNKNOWN = {
    name: [
        {"num_classes": 3, "dim": 5, "weight_decay": 1e-2, "feature_decay": 4e-3, "counts": (1, 2, 4), **more}
        for more in ({}, {"bias": True}, {"dim": 1}, {"weight_decay": 0.1, "bias": True})
    ]
    for name in ("ufm-cross-entropy", "ufm-convex")
}
UNKNOWN["deep-ufm-mse"] = [
    {"num_classes": 3, "depth": 3, "dim": 5, "weight_decay": 2e-3, "feature_decay": 1e-3, "counts": (1, 2, 4), **more}
    for more in ({}, {"bias": True}, {"dim": 1})
]
UNKNOWN["deep-ufm-cross-entropy"] = [
    {"num_classes": 3, "depth": 3, "dim": 5, "weight_decay": 2e-3, "feature_decay": 1e-3, "counts": (1, 2, 4), **more}
    for more in ({}, {"bias": True}, {"dim": 1}, {"relu": True})
]
UNKNOWN["ufm-cross-entropy"].append({"num_classes": 5, "dim": 2, "weight_decay": 1e-2, "feature_decay": 4e-3})


def cases(sizes):
    found = [(name, size) for name, several in sizes.items() for size in several]
    ids = [f"{name}-{'-'.join(map(str, size.values()))}" for name, size in found]
    return pytest.mark.parametrize("problem", [registry.get(name)(**size) for name, size in found], ids=ids)


known, zero, unknown = cases(KNOWN), cases(ZERO), cases(UNKNOWN)


def test_every_registered_problem_is_tested_here():
    ours = {name for name, kind in registry.problems().items() if kind.__module__.startswith("caltrop.")}
    assert ours | {"seesaw"} == set(KNOWN) == set(ZERO)


@known
def test_a_problem_is_frozen_and_speaks_the_protocol(problem):
    assert isinstance(problem, registry.Problem)
    with pytest.raises(dataclasses.FrozenInstanceError):
        setattr(problem, dataclasses.fields(problem)[0].name, 3)


@known
def test_the_loss_of_the_optimum_is_its_stated_value(problem):
    optimum = problem.optimum()
    assert float(problem.loss(optimum.params)) == pytest.approx(optimum.value, abs=1e-12)
    assert optimum.value == pytest.approx(problem.optimal_value, abs=1e-12)
    assert problem.lower_bound <= problem.optimal_value
    assert torch.equal(optimum.features, problem.features(optimum.params))


@known
def test_the_optimum_is_stationary(problem):
    params = {name: value.clone().requires_grad_() for name, value in problem.optimum().params.items()}
    problem.loss(params).backward()
    # terms of order 1 cancel
    assert max(float(value.grad.abs().max()) for value in params.values()) < 1e-14


@known
def test_the_logits_have_the_rank_that_is_stated(problem):
    optimum = problem.optimum()
    assert not optimum.is_zero
    assert int(torch.linalg.matrix_rank(optimum.features @ optimum.weights.T)) == optimum.rank


@known
def test_descent_from_several_starts_reaches_the_optimum_and_never_goes_below(problem):
    for seed in range(3):
        # L-BFGS stops where the value no longer changes in float64: within about 1e-9 of a flat minimum
        assert -1e-13 < descended(problem, seed) - problem.optimal_value < 1e-8


@unknown
def test_where_only_a_bound_is_known_descent_never_goes_below_it(problem):
    assert problem.optimum() is None
    assert problem.optimal_value is None
    reached = min(descended(problem, seed) for seed in range(3))
    assert 0 < problem.lower_bound < reached + 1e-13
    with pytest.raises(ValueError, match=r"no global optimum of .* is known; only lower_bound=0\.\d+ is"):
        measure_problem(problem)


@known
def test_predicted_measures_are_those_of_the_optimum_s_features(problem):
    optimum = problem.optimum()
    seen = measure_problem(problem)
    assert {row.origin for row in seen.rows} == {"closed form"}
    assert set(optimum.predictions) <= set(measures.names())
    assert len(optimum.predictions) > 2
    for measure, value in optimum.predictions.items():
        # the rounding of the explicit features, as far as a measure magnifies it
        assert seen["features", measure] == pytest.approx(value, abs=1e-10), measure
    assert seen["", "penalised_loss"] == optimum.value


@known
def test_named_families_are_upper_bounds(problem):
    for point in problem.families().values():
        assert float(problem.loss(point.params)) == pytest.approx(point.value, abs=1e-12)
        assert point.value >= problem.optimal_value


@known
def test_the_loss_broadcasts_over_leading_axes(problem):
    several = [problem.init(seed) for seed in range(6)]
    stacked = {
        name: torch.stack([one[name] for one in several]).reshape(2, 3, *value.shape)
        for name, value in several[0].items()
    }
    together = problem.loss(stacked)
    assert together.shape == (2, 3)
    assert together.flatten().tolist() == pytest.approx([float(problem.loss(one)) for one in several], rel=1e-14)
    assert problem.features(stacked).shape == (2, 3, *problem.features(several[0]).shape)


@known
def test_a_start_depends_on_its_seed_alone(problem):
    before = torch.get_rng_state()
    first, again, other = problem.init(1), problem.init(1), problem.init(2)
    assert all(torch.equal(first[name], again[name]) for name in first)
    assert not torch.equal(first["features"], other["features"])
    assert torch.equal(torch.get_rng_state(), before)


@zero
def test_beyond_the_threshold_the_optimum_is_zero_and_says_so(problem):
    optimum = problem.optimum()
    assert (optimum.is_zero, optimum.rank, dict(optimum.predictions)) == (True, 0, {})
    assert all(float(optimum.params[name].abs().max()) == 0 for name in ("features", "weights"))
    assert float(problem.loss(optimum.params)) == pytest.approx(optimum.value, abs=1e-12)
    assert optimum.value == pytest.approx(problem.optimal_value, abs=1e-12)
    # the zero minimum is approached slowly where it is nearly flat
    assert -1e-13 < descended(problem, 0) - optimum.value < 1e-9


@zero
def test_of_a_zero_optimum_no_collapse_is_measured_and_the_reason_is_given(problem):
    seen = measure_problem(problem)
    row = seen.row("features", "variability_ratio")
    assert row.value != row.value
    assert "all features are equal" in row.reason
    assert seen["", "penalised_loss"] == problem.optimal_value
    assert "the penalties are beyond the threshold" in seen.notes[-1]
