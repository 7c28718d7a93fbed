"""What certificates say of points of which it is known: optima, saddles, critical and other points, broken ones."""

from __future__ import annotations

import dataclasses
import json
import math
from dataclasses import dataclass

import pytest
import torch

from caltrop.solve.certificate import certify
from caltrop.solve.nuclear import solve_nuclear
from caltrop.theory import DeepUfmCrossEntropy, DeepUfmMse, UfmCrossEntropy, UfmMse
from caltrop.theory.optimum import Optimum
from solve.points import best_scale, logit_point, pairs_shape, simplex_shape
from theory.descent import descended

SIZES = {"num_classes": 4, "dim": 6, "weight_decay": 0.003, "feature_decay": 0.002}
OPTIMA = {
    "cross-entropy": UfmCrossEntropy(**SIZES, per_class=3),
    "smoothed": UfmCrossEntropy(**SIZES, label_smoothing=0.1),
    "with bias": UfmCrossEntropy(**SIZES, per_class=2, bias=True),
    "beyond the threshold": UfmCrossEntropy(**(SIZES | {"weight_decay": 1.0, "feature_decay": 1.0})),
    "squared error": UfmMse(**SIZES, per_class=3),
    "squared error with bias": UfmMse(**SIZES, bias=True),
    "deep linear squared error": DeepUfmMse(**SIZES, depth=3, relu=False, per_class=2),
    "two classes": DeepUfmCrossEntropy(num_classes=2, dim=3, weight_decay=1e-3, feature_decay=1e-3, depth=3),
}


@pytest.mark.parametrize("name", OPTIMA)
def test_an_optimum_is_certified_in_full(name):
    problem = OPTIMA[name]
    found = certify(problem, problem.optimum().params, tol=1e-12)
    assert found.is_stationary
    assert found.stationarity == found.stationarity_floor < 1e-15
    assert abs(found.excess) < 1e-14
    assert found.excess == found.value - problem.optimal_value
    assert found.balance_gap < 1e-13
    assert found.interface_gap < 1e-13
    assert found.alignment_gap is None or found.alignment_gap < 1e-13
    assert found.negative_curvature == 0
    assert found.nullity == found.expected_nullity
    assert found.does_not_prove == ()
    assert found.proves[0].startswith("global optimality")
    if problem.class_means.depth == 1:
        assert abs(found.duality_gap) < 1e-14
    else:
        assert found.duality_gap is None


@pytest.mark.parametrize("counts", [(1, 2, 5, 1), (4, 4, 1, 1)])
@pytest.mark.parametrize("bias", [False, True])
def test_no_point_of_one_layer_lies_below_its_dual_bound(counts, bias):
    problem = UfmCrossEntropy(**SIZES, counts=counts, bias=bias)
    best = min(descended(problem, seed) for seed in range(2))
    for seed in range(5):
        found = certify(problem, problem.init(seed), curvature=False)
        # float64 L-BFGS stops within 1e-9 above the minimum, never below
        assert found.value - found.duality_gap <= best + 1e-12
        assert found.lower_bound >= problem.lower_bound
        assert found.duality_gap > 0


@pytest.mark.parametrize("bias", [False, True])
def test_unequal_classes_are_certified_where_no_closed_form_is(bias):
    problem = UfmCrossEntropy(**SIZES, counts=(9, 4, 1, 1), bias=bias)
    found = certify(problem, solve_nuclear(problem).params, tol=1e-8)
    assert problem.optimal_value is None
    assert abs(found.duality_gap) < 1e-12
    assert found.lower_bound == found.value - found.duality_gap > problem.lower_bound + 1e-3
    assert found.proves[0].startswith("global optimality")


def test_the_dual_bound_of_samples_that_differ_is_that_of_their_means():
    problem = OPTIMA["cross-entropy"]
    random = torch.Generator().manual_seed(0)
    params = problem.optimum().params
    noise = torch.randn(params["features"].shape, generator=random, dtype=torch.float64)
    found = certify(problem, {**params, "features": params["features"] + 1e-6 * noise}, curvature=False)
    # the bound moves as far as the means do, the value by its square
    assert 0 < found.duality_gap < 1e-5
    assert found.value - found.duality_gap <= problem.optimal_value


