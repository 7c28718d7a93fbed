"""Any convex loss, balanced: its two levels against a search and the models of single losses, and what it refuses."""

from __future__ import annotations

import math
import subprocess
import sys

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis.strategies import booleans, floats, integers, sampled_from
from scipy.optimize import minimize

from caltrop.theory import UfmConvex, UfmCrossEntropy, UfmMse
from caltrop.theory.fits import CrossEntropy, PseudoHuber
from caltrop.theory.ufm_convex import LOSSES
from theory.descent import descended
from theory.test_fits import slow

names = sampled_from(sorted(LOSSES))
SIZE = {"num_classes": 4, "dim": 4, "per_class": 3, "weight_decay": 0.02, "feature_decay": 0.01}


@settings(max_examples=60)
@given(names, integers(2, 6), integers(1, 4), floats(-4, 0), booleans())
def test_no_pair_of_levels_costs_less_than_the_optimum(name, num_classes, per_class, penalty, bias):
    problem = UfmConvex(
        criterion=name,
        num_classes=num_classes,
        dim=num_classes,
        per_class=per_class,
        weight_decay=10**penalty,
        feature_decay=10**penalty,
        bias=bias,
    )
    x, y = problem.levels
    cost = problem.coupling * math.sqrt(per_class)

    def paid(levels):
        own = ((num_classes - 1) * levels[0] + levels[1]) / num_classes
        row = [own, *[(levels[1] - levels[0]) / num_classes] * (num_classes - 1)]
        return slow(problem.fit_of, row, 0) + cost * ((num_classes - 1) * abs(levels[0]) + (not bias) * abs(levels[1]))

    # the slow definition adds terms as large as a logit, of tens
    assert paid((x, y)) == pytest.approx(problem.optimal_value, abs=1e-14)
    for shift in ((1e-3, 0), (-1e-3, 0), (0, 1e-3), (0, -1e-3), (1e-3, 1e-3), (1e-3, -1e-3)):
        assert paid((x + shift[0], y + shift[1])) >= problem.optimal_value - 1e-14
    found = minimize(paid, (1.0, -1.0), method="Nelder-Mead", options={"xatol": 1e-7, "fatol": 1e-13, "maxiter": 2000})
    assert found.fun >= problem.optimal_value - 1e-14


@settings(max_examples=60)
@given(integers(2, 6), integers(0, 2), integers(1, 4), floats(-4, 0.5), booleans())
def test_named_losses_that_have_a_model_of_their_own_agree_with_it(num_classes, room, per_class, penalty, bias):
    size = {
        "num_classes": num_classes,
        "dim": num_classes + room,
        "per_class": per_class,
        "weight_decay": 10**penalty,
        "feature_decay": 10 ** (penalty / 2),
        "bias": bias,
    }
    for name, known in (("cross-entropy", UfmCrossEntropy(**size)), ("squared-error", UfmMse(**size))):
        found = UfmConvex(**size, criterion=name)
        assert found.optimal_value == pytest.approx(known.optimal_value, rel=1e-13)
        ours, theirs = found.optimum(), known.optimum()
        # a level within rounding of 0 counts for a rank or not
        if abs(known.coupling * math.sqrt(per_class) * num_classes - 1) > 1e-12:
            assert (ours.rank, ours.is_zero) == (theirs.rank, theirs.is_zero)
        logits, expected = ours.features @ ours.weights.T, theirs.features @ theirs.weights.T
        assert torch.allclose(logits, expected, rtol=0, atol=1e-11)
    smoothed = UfmConvex(**size, criterion=CrossEntropy(0.2)).optimal_value
    assert smoothed == pytest.approx(UfmCrossEntropy(**size, label_smoothing=0.2).optimal_value, rel=1e-13)


