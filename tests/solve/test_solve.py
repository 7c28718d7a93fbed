"""The door: methods, outcomes, batches of problems, what a solution tells, and what is refused."""

from __future__ import annotations

import inspect
import json
import math

import pytest
import torch

import caltrop as ct
from caltrop.rows import to_json
from caltrop.solve import METHODS, OUTCOMES, Solution
from caltrop.theory import DeepUfmCrossEntropy, DeepUfmMse, UfmConvex, UfmCrossEntropy, UfmMse
from theory.seesaw import Seesaw

SMALL = {"num_classes": 4, "dim": 6, "weight_decay": 5e-3, "feature_decay": 5e-3}
DEEP = {**SMALL, "depth": 3, "weight_decay": 1e-3, "feature_decay": 1e-3}
ONE_LAYER = [
    UfmCrossEntropy(**SMALL, per_class=3),
    UfmCrossEntropy(**SMALL, label_smoothing=0.1, bias=True),
    UfmMse(**SMALL, per_class=2),
    UfmMse(**SMALL, bias=True),
]


@pytest.mark.parametrize("method", [None, "lbfgs", "gradient-descent"])
@pytest.mark.parametrize("problem", ONE_LAYER)
def test_every_method_reaches_a_closed_form(problem, method):
    found = ct.solve(problem, seeds=2, method=method, max_steps=2_000)
    assert found.outcomes == ("converged", "converged")
    assert found.values.tolist() == pytest.approx([problem.optimal_value] * 2, abs=1e-13)
    assert found.certificate.is_stationary
    assert found.certificate.excess == pytest.approx(0, abs=1e-13)


@pytest.mark.parametrize(
    "problem",
    [
        UfmCrossEntropy(**SMALL, counts=(1, 2, 5, 9)),
        UfmCrossEntropy(**SMALL, counts=(1, 2, 5, 9), bias=True),
        UfmConvex(**SMALL),
    ],
)
def test_without_a_closed_form_the_convex_value_is_the_bound_and_what_random_starts_reach(problem):
    convex, started = ct.solve(problem), ct.solve(problem, seeds=3, method="lbfgs")
    assert convex.method == "convex"
    assert float(convex.values[0]) - convex.lower_bound < 1e-11
    assert started.values.tolist() == pytest.approx([float(convex.values[0])] * 3, abs=1e-12)


def test_a_width_without_room_is_solved_from_starts_beside_the_convex_bound():
    problem = UfmCrossEntropy(**{**SMALL, "dim": 2})
    found = ct.solve(problem, seeds=3)
    assert found.method == "lbfgs"
    assert bool((found.values > found.lower_bound + 1e-4).all())
    assert found.outcomes == ("converged",) * 3


def test_any_problem_is_solved_by_autograd():
    found = ct.solve(Seesaw(0.25), seeds=3)
    assert found.values.tolist() == pytest.approx([Seesaw(0.25).optimal_value] * 3, abs=1e-14)
    assert found.best.rank == 1
    assert found.seen["features", "variability_ratio"] == pytest.approx(0, abs=1e-20)


def test_the_solution_of_a_seed_is_its_own_whatever_its_neighbours():
    problem = DeepUfmCrossEntropy(**DEEP)
    together, alone = ct.solve(problem, seeds=(4, 0, 7)), ct.solve(problem, seeds=(7,))
    assert together.seeds == (4, 0, 7)
    assert float(together.values[2]) == pytest.approx(float(alone.values[0]), abs=1e-13)


def test_more_seeds_than_a_chunk_are_solved_in_order():
    problem = DeepUfmCrossEntropy(**{**DEEP, "num_classes": 3, "dim": 3, "depth": 2})
    many = ct.solve(problem, seeds=70, method="gradient-descent", max_steps=300, polish=False)
    few = ct.solve(problem, seeds=(0, 69), method="gradient-descent", max_steps=300, polish=False)
    assert torch.allclose(many.values[[0, 69]], few.values, rtol=1e-12, atol=0)
    assert many.trajectory.values.shape == (len(many.trajectory.steps), 70)
    assert torch.allclose(many.trajectory.values[-1], many.values, rtol=1e-13, atol=0)


