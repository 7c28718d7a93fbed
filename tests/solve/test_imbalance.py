"""Optima along an imbalance ratio: where small classes merge by the solver and by the closed form, and descent."""

from __future__ import annotations

import json
import math

import pytest
import torch

from caltrop.solve.imbalance import Imbalance, imbalance_curve, merging_count
from caltrop.theory import UfmMse
from caltrop.theory.fits import CrossEntropy
from theory.descent import descended

SIZE = {"num_classes": 6, "dim": 6, "weight_decay": 2e-3, "feature_decay": 1e-3}


@pytest.mark.parametrize("bias", [False, True])
@pytest.mark.parametrize(
    ("criterion", "smoothing"),
    [("cross-entropy", 0.0), (CrossEntropy(0.2), 0.2), ("binary-cross-entropy", 0.0), ("squared-error", 0.0)],
    ids=str,
)
def test_small_classes_merge_at_the_counts_that_the_closed_form_says(criterion, smoothing, bias):
    curve = imbalance_curve(**SIZE, ratios=[300], largest=300, bias=bias, criterion=criterion)
    apart, merged = curve.last_apart, curve.first_merged
    assert apart.counts[-1] == merged.counts[-1] + 1
    assert merged.merged == (3, 4, 5)
    assert apart.merged == ()
    decays = (SIZE["weight_decay"], SIZE["feature_decay"], smoothing)
    assert apart.counts[-1] > merging_count(sum(apart.counts), *decays)
    assert merged.counts[-1] <= merging_count(sum(merged.counts), *decays)
    # the differences between three classes at least
    assert apart.rank - merged.rank >= 2
    assert max(apart.relative_gap, merged.relative_gap) < 1e-11


def test_squared_error_gives_classes_up_where_they_would_merge():
    # without a bias √n_k > Nc is what its own closed form asks of a class
    counts = (300, 300, 300, 2, 2, 2)
    edge = 2**0.5 / sum(counts)
    for penalty, rank in ((edge * 0.999, 6), (edge * 1.001, 3)):
        problem = UfmMse(num_classes=6, dim=6, weight_decay=penalty, feature_decay=penalty, counts=counts)
        assert problem.optimum().rank == rank
        assert (merging_count(sum(counts), penalty, penalty) >= 2) is (rank == 3)


def test_beyond_the_threshold_the_small_classes_are_one_and_the_large_ones_stay_apart():
    point = Imbalance(**SIZE, largest=300).solved(300)
    weights, features = point.params["weights"], point.params["features"]
    assert torch.allclose(weights[3:], weights[3].expand(3, -1), rtol=0, atol=1e-10 * float(weights.norm()))
    assert torch.allclose(features[3:], features[3].expand(3, -1), rtol=0, atol=1e-10 * float(features.norm()))
    assert float(weights[3].norm()) > 0.1 * float(weights[0].norm())
    assert point.minority_merge == pytest.approx(1, abs=1e-9)
    cosines = torch.nn.functional.cosine_similarity(weights[:3, None], weights[:3], dim=-1)
    assert cosines[0, 1] < -0.3


def test_small_classes_that_are_given_up_leave_a_simplex_of_the_large_ones():
    point = Imbalance(**{**SIZE, "weight_decay": 8e-3}, largest=300, bias=True).solved(300)
    assert point.rank == 2
    assert float(point.params["weights"][3:].abs().max()) == 0
    assert point.merged == (3, 4, 5)
    assert math.isnan(point.minority_merge)
    assert "is 0 and has no direction" in point.reason
    large = point.params["weights"][:3]
    cosines = torch.nn.functional.cosine_similarity(large[:, None], large, dim=-1)
    assert torch.allclose(cosines, 1.5 * torch.eye(3, dtype=torch.float64) - 0.5, rtol=0, atol=1e-9)


def test_the_largest_cosine_rises_with_the_ratio_from_a_simplex_to_one():
    curve = imbalance_curve(**SIZE, ratios=[1, 3, 10, 30, 300], largest=300)
    merges = [point.minority_merge for point in curve.points]
    assert merges == sorted(merges)
    assert merges[0] == pytest.approx(-1 / 5, abs=1e-9)
    assert merges[-1] == pytest.approx(1, abs=1e-9)
    assert curve.points[-1].merged == (3, 4, 5)


@pytest.mark.parametrize("profile", ["step", "long-tailed"])
def test_descent_on_factors_reaches_the_points_and_never_goes_below(profile):
    family = Imbalance(
        num_classes=4, dim=5, weight_decay=0.03, feature_decay=0.01, profile=profile, largest=40, bias=True
    )
    for ratio in (1, 4, 20):
        point = family.solved(ratio)
        reached = min(descended(family.problem(ratio), seed) for seed in range(2))
        assert reached >= point.lower_bound - 1e-14
        assert reached == pytest.approx(point.value, abs=1e-9)


def test_profiles_are_whole_counts():
    step = Imbalance(**SIZE, largest=100, minority=2)
    assert step.counts(1) == (100,) * 6
    assert step.counts(7) == (100, 100, 100, 100, 14, 14)
    tailed = Imbalance(**SIZE, largest=100, profile="long-tailed")
    assert tailed.counts(100) == (100, 40, 16, 6, 3, 1)
    assert tailed.solved(100).ratio == 100


def test_nothing_merges_up_to_a_small_ratio_or_everything_has_from_the_start():
    apart = imbalance_curve(**SIZE, ratios=[2], largest=300)
    assert (apart.last_apart, apart.first_merged) == (None, None)
    beyond = imbalance_curve(**{**SIZE, "weight_decay": 0.5}, ratios=[2], largest=300)
    assert beyond.points[0].merged == (0, 1, 2, 3, 4, 5)
    assert beyond.first_merged is None


def test_a_point_is_strict_json():
    for bias in (False, True):
        point = Imbalance(**{**SIZE, "weight_decay": 8e-3}, largest=300, bias=bias).solved(300)
        read = json.loads(json.dumps(point.as_dict(), allow_nan=False))
        assert read["counts"] == list(point.counts)
        assert read["value"] == point.value
        assert (read["minority_merge"] is None) is bias


@pytest.mark.parametrize(
    ("changes", "why"),
    [
        ({"profile": "steps"}, "profile='steps' is not one of step, long-tailed"),
        ({"ratios": [0.5]}, r"ratio=0\.5 must lie between 1 and largest=300"),
        ({"ratios": [301]}, "ratio=301 must lie between 1 and largest=300"),
        ({"ratios": [math.nan]}, "ratio=nan must lie between"),
        ({"minority": 6}, "minority=6 leaves no large class of num_classes=6"),
        ({"minority": 0}, "minority=0 must be an integer of 1 or more"),
        ({"largest": 0}, "largest=0 must be an integer of 1 or more"),
        ({"weight_decay": 0.0}, r"weight_decay=0\.0 must be positive"),
    ],
)
def test_impossible_families_are_refused(changes, why):
    with pytest.raises(ValueError, match=why):
        imbalance_curve(**{**SIZE, "ratios": [2], "largest": 300, **changes})
