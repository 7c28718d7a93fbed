"""Every registered problem, found through the registry: what design asks of one."""

from __future__ import annotations

import dataclasses
import math

import numpy as np
import pytest
import torch
from scipy.optimize import minimize

from caltrop import measures, theory
from caltrop.observe import measure_problem

# one or several sizes of each problem; a problem without any fails the first test
SIZES = {
    "ufm-cross-entropy": [
        {"num_classes": 3, "per_class": 4, "dim": 5, "weight_decay": 5e-3, "feature_decay": 5e-3},
        {"num_classes": 4, "per_class": 2, "dim": 3, "weight_decay": 1e-2, "feature_decay": 2e-3},
        {"num_classes": 2, "per_class": 3, "dim": 4, "weight_decay": 1e-2, "feature_decay": 2e-3, "bias": True},
        {"num_classes": 4, "dim": 6, "weight_decay": 1e-2, "feature_decay": 1e-2, "label_smoothing": 0.1},
        {"num_classes": 3, "dim": 4, "weight_decay": 1e-2, "feature_decay": 1e-2, "counts": (2, 2, 2)},
    ],
    "ufm-mse": [
        {"num_classes": 3, "per_class": 4, "dim": 3, "weight_decay": 1e-2, "feature_decay": 4e-3},
        {"num_classes": 4, "per_class": 2, "dim": 7, "weight_decay": 5e-3, "feature_decay": 5e-3},
        {"num_classes": 4, "per_class": 2, "dim": 3, "weight_decay": 5e-3, "feature_decay": 5e-3, "bias": True},
    ],
}
ZERO = {
    "ufm-cross-entropy": {"num_classes": 4, "per_class": 5, "dim": 8, "weight_decay": 0.2, "feature_decay": 0.1},
    "ufm-mse": {"num_classes": 4, "per_class": 5, "dim": 8, "weight_decay": 0.2, "feature_decay": 0.1},
}
PROBLEMS = [theory.get(name)(**size) for name, sizes in SIZES.items() for size in sizes]

every = pytest.mark.parametrize("problem", PROBLEMS, ids=lambda p: f"{type(p).__name__}-{p.num_classes}-{p.dim}")


def test_every_registered_problem_is_tested_here():
    ours = {name for name, kind in theory.problems().items() if kind.__module__.startswith("caltrop.")}
    assert ours == set(SIZES) == set(ZERO)


@every
def test_a_problem_is_frozen_and_speaks_the_protocol(problem):
    assert isinstance(problem, theory.Problem)
    with pytest.raises(dataclasses.FrozenInstanceError):
        problem.dim = 3


@every
def test_the_loss_of_the_optimum_is_its_stated_value(problem):
    optimum = problem.optimum()
    assert float(problem.loss(optimum.params)) == pytest.approx(optimum.value, abs=1e-12)
    assert optimum.value == problem.optimal_value
    assert problem.lower_bound <= optimum.value


@every
def test_the_optimum_is_stationary(problem):
    params = {name: value.clone().requires_grad_() for name, value in problem.optimum().params.items()}
    problem.loss(params).backward()
    assert max(float(value.grad.abs().max()) for value in params.values()) < 1e-14


def descended(problem, seed):
    """The value that L-BFGS reaches from a random start."""
    start = problem.init(seed)
    sizes = [value.numel() for value in start.values()]

    def value_and_gradient(flat):
        pieces = torch.from_numpy(flat).split(sizes)
        params = {
            name: piece.reshape(value.shape).requires_grad_()
            for (name, value), piece in zip(start.items(), pieces, strict=True)
        }
        loss = problem.loss(params)
        gradients = torch.autograd.grad(loss, list(params.values()))
        return loss.item(), torch.cat([one.reshape(-1) for one in gradients]).numpy()

    flat = torch.cat([value.reshape(-1) for value in start.values()]).numpy().copy()
    options = {"maxiter": 4000, "maxfun": 8000, "ftol": 1e-16, "gtol": 1e-11}
    return minimize(value_and_gradient, flat, jac=True, method="L-BFGS-B", options=options).fun


@every
def test_descent_from_several_starts_reaches_the_optimum_and_never_goes_below(problem):
    for seed in range(3):
        # L-BFGS stops where the value no longer changes in float64: within about 1e-9 of a flat minimum
        assert -1e-13 < descended(problem, seed) - problem.optimal_value < 1e-8


@every
def test_predicted_measures_are_those_of_the_optimum_s_features(problem):
    optimum = problem.optimum()
    seen = measure_problem(problem)
    assert {row.origin for row in seen.rows} == {"closed form"}
    assert set(optimum.predictions) <= set(measures.names())
    assert len(optimum.predictions) > 5
    for measure, value in optimum.predictions.items():
        row = next(row for row in seen.rows if row.measure == measure)
        # the rounding of the explicit features, as far as a measure magnifies it
        assert row.value == pytest.approx(value, abs=1e-10), measure
    assert seen["", "penalised_loss"] == optimum.value
    assert float(problem.fit(optimum.params)) == seen["", "loss"]


@every
def test_the_loss_broadcasts_over_leading_axes(problem):
    several = [problem.init(seed) for seed in (0, 1, 2)]
    stacked = {name: torch.stack([one[name] for one in several]) for name in several[0]}
    together = problem.loss(stacked)
    assert together.shape == (3,)
    assert together.tolist() == pytest.approx([float(problem.loss(one)) for one in several], rel=1e-14)
    assert problem.features(stacked).shape == (3, problem.num_samples, problem.dim)


@every
def test_a_start_depends_on_its_seed_alone(problem):
    before = torch.get_rng_state()
    first, again, other = problem.init(1), problem.init(1), problem.init(2)
    assert all(torch.equal(first[name], again[name]) for name in first)
    assert not torch.equal(first["features"], other["features"])
    assert torch.equal(torch.get_rng_state(), before)


@pytest.mark.parametrize("name", ZERO)
def test_beyond_the_threshold_the_optimum_is_zero_and_says_so(name):
    problem = theory.get(name)(**ZERO[name])
    optimum = problem.optimum()
    assert optimum.is_zero
    assert optimum.rank == 0
    assert optimum.predictions == {}
    assert all(float(value.abs().max()) == 0 for value in optimum.params.values())
    assert descended(problem, 0) == pytest.approx(optimum.value, abs=1e-9)
    with pytest.raises(ValueError, match="is zero: penalties are beyond the threshold"):
        measure_problem(problem)


@pytest.mark.parametrize("name", SIZES)
def test_just_below_the_threshold_the_optimum_is_not_zero(name):
    size = {**SIZES[name][0], "feature_decay": 1.0}
    samples = size["num_classes"] * size["per_class"]
    edge = 1 / size["num_classes"] / math.sqrt(samples / size["num_classes"])  # c at the threshold
    for share, is_zero in ((0.999, False), (1.001, True)):
        problem = theory.get(name)(**{**size, "weight_decay": (share * edge) ** 2})
        assert problem.optimum().is_zero is is_zero


@every
def test_the_optimum_s_factors_are_balanced(problem):
    params = problem.optimum().params
    weights = problem.weight_decay * params["weights"].T @ params["weights"]
    features = problem.feature_decay * params["features"].T @ params["features"]
    assert np.allclose(weights.numpy(), features.numpy(), atol=1e-15)