def test_a_grid_is_solved_as_its_problems_are_in_their_order():
    problems = [
        DeepUfmCrossEntropy(**{**DEEP, "weight_decay": 1e-3}),
        UfmMse(**SMALL),
        DeepUfmCrossEntropy(**{**DEEP, "weight_decay": 1e-2}),
        DeepUfmCrossEntropy(**{**DEEP, "depth": 2}),
    ]
    found = ct.solve.solve_grid(problems, seeds=3)
    assert [one.problem for one in found] == problems
    assert [one.method for one in found] == ["lbfgs", "convex", "lbfgs", "lbfgs"]
    for problem, one in zip(problems, found, strict=True):
        assert torch.allclose(one.values, ct.solve(problem, seeds=3).values, rtol=0, atol=1e-13)


def test_penalties_beyond_the_threshold_end_at_zero_and_it_is_said():
    found = ct.solve(DeepUfmCrossEntropy(**{**DEEP, "weight_decay": 0.5, "feature_decay": 0.5}), seeds=3)
    assert found.outcomes == ("zero",) * 3
    assert found.best.is_zero
    assert found.best.rank == 0
    assert found.values.tolist() == pytest.approx([math.log(4)] * 3, abs=1e-12)
    assert any("collapsed to zero" in note for note in found.seen.notes)
    assert found.structures[0].name == "zero"


def test_divergence_is_an_outcome_and_not_an_error():
    problem = DeepUfmMse(**{**DEEP, "relu": False})
    found = ct.solve(problem, seeds=2, method="gradient-descent", step_size=50.0, max_steps=200)
    assert found.outcomes == ("diverged", "diverged")
    assert bool(found.values.isnan().all())
    assert all(bool(value.isfinite().all()) for value in found.params.values())
    assert found.best is None
    assert found.certificate is None
    assert found.structures == (None, None)
    assert found.seen.rows == []
    assert "all 2 seeds diverged" in found.seen.notes[0]


def test_a_start_beyond_the_floats_has_diverged_under_every_method():
    problem = DeepUfmCrossEntropy(**DEEP)
    for method in ("lbfgs", "gradient-descent"):
        found = ct.solve(problem, seeds=1, method=method, scale=1e200, max_steps=10)
        assert found.outcomes == ("diverged",)


def test_steps_that_run_out_are_said():
    problem = DeepUfmCrossEntropy(**DEEP)
    found = ct.solve(problem, seeds=2, method="gradient-descent", max_steps=20, polish=False)
    assert found.outcomes == ("step limit",) * 2
    assert found.steps.tolist() == [20, 20]
    assert not found.certificate.is_stationary


def test_the_trajectory_is_that_of_gradient_descent_before_its_polish():
    problem = DeepUfmCrossEntropy(**DEEP)
    raw, polished = (
        ct.solve(problem, seeds=2, method="gradient-descent", max_steps=1_000, polish=polish)
        for polish in (False, True)
    )
    assert torch.equal(raw.trajectory.values, polished.trajectory.values)
    assert torch.allclose(raw.values, raw.trajectory.values[-1], rtol=1e-14, atol=0)
    assert bool((polished.values < raw.values).all())
    assert bool((raw.trajectory.values.diff(dim=0) <= 0).all())


def test_deep_relu_is_solved_and_certified_at_its_kinks():
    problem = DeepUfmMse(**{**DEEP, "weight_decay": 4e-3, "feature_decay": 4e-3})
    found = ct.solve(problem, seeds=3, max_steps=3_000)
    assert found.method == "rounded"
    assert found.outcomes[found.best_place] == "converged"
    assert found.certificate.is_stationary
    assert float(found.values.min()) == pytest.approx(problem.families()["dnc"].value, abs=1e-12)