def test_points_over_samples_and_over_class_means_are_one():
    problem = DeepUfmMse(**SIZES, depth=3, per_class=3)
    means = problem.class_means.init(1)
    one, other = certify(problem, means), certify(problem, problem.lift(means))
    assert one == other
    assert one.value == pytest.approx(float(problem.loss(problem.lift(means))), rel=1e-14)


@pytest.mark.parametrize("relu", [False, True])
def test_samples_that_differ_within_a_class_are_taken_as_they_are(relu):
    problem = DeepUfmMse(**SIZES, depth=3, per_class=3, relu=relu)
    params = problem.init(0)
    found = certify(problem, params)
    gradient = problem.samples.value_and_gradient(params)[1]
    assert found.stationarity == pytest.approx(max(float(part.abs().max()) for part in gradient.values()), rel=1e-12)
    assert found.value == pytest.approx(float(problem.loss(params)), rel=1e-14)


def test_a_saddle_is_told_from_a_minimum():
    problem = UfmCrossEntropy(num_classes=4, dim=5, weight_decay=1e-3, feature_decay=1e-3)
    model = problem.class_means
    found = certify(problem, logit_point(model, best_scale(model, pairs_shape(4)) * pairs_shape(4)))
    assert found.is_stationary
    assert found.negative_curvature == 3
    assert "a strict saddle, no local minimum: 3 directions of negative curvature" in found.proves
    assert found.duality_gap >= found.excess > 0
    assert any("global minimum" in said for said in found.does_not_prove)


def test_a_local_minimum_is_not_called_global():
    problem = DeepUfmCrossEntropy(num_classes=4, dim=6, weight_decay=1e-3, feature_decay=1e-3, depth=3)
    model = problem.class_means
    params = logit_point(model, best_scale(model, simplex_shape(4)) * simplex_shape(4))
    found = certify(problem, params)
    assert (found.negative_curvature, found.nullity, found.expected_nullity) == (0, 36, 36)
    assert any(said.startswith("a strict local minimum up to symmetry") for said in found.proves)
    assert [said for said in found.does_not_prove if "global minimum" in said] == list(found.does_not_prove)
    assert problem.lower_bound < problem.families()["pairs"].value < found.value


def test_families_of_deep_squared_error_with_relu():
    problem = DeepUfmMse(num_classes=10, dim=12, depth=4, weight_decay=0.004, feature_decay=0.004, per_class=2)
    dnc, srg, kneser = (certify(problem, problem.family(name).params) for name in ("dnc", "srg", "kneser"))
    assert dnc.is_stationary
    assert (dnc.active_kinks, dnc.kink_reach) == (0, 0)
    assert any("whichever slopes" in said for said in dnc.proves)
    assert kneser.is_stationary
    assert kneser.stationarity < 1e-10
    assert kneser.active_kinks == 120
    assert kneser.kink_tolerance == 1e-12
    assert kneser.curvature is None
    assert any("Clarke" in said for said in kneser.proves)
    assert any(said.startswith("that it is a local minimum") for said in kneser.does_not_prove)
    assert not srg.is_stationary
    assert srg.kink_tolerance == 1e-12  # wider ones find no other kinks
    assert srg.stationarity_floor > 1e-3
    assert any(said.startswith("that it is not a stationary point, and no local minimum") for said in srg.proves)


def test_beside_a_kink_the_tolerance_is_said():
    problem = DeepUfmMse(num_classes=10, dim=12, depth=4, weight_decay=0.004, feature_decay=0.004)
    random = torch.Generator().manual_seed(0)
    params = {
        name: value + 1e-11 * torch.randn(value.shape, generator=random, dtype=torch.float64)
        for name, value in problem.family("kneser").params.items()
    }
    found = certify(problem, params)
    assert found.is_stationary
    assert found.kink_tolerance == 1e-9
    assert 1e-12 < found.kink_reach < 1e-9
    assert any("exactly stationary point" in said for said in found.does_not_prove)
    exact = certify(problem, params, kink_tolerance=1e-13)
    assert not exact.is_stationary
    assert exact.kink_tolerance == 1e-13


def test_slopes_that_were_not_found_are_not_called_impossible():
    problem = DeepUfmMse(num_classes=21, dim=21, depth=4, weight_decay=0.001, feature_decay=0.001)
    found = certify(problem, problem.family("kneser").params)
    assert not found.is_stationary
    assert found.stationarity_floor < found.tol
    assert not any("not a stationary point" in said for said in found.proves)
    assert any("that it is not stationary either" in said for said in found.does_not_prove)


