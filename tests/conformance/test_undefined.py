"""Where a measure has no value it says so: NaN or infinite with a reason, never a proud 0."""

from __future__ import annotations

import math

import numpy as np
import pytest

from caltrop.observe import measure
from reference import VARIABILITY, simplex, twin, unequal

LABELS = np.repeat(np.arange(3), [3, 7, 5])
HEAD = {"weights": np.arange(12.0).reshape(3, 4) ** 2, "bias": np.arange(3.0)}
NEEDS_DIFFERENT_MEANS = [
    *VARIABILITY,
    "variability_noise_floor",
    "norm_deviation",
    "angle_deviation",
    "simplex_distance",
    "self_duality_gap",
    "duality_simplex_distance",
    "coherence",
    "welch_gap",
    "uniformity",
    "nearest_centre_disagreement",
    "nearest_centre_accuracy",
]


def row_of(name, features, labels, **head):
    return measure(features, labels, measures=[name], **head).rows[0]


@pytest.mark.parametrize("value", [0.0, 0.1, -1e5 / 3])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("name", [*NEEDS_DIFFERENT_MEANS, "effective_rank", "stable_rank"])
def test_equal_features_have_no_value(name, dtype, value):
    """Three classes of 3, 7 and 5: sums of equal numbers round differently, which must not look like a signal."""
    row = row_of(name, np.full((15, 4), value, dtype=dtype), LABELS, **HEAD)
    assert math.isnan(row.value)
    assert row.reason.startswith("undefined")


@pytest.mark.parametrize("name", ["means_rank", "means_rank_resolved"])
def test_equal_features_span_no_direction(name):
    assert row_of(name, np.full((15, 4), 0.1), LABELS).value == 0


@pytest.mark.parametrize("name", NEEDS_DIFFERENT_MEANS)
def test_coinciding_class_means_have_no_finite_value(name):
    """±e_k around the origin in every class: spread, but all means at one place."""
    features = np.tile(np.concatenate([np.eye(4), -np.eye(4)]), (3, 1))
    row = row_of(name, features, np.repeat(np.arange(3), 8), **HEAD)
    assert not math.isfinite(row.value)
    assert row.reason


def test_two_coinciding_classes_are_named_by_label():
    features, labels, *_ = unequal([6, 0, 6, 6, 0, 6], 5, dtype=np.float64)
    moved = features.copy()
    moved[labels == 5] = features[labels == 2] + 0.0
    row = row_of("class_distance_normalized_variance", moved, labels, num_classes=6)
    assert math.isinf(row.value)
    assert row.reason == "infinite: classes 2 and 5 coincide"


@pytest.mark.parametrize(
    "name",
    [
        "norm_deviation",
        "angle_deviation",
        "simplex_distance",
        "head_simplex_distance",
        "coherence",
        "welch_gap",
        "uniformity",
    ],
)
def test_two_classes_say_nothing_about_angles(name):
    features, labels, weights, bias = unequal([9, 6], 5)
    row = row_of(name, features, labels, weights=weights, bias=bias)
    assert math.isnan(row.value)
    assert "two classes" in row.reason


@pytest.mark.parametrize(
    "name", ["within_class_variability_resolved", "means_rank_resolved", "variability_noise_floor"]
)
def test_one_sample_in_every_class_leaves_the_noise_unknown(name):
    features, labels, *_ = unequal([1] * 5, 6)
    row = row_of(name, features, labels)
    assert math.isnan(row.value)
    assert "one sample" in row.reason


@pytest.mark.parametrize(
    "name", ["within_class_variability", "variability_ratio", "class_distance_normalized_variance"]
)
def test_one_sample_in_every_class_is_no_collapse(name):
    features, labels, *_ = unequal([1] * 5, 6)
    row = row_of(name, features, labels)
    assert math.isnan(row.value) or "0 by arithmetic" in row.note


@pytest.mark.parametrize(
    "name",
    [
        "head_norm_deviation",
        "head_angle_deviation",
        "head_simplex_distance",
        "head_orthogonal_frame_distance",
        "self_duality_gap",
        "duality_simplex_distance",
        "minority_merge",
    ],
)
def test_a_head_of_zeros_has_no_directions(name):
    features, labels, *_ = unequal([9, 6, 4], 5)
    row = row_of(name, features, labels, weights=np.zeros((3, 5)))
    assert math.isnan(row.value)
    assert row.reason


@pytest.mark.parametrize("name", ["head_angle_deviation", "minority_merge"])
def test_one_zero_row_of_the_head_is_named_by_its_label(name):
    features, labels, weights, _ = unequal([9, 0, 6, 4], 5)
    weights[2] = 0
    row = row_of(name, features, labels, weights=weights)
    assert math.isnan(row.value)
    assert "class 2 " in row.reason


@pytest.mark.parametrize("name", ["angle_deviation", "coherence", "welch_gap", "uniformity"])
def test_a_class_mean_on_the_centre_is_named_by_its_label(name):
    """Class 4 sits at the average of the three others."""
    features, labels, *_ = simplex(3, 6)
    features = np.concatenate([features, np.zeros((3, 6)) + features.mean(0)])
    labels = np.concatenate([labels, np.full(3, 4)])
    row = row_of(name, features, labels, num_classes=5)
    assert math.isnan(row.value)
    assert "class 4" in row.reason


