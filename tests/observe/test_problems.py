"""A theoretical optimum goes through the pipeline of measured features."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

import pytest
import torch

import caltrop as ct
from caltrop.observe import measure, measure_problem
from caltrop.theory import UfmCrossEntropy, UfmMse
from theory.seesaw import Seesaw

SIZE = {"num_classes": 4, "dim": 6, "weight_decay": 0.01, "feature_decay": 0.004, "per_class": 3}
both = pytest.mark.parametrize("problem", [UfmCrossEntropy(**SIZE), UfmMse(**SIZE, bias=True)], ids=["CE", "MSE"])


@both
def test_rows_are_those_of_measure_but_for_their_origin(problem):
    optimum = problem.optimum()
    direct = measure(optimum.features, problem.labels, weights=optimum.weights, bias=optimum.bias)
    seen = measure_problem(problem)
    assert [replace(row, origin="trained", value=0.0) for row in seen.rows[:-2]] == [
        replace(row, value=0.0) for row in direct.rows
    ]
    assert [row.value for row in seen.rows[:-2]] == pytest.approx([row.value for row in direct.rows], nan_ok=True)
    assert {row.origin for row in seen.rows} == {"closed form"}
    assert seen.layers == ["features"]
    assert seen.per_class("features", "angle_deviation").keys() == {0, 1, 2, 3}


@both
def test_the_whole_model_s_rows_are_the_fit_and_the_loss_with_its_penalties(problem):
    seen = measure_problem(problem)
    fit, loss = seen.rows[-2:]
    assert (fit.layer, fit.measure, fit.symbol, fit.split, fit.step) == ("", "loss", "L", "all", None)
    assert (loss.layer, loss.measure) == ("", "penalised_loss")
    params = problem.optimum().params
    assert fit.value == pytest.approx(float(problem.fit(params)), abs=1e-15)
    assert loss.value == pytest.approx(float(problem.loss(params)), abs=1e-12)


def test_a_measure_without_its_inputs_says_which_as_everywhere():
    with pytest.raises(KeyError, match="did you mean angle_deviation"):
        measure_problem(UfmMse(**SIZE))["features", "angle_deviatoin"]


def test_a_problem_that_cannot_say_its_fit_has_no_loss_row():
    seen = measure_problem(Seesaw(0.5))
    assert [row.measure for row in seen.rows if not row.layer] == ["penalised_loss"]


def test_a_family_is_measured_at_its_own_point():
    problem = Seesaw(0.5)
    assert measure_problem(problem, "all")["", "penalised_loss"] == problem.families()["all"].value
    assert math.isnan(measure_problem(problem, family="nothing")["features", "variability_ratio"])


@pytest.mark.parametrize(("family", "hint"), [("nothin", "did you mean nothing"), ("zzz", "there are: nothing, all")])
def test_an_unknown_family_is_refused_with_the_nearest(family, hint):
    with pytest.raises(KeyError, match=rf"no family of Seesaw\(penalty=0.5\) is called '{family}'; {hint}"):
        measure_problem(Seesaw(0.5), family)


def test_a_problem_without_families_says_so():
    with pytest.raises(KeyError, match="is called 'srg'; there are: none"):
        measure_problem(UfmMse(**SIZE), "srg")


@dataclass(frozen=True)
class Unsolved(Seesaw):
    """A user's problem with families, but no known optimum."""

    def optimum(self):
        return None


@dataclass(frozen=True)
class Nameless(Seesaw):
    """A user's problem that does not say which sample is of which class."""

    labels = None


def test_without_a_known_optimum_the_families_are_offered():
    with pytest.raises(ValueError, match=r"no global optimum of Unsolved.* measure one of its families: nothing, all"):
        measure_problem(Unsolved(0.5))


def test_features_without_labels_are_refused_with_a_remedy():
    with pytest.raises(ValueError, match=r"which class each feature belongs to; give Optimum labels="):
        measure_problem(Nameless(0.5))


def test_a_point_that_is_not_attained_has_the_value_but_no_fit():
    @dataclass(frozen=True)
    class Unattained(UfmMse):
        def optimum(self):
            return replace(super().optimum(), params=None)

    seen = measure_problem(Unattained(**SIZE))
    assert [row.measure for row in seen.rows if not row.layer] == ["penalised_loss"]


def test_the_door_is_public_and_takes_the_example_of_the_contract():
    problem = ct.theory.UfmMse(num_classes=10, per_class=50, dim=512, weight_decay=5e-4, feature_decay=1e-6)
    seen = ct.measure_problem(problem, family=None)
    assert seen["features", "orthogonal_frame_distance"] == pytest.approx(0, abs=1e-12)
    assert seen["", "penalised_loss"] == problem.optimal_value
    assert torch.equal(problem.optimum().labels.unique(), torch.arange(10))