def test_a_smooth_point_with_relu_has_a_hessian():
    """Two layers whose units are all positive: linear nearby."""
    problem = DeepUfmMse(num_classes=2, dim=2, depth=2, weight_decay=0.01, feature_decay=0.01)
    params = problem.class_means.init(0)
    params = {name: value.abs() + 0.1 for name, value in params.items()}
    found = certify(problem, params, tol=10.0)
    assert found.kinks == 0
    assert found.curvature is None  # a gradient as large as the penalties blurs which curvatures are zero
    assert "that it is a local minimum: the Hessian was not looked at" in found.does_not_prove


def test_curvature_is_left_out_where_it_is_not_asked_for():
    problem = OPTIMA["cross-entropy"]
    found = certify(problem, problem.optimum().params, curvature=False)
    assert found.curvature is found.negative_curvature is found.nullity is found.expected_nullity is None
    assert any("Hessian was not looked at" in said for said in found.does_not_prove)


@pytest.mark.parametrize("bad", [math.nan, math.inf])
@pytest.mark.parametrize("relu", [False, True])
def test_a_point_that_diverged_proves_nothing(bad, relu):
    problem = DeepUfmMse(**SIZES, depth=3, relu=relu)
    params = problem.class_means.init(0)
    params["weights_1"][0, 0] = bad
    found = certify(problem, params)
    assert not found.is_stationary
    assert found.proves == ()
    assert found.does_not_prove == ("anything: the loss is not a finite number here",)
    json.dumps(found.as_dict(), allow_nan=False)


@pytest.mark.parametrize("name", ["cross-entropy", "deep linear squared error"])
def test_a_certificate_is_strict_json(name):
    problem = OPTIMA[name]
    plain = json.loads(json.dumps(certify(problem, problem.optimum().params).as_dict(), allow_nan=False))
    assert plain["is_stationary"] is True
    assert plain["curvature"]["method"] == "reduced"
    assert plain["proves"]
    assert plain["does_not_prove"] == []


def test_many_points_at_once_are_refused():
    problem = OPTIMA["cross-entropy"]
    many = {name: value.expand(3, *value.shape) for name, value in problem.optimum().params.items()}
    with pytest.raises(ValueError, match=r"features \[3, 12, 6\].*one seed at a time"):
        certify(problem, many)


@dataclass(frozen=True)
class Bowl:
    """x'Ax/2 of any signs: a problem with a loss and nothing else."""

    signs: tuple[float, ...] = (2.0, 1.0, 0.0)
    optimal_value: float | None = None
    lower_bound: float = -1.0

    def init(self, seed):
        return {"x": torch.full((len(self.signs),), 1.0, dtype=torch.float64)}

    def loss(self, params):
        return (torch.tensor(self.signs).double() * params["x"].square()).sum(dim=-1) / 2

    def features(self, params):
        return params["x"]

    def optimum(self) -> Optimum | None:
        return None

    def families(self):
        return {}


@pytest.mark.parametrize(("signs", "below"), [((2.0, 1.0, 0.5), 0), ((2.0, -1.0, -0.5), 2), ((2.0, 1.0, 0.0), 0)])
def test_any_problem_is_taken_through_its_loss(signs, below):
    problem = Bowl(signs)
    found = certify(problem, {"x": torch.zeros(3, dtype=torch.float64)})
    assert found.stationarity == 0
    assert found.negative_curvature == below
    assert found.nullity == signs.count(0.0)
    assert found.excess == 1.0
    assert any("1.0e+00 lower" in said for said in found.does_not_prove)
    away = certify(problem, problem.init(0))
    assert away.stationarity == 2.0
    assert not away.is_stationary
    with pytest.raises(ValueError, match="many points"):
        certify(problem, {"x": torch.zeros(2, 3, dtype=torch.float64)})


def test_nothing_of_a_certificate_is_left_unsaid():
    found = certify(OPTIMA["squared error"], OPTIMA["squared error"].optimum().params)
    assert set(found.as_dict()) == {field.name for field in dataclasses.fields(found)} | {"proves", "does_not_prove"}