def test_two_means_in_one_direction_are_infinitely_close_on_the_sphere():
    corners = np.array([[1.0, 2, 3], [2, 4, 6], [-4, -5, -8], [1, -1, -1]]) / 7
    row = row_of("uniformity", np.repeat(corners, 2, axis=0), np.repeat(np.arange(4), 2))
    assert math.isinf(row.value)
    assert row.reason.startswith("infinite")


def test_nearly_parallel_means_keep_their_digits():
    """Two unit directions 1e-6 apart: 2 − 2cos is 1e-12 and would keep four digits of the distance."""
    corners = np.array([[1.0, 0, 0], [1, 1e-6, 0], [-1, 3, 1], [-1, -3 - 1e-6, -1]])
    arrays = np.repeat(corners, 2, axis=0), np.repeat(np.arange(4), 2)
    assert row_of("uniformity", *arrays).value == pytest.approx(twin("uniformity")(*arrays), rel=1e-9)


@pytest.mark.parametrize("seed", range(5))
def test_merged_head_rows_have_a_cosine_of_exactly_one(seed):
    """Rounding must not make it 1 + 2e-16, of which an arc cosine is NaN."""
    features, labels, weights, _ = unequal([9, 6, 5], 7, seed=seed, dtype=np.float64)
    weights[2] = 3 * weights[1]
    assert row_of("minority_merge", features, labels, weights=weights).value == 1


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("scale", [1, 0.1, 7e3])
def test_a_tie_between_means_is_an_agreement_with_either(scale, dtype):
    """The sample at (0, 2) is as far from both means; on either side the head's class is among the nearest."""
    features = np.array([[-2.0, 1], [-2, 1], [2, 3], [2, 3], [0, 2], [-4, 0], [4, 4], [0, 2]]).astype(dtype)
    features *= dtype(scale)
    labels, weights = np.array([0, 0, 1, 1, 0, 0, 1, 1]), np.array([[-1.0, 0], [1, 0]])
    for_first = row_of("nearest_centre_disagreement", features, labels, weights=weights, bias=np.array([1e-3, 0]))
    for_second = row_of("nearest_centre_disagreement", features, labels, weights=weights, bias=np.array([0, 1e-3]))
    assert (for_first.value, for_second.value) == (0, 0)
    assert row_of("nearest_centre_accuracy", features, labels).value == 1


def test_unresolved_means_leave_the_resolved_variability_undefined():
    """Labels that have nothing to do with the features: no direction stands out of the noise."""
    draw = np.random.default_rng(0)
    row = row_of("within_class_variability_resolved", draw.standard_normal((400, 6)), np.arange(400) % 4)
    assert math.isnan(row.value)
    assert "noise" in row.reason


@pytest.mark.parametrize("name", VARIABILITY)
def test_exact_collapse_is_a_true_zero(name):
    row = row_of(name, *simplex(4, 6)[:2])
    # means of equal float64 numbers are off by half a unit of the last digit, which squares to 1e-32
    assert 0 <= row.value < 1e-31
    assert row.reason is None


def three_classes(first, second, spread):
    """Centred means of length √2·first along one axis and √6·second along another; two samples, ±spread, each."""
    means = np.outer([1.0, 0, -1], [first, 0, 0, 0]) + np.outer([1.0, -2, 1], [0, second, 0, 0])
    noise = np.array([[0, 0, 0, spread], [0, 0, 0, -spread]])
    return np.concatenate([mean + noise for mean in means]), np.repeat(np.arange(3), 2)


@pytest.mark.parametrize(("share", "rank"), [(1.02, 2), (0.98, 1)])
def test_a_direction_is_resolved_above_ten_times_its_share_of_the_noise(share, rank):
    """S_c = 2δ², so the noise trace is (1 − 1/3)δ² and the bar 10·(2/3)δ²/2; the second eigenvalue is 2·second²."""
    bar = 10 * (2 / 3) * 0.1**2 / 2
    features, labels = three_classes(5.0, np.sqrt(share * bar / 2), 0.1)
    assert row_of("means_rank_resolved", features, labels).value == rank
    assert row_of("means_rank", features, labels).value == 2


@pytest.mark.parametrize(("share", "rank"), [(1.02, 2), (0.98, 1)])
def test_a_direction_counts_above_a_millionth_of_the_longest(share, rank):
    features, labels = three_classes(1.0, share * 1e-6 / np.sqrt(3), 0.0)
    assert row_of("means_rank", features, labels).value == rank


def test_one_sample_in_every_class_leaves_the_resolved_directions_unknown_not_none():
    """Nothing is known of the noise then; a count of 0 resolved directions would be an answer."""
    features = np.random.default_rng(0).standard_normal((5, 6))
    row = row_of("within_class_variability", features, np.arange(5))
    assert "unknown which directions stand out" in row.note
    assert "0 of" not in row.note
    assert "resolve" not in row.note.replace("resolved", "")
