"""One-layer unconstrained features models: against their slow definition, and what they refuse."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from caltrop import theory
from caltrop.observe import measure_problem
from caltrop.theory import UfmCrossEntropy, UfmMse
from reference import ufm

SIZE = {"num_classes": 3, "dim": 4, "weight_decay": 0.02, "feature_decay": 0.01}


@pytest.mark.parametrize("counts", [None, (1, 2, 4)])
@pytest.mark.parametrize("bias", [False, True])
@pytest.mark.parametrize("smoothing", [0.0, 0.3])
def test_losses_agree_with_the_definition_sample_by_sample(counts, bias, smoothing):
    more = {**SIZE, "counts": counts, "per_class": 2, "bias": bias}
    for problem, slow in (
        (UfmCrossEntropy(**more, label_smoothing=smoothing), ufm.cross_entropy),
        (UfmMse(**more), ufm.squared_error),
    ):
        params = problem.init(seed=5)
        if bias:
            params["bias"] = torch.tensor([0.3, -0.1, 0.7], dtype=torch.float64)
        shift = params["bias"].numpy() if bias else np.zeros(3)
        extra = {"smoothing": smoothing} if slow is ufm.cross_entropy else {}
        expected = slow(
            params["features"].numpy(), params["weights"].numpy(), shift, problem.labels.tolist(), 0.02, 0.01, **extra
        )
        assert float(problem.loss(params)) == pytest.approx(expected, rel=1e-13)
        assert float(problem.fit(params) + problem.penalty(params)) == pytest.approx(expected, rel=1e-13)


@pytest.mark.parametrize("kind", [UfmCrossEntropy, UfmMse])
def test_unequal_classes_have_a_bound_but_no_closed_form_here(kind):
    problem = kind(**SIZE, counts=(1, 2, 4))
    assert problem.optimum() is None
    assert problem.optimal_value is None
    assert problem.lower_bound <= float(problem.loss(problem.init(0)))
    with pytest.raises(ValueError, match=r"no global optimum of .* is known"):
        measure_problem(problem)


@pytest.mark.parametrize(
    ("kind", "dim", "bias", "known"),
    [
        (UfmCrossEntropy, 2, False, True),
        (UfmCrossEntropy, 1, False, False),
        (UfmMse, 3, False, True),
        (UfmMse, 2, False, False),
        (UfmMse, 2, True, True),
        (UfmMse, 1, True, False),
    ],
)
def test_too_few_dimensions_for_collapse_leave_the_optimum_unknown(kind, dim, bias, known):
    problem = kind(**{**SIZE, "dim": dim, "bias": bias})
    assert (problem.optimum() is not None) is known
    assert (problem.optimal_value is not None) is known


def test_smoothed_targets_have_an_entropy_that_no_fit_goes_below():
    problem = UfmCrossEntropy(**SIZE, counts=(1, 2, 4), label_smoothing=0.3)
    low = 0.1
    expected = -(0.8 * np.log(0.8) + 2 * low * np.log(low))
    assert problem.lower_bound == pytest.approx(expected, rel=1e-14)


def test_equal_counts_are_balanced():
    assert UfmMse(**SIZE, counts=(2, 2, 2)).optimal_value == UfmMse(**SIZE, per_class=2).optimal_value


@pytest.mark.parametrize(
    ("changes", "why"),
    [
        ({"num_classes": 1}, "num_classes=1: one class"),
        ({"dim": 0}, "dim=0"),
        ({"weight_decay": 0.0}, "weight_decay=0.0 must be positive: without a penalty the loss has no minimiser"),
        ({"feature_decay": -1.0}, r"feature_decay=-1.0 must be positive"),
        ({"feature_decay": float("nan")}, "feature_decay=nan must be positive"),
        ({"per_class": 0}, "per_class=0 must be an integer of 1 or more"),
        ({"counts": (1, 2)}, r"counts=\(1, 2\) must hold one number"),
        ({"counts": (0, 1, 2)}, "1 or more, for each of the 3 classes"),
    ],
)
@pytest.mark.parametrize("kind", [UfmCrossEntropy, UfmMse])
def test_impossible_sizes_and_penalties_are_refused(kind, changes, why):
    with pytest.raises(ValueError, match=why):
        kind(**{**SIZE, **changes})


@pytest.mark.parametrize("smoothing", [-0.1, 1.0])
def test_impossible_smoothing_is_refused(smoothing):
    with pytest.raises(ValueError, match="label_smoothing"):
        UfmCrossEntropy(**SIZE, label_smoothing=smoothing)


def test_an_unknown_problem_is_refused_with_the_nearest():
    with pytest.raises(KeyError, match="no problem is called 'ufm-mce'; did you mean ufm-mse"):
        theory.get("ufm-mce")


def test_a_family_that_does_not_exist_is_refused():
    with pytest.raises(KeyError, match="is called 'srg'; there are: none"):
        measure_problem(UfmMse(**SIZE), "srg")


def test_a_name_is_registered_once():
    with pytest.raises(ValueError, match="registered already"):
        theory.problem("ufm-mse")(type("Other", (), {}))