def test_rows_of_every_seed_are_of_origin_solved_and_the_best_is_what_is_read():
    problem = DeepUfmCrossEntropy(**DEEP, per_class=2)
    found = ct.solve(problem, seeds=4)
    seen = found.seen
    assert {row.origin for row in seen.rows} == {"solved"}
    assert {row.seed for row in seen.rows if row.measure == "penalised_loss"} == {0, 1, 2, 3}
    assert seen["", "penalised_loss"] == float(found.values.min())
    assert seen.row("features", "self_duality_gap").seed == found.seeds[found.best_place]
    assert {row.seed for row in seen.rows if row.layer == "layer 1"} == {found.seeds[found.best_place]}
    fit = seen["", "loss"]
    assert fit == pytest.approx(float(problem.fit(found.best.params)), rel=1e-14)
    assert found.best.features.shape == (8, 6)
    assert float(problem.loss(found.best.params)) == pytest.approx(found.best.value, rel=1e-13)


def test_of_equal_values_the_most_stationary_seed_is_the_best():
    found = ct.solve(DeepUfmCrossEntropy(**DEEP), seeds=6)
    equal = (found.values - found.values.min()).abs() <= 1e-13
    assert float(found.stationarity[found.best_place]) == float(found.stationarity[equal].min())


def test_a_solution_writes_itself_as_strict_json():
    found = ct.solve(
        DeepUfmMse(**{**DEEP, "relu": False}), seeds=2, method="gradient-descent", step_size=50.0, max_steps=50
    )
    written = json.loads(to_json(found.as_dict()))
    assert [one["outcome"] for one in written["seeds"]] == ["diverged", "diverged"]
    assert written["seeds"][0]["value"] is None
    assert "2 diverged" in repr(found)


def test_the_door_is_the_function_and_holds_the_rest():
    assert list(inspect.signature(ct.solve).parameters)[:2] == ["problem", "seeds"]
    assert isinstance(ct.solve(Seesaw(0.5)), Solution)
    assert set(METHODS) == {"convex", "lbfgs", "rounded", "gradient-descent"}
    assert {"converged", "zero", "stalled", "step limit", "diverged"} == set(OUTCOMES)


@pytest.mark.parametrize(
    ("problem", "arguments", "message"),
    [
        (Seesaw(0.5), {"method": "adam"}, "method='adam' is none of convex, lbfgs, rounded, gradient-descent"),
        (Seesaw(0.5), {"method": "convex"}, "only the one-layer models are convex"),
        (DeepUfmCrossEntropy(**DEEP), {"method": "rounded"}, "it has no ReLU to round"),
        (Seesaw(0.5), {"seeds": 0}, "seeds=0 must be an integer of 1 or more"),
        (Seesaw(0.5), {"seeds": ()}, "seeds is empty"),
        (Seesaw(0.5), {"seeds": (1, -2)}, "seeds=-2 must be an integer of 0 or more"),
        (Seesaw(0.5), {"tol": 0.0}, "tol=0.0 must be positive and finite"),
        (Seesaw(0.5), {"scale": -1.0}, "scale=-1.0 must be positive"),
        (Seesaw(0.5), {"max_steps": 0}, "max_steps=0 must be an integer of 1 or more"),
    ],
)
def test_what_is_not_possible_is_refused(problem, arguments, message):
    with pytest.raises(ValueError, match=message):
        ct.solve(problem, **arguments)


def test_progress_goes_to_stderr_and_nothing_is_said_otherwise(capsys):
    ct.solve(Seesaw(0.5), seeds=2, progress=True)
    out, err = capsys.readouterr()
    assert out == ""
    assert "2 of 2 seeds: <Solution: 2 seed(s), 2 converged" in err
    ct.solve(Seesaw(0.5), seeds=2)
    assert capsys.readouterr() == ("", "")