@pytest.mark.parametrize("name", sorted(LOSSES))
def test_one_direction_is_missed_where_the_width_is_too_small(name):
    wide = UfmConvex(**SIZE, criterion=name)
    rank = wide.optimum().rank
    for dim in range(1, 6):
        problem = UfmConvex(**{**SIZE, "dim": dim}, criterion=name)
        assert (problem.optimal_value is not None) is (dim >= rank)
        assert problem.lower_bound == wide.optimal_value
    narrow = UfmConvex(**{**SIZE, "dim": rank - 1}, criterion=name)
    assert narrow.lower_bound < min(descended(narrow, seed) for seed in range(3)) - 1e-4


def test_one_against_all_may_learn_only_how_rare_classes_are():
    # at zero logits the slope along the common direction is (K − 2)/2, along the others 1: K = 10 is given up first
    problem = UfmConvex(num_classes=10, dim=10, per_class=2, weight_decay=0.3, feature_decay=0.15)
    optimum = problem.optimum()
    assert optimum.rank == 1
    assert dict(optimum.predictions) == {}
    assert not optimum.is_zero
    assert problem.optimal_value < 10 * math.log(2)


@pytest.mark.parametrize("bias", [False, True])
def test_beyond_the_threshold_nothing_is_learned(bias):
    # slopes of the own class and of others differ by 1 where logits are equal: √n/N along the simplex, against c
    edge = 1 / (3 * math.sqrt(4))
    for penalty, nothing in ((edge * 0.99, False), (edge * 1.01, True)):
        size = {"num_classes": 3, "dim": 3, "per_class": 4, "weight_decay": penalty, "feature_decay": penalty}
        assert UfmConvex(**size, bias=bias).optimum().is_zero is nothing


class Lopsided:
    """Convex, but it does not treat classes alike."""

    def values(self, logits, labels):
        return CrossEntropy().values(logits, labels) * (1 + labels)

    def gradients(self, logits, labels):
        return CrossEntropy().gradients(logits, labels) * (1 + labels)[:, None]

    def infimum(self, num_classes):
        return 0.0


@pytest.mark.parametrize("changes", [{"criterion": Lopsided()}, {"counts": (1, 2, 3, 4)}])
def test_without_symmetry_only_a_bound_is_known(changes):
    problem = UfmConvex(**{**SIZE, **changes})
    assert problem.optimum() is None
    assert problem.optimal_value is None
    assert 0 < problem.lower_bound < min(descended(problem, seed) for seed in range(2))


def test_a_loss_that_falls_forever_has_no_optimum():
    class Falling:
        treats_classes_alike = True

        def values(self, logits, labels):
            return -logits.sum(dim=-1)

        def gradients(self, logits, labels):
            return -torch.ones_like(logits)

        def infimum(self, num_classes):
            return -math.inf

    problem = UfmConvex(**{**SIZE, "weight_decay": 1e-3, "feature_decay": 1e-3}, criterion=Falling())
    assert problem.levels is None
    assert problem.optimum() is None


@pytest.mark.parametrize(
    ("name", "hint"),
    [("squared-hing", "did you mean squared-hinge"), ("zzz", "there are: binary-cross-entropy, cross-entropy")],
)
def test_an_unknown_loss_is_refused_with_the_nearest(name, hint):
    with pytest.raises(ValueError, match=rf"criterion='{name}' is not the name of a loss; {hint}"):
        UfmConvex(**SIZE, criterion=name)


def test_what_is_no_loss_is_refused():
    # while tests run annotations would refuse it first
    make = "UfmConvex(num_classes=3, dim=3, weight_decay=1.0, feature_decay=1.0, criterion=3)"
    code = f"from caltrop.theory import UfmConvex; {make}"
    said = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True).stderr
    assert "TypeError: criterion=3 is neither a name nor a loss: it needs the methods values, gradients" in said


def test_problems_with_equal_losses_are_equal():
    first, second = UfmConvex(**SIZE, criterion=PseudoHuber(0.5)), UfmConvex(**SIZE, criterion=PseudoHuber(0.5))
    assert first == second
    assert hash(first) == hash(second)
    assert first != UfmConvex(**SIZE, criterion=PseudoHuber(0.6))
    assert np.isfinite(first.optimal_value)
