"""The twins against closed forms, exact fractions and each other."""

from __future__ import annotations

import math
from fractions import Fraction

import numpy as np
import pytest

from reference import NAMES, NEED_HEAD, half_width, make, per_class_twin, simplex, twin, unequal
from reference.variability import between_cov, within_cov

approx = pytest.approx


AT_SIMPLEX = {
    "within_class_variability": lambda k: 0,
    "within_class_variability_resolved": lambda k: 0,
    "variability_ratio": lambda k: 0,
    "class_distance_normalized_variance": lambda k: 0,
    "means_rank": lambda k: k - 1,
    "means_rank_resolved": lambda k: k - 1,
    "variability_noise_floor": lambda k: 0,
    "effective_rank": lambda k: k - 1,
    "stable_rank": lambda k: k - 1,
    "norm_deviation": lambda k: 0,
    "angle_deviation": lambda k: 0,
    "simplex_distance": lambda k: 0,
    # a simplex is ‖P/√(K−1) − I/√K‖ from the frame, P the centring projection
    "orthogonal_frame_distance": lambda k: math.sqrt(2 - 2 * math.sqrt((k - 1) / k)),
    "head_norm_deviation": lambda k: 0,
    "head_angle_deviation": lambda k: 0,
    "head_simplex_distance": lambda k: 0,
    "head_orthogonal_frame_distance": lambda k: math.sqrt(2 - 2 * math.sqrt((k - 1) / k)),
    "self_duality_gap": lambda k: 0,
    "duality_simplex_distance": lambda k: 0,
    "nearest_centre_disagreement": lambda k: 0,
    "nearest_centre_accuracy": lambda k: 1,
    "accuracy": lambda k: 1,
    "bias_collapse": lambda k: 0,
    "minority_merge": lambda k: -1 / (k - 1),
    "coherence": lambda k: 1 / (k - 1),
    "welch_gap": lambda k: 0,
    "uniformity": lambda k: -math.log(2 * k / (k - 1)) / 2,
}


@pytest.mark.parametrize("number", [3, 4, 10])
@pytest.mark.parametrize("name", NAMES)
def test_the_simplex_gives_its_closed_form(name, number):
    assert twin(name)(*simplex(number, 12)) == approx(AT_SIMPLEX[name](number), abs=1e-12)


def test_every_measure_has_a_closed_form_at_the_simplex():
    assert set(AT_SIMPLEX) == set(NAMES)


@pytest.mark.parametrize(
    ("name", "value"),
    [("orthogonal_frame_distance", 0), ("head_orthogonal_frame_distance", 0), ("simplex_distance", 0)],
)
def test_an_orthogonal_frame_is_a_frame_and_once_centred_a_simplex(name, value):
    frame = 3 * np.linalg.qr(np.random.default_rng(0).standard_normal((9, 5)))[0].T
    assert twin(name)(frame, np.arange(5), frame) == approx(value, abs=1e-12)


def test_four_classes_on_two_axes_are_four_ninths_from_a_simplex():
    """±e1, ±e2: the cosines are −1 for two pairs and 0 for four; the mean signed deviation is blind to it."""
    corners = np.array([[1.0, 0], [-1, 0], [0, 1], [0, -1]])
    assert twin("angle_deviation")(corners, np.arange(4)) == approx(4 / 9, rel=1e-14)
    assert twin("coherence")(corners, np.arange(4)) == approx(1, rel=1e-14)
    # Welch: four lines in the plane; √((4−2)/(2·3)) = 1/√3
    assert twin("welch_gap")(corners, np.arange(4)) == approx(1 - 1 / math.sqrt(3), rel=1e-14)


TINY = np.array([[0.0, 0], [2, 0], [0, 3], [0, 5], [1, 4], [-1, -1]])
TINY_LABELS = np.array([0, 0, 2, 2, 2, 3])


def exact():
    """Σ_W and Σ_B of the tiny case in exact fractions; label 1 is absent, label 3 has one sample."""
    rows = [[Fraction(int(x)) for x in row] for row in TINY]
    groups = [rows[0:2], rows[2:5], rows[5:6]]
    means = [[sum(row[a] for row in group) / len(group) for a in (0, 1)] for group in groups]
    centre = [sum(mean[a] for mean in means) / 3 for a in (0, 1)]

    def moment(a, b):
        return sum(
            (row[a] - mean[a]) * (row[b] - mean[b]) for group, mean in zip(groups, means, strict=True) for row in group
        )

    within = [[moment(a, b) / 6 for b in (0, 1)] for a in (0, 1)]
    between = [[sum((m[a] - centre[a]) * (m[b] - centre[b]) for m in means) / 3 for b in (0, 1)] for a in (0, 1)]
    return within, between


def test_variability_equals_exact_fractions():
    within, between = exact()
    (p, q), (_, r) = between
    determinant = p * r - q * q
    trace = (within[0][0] * r - 2 * within[0][1] * q + within[1][1] * p) / determinant
    assert twin("within_class_variability")(TINY, TINY_LABELS) == approx(float(trace / 3), rel=1e-14)
    ratio = (within[0][0] + within[1][1]) / (p + r)
    assert twin("variability_ratio")(TINY, TINY_LABELS) == approx(float(ratio), rel=1e-14)


def test_the_noise_floor_lets_a_single_sample_borrow_the_pooled_spread():
    """Spreads 2 (two samples), 8/3 (three), and one sample alone: pooled (2 + 8/3)/(1 + 2) = 14/9."""
    noise = Fraction(1, 3) * Fraction(2, 3) * (Fraction(2, 2) + Fraction(4, 3) / 3 + Fraction(14, 9))
    (p, _), (_, r) = exact()[1]
    assert twin("variability_noise_floor")(TINY, TINY_LABELS) == approx(float(noise / (p + r)), rel=1e-14)


def test_the_bias_spread_uses_the_sample_mean():
    weights = np.array([[1.0, 0], [9, 9], [0, 1], [0, 0]])
    bias = np.array([0.0, 9, 0, 0])
    # μ_G = (1/3, 11/6): the three present classes get 1/3, 11/6 and 0
    values = np.array([2 / 6, 11 / 6, 0])
    assert twin("bias_collapse")(TINY, TINY_LABELS, weights, bias) == approx(values.std(), rel=1e-14)


def test_an_absent_class_can_be_predicted_but_is_never_right():
    weights = np.zeros((4, 2))
    bias = np.array([0.0, 1, 0, 0])
    assert twin("accuracy")(TINY, TINY_LABELS, weights, bias) == 0
    assert twin("nearest_centre_disagreement")(TINY, TINY_LABELS, weights, bias) == 1


def test_a_tie_between_centres_is_an_agreement_with_either():
    features, labels = (
        np.array([[-2.0], [-2], [2], [2], [0], [-4], [4], [0]]),
        np.array([0, 0, 1, 1, 0, 0, 1, 1]),
    )
    for preferred in (0, 1):
        bias = np.eye(2)[preferred] * 1e-9
        weights = np.array([[-1.0], [1]])
        assert twin("nearest_centre_disagreement")(features, labels, weights, bias) == 0
    assert twin("nearest_centre_accuracy")(features, labels) == 1


@pytest.fixture(scope="module")
def tail():
    """A long tail with one-sample classes and an absent one."""
    return unequal([50, 25, 12, 6, 3, 1, 1, 0], 12, seed=3)


@pytest.mark.parametrize(
    "name",
    [
        "within_class_variability",
        "within_class_variability_resolved",
        "variability_ratio",
        "nearest_centre_disagreement",
        "nearest_centre_accuracy",
        "accuracy",
    ],
)
def test_class_values_weighed_by_samples_sum_to_the_measure(tail, name):
    parts = per_class_twin(name)(*tail)
    sizes = {label: int(np.sum(tail[1] == label)) for label in parts}
    total = sum(sizes[label] * parts[label] for label in parts) / len(tail[1])
    assert total == approx(twin(name)(*tail), rel=1e-12)


@pytest.mark.parametrize("name", ["class_distance_normalized_variance", "angle_deviation", "head_angle_deviation"])
def test_class_values_of_pairs_average_to_the_measure(tail, name):
    assert np.mean(list(per_class_twin(name)(*tail).values())) == approx(twin(name)(*tail), rel=1e-12)


@pytest.mark.parametrize("name", ["coherence", "minority_merge"])
def test_the_largest_class_value_is_the_measure(tail, name):
    assert max(per_class_twin(name)(*tail).values()) == approx(twin(name)(*tail), rel=1e-14)


@pytest.mark.parametrize("name", ["self_duality_gap"])
def test_squares_of_row_distances_sum_to_the_square(tail, name):
    parts = per_class_twin(name)(*tail).values()
    assert sum(part**2 for part in parts) == approx(twin(name)(*tail) ** 2, rel=1e-12)


@pytest.mark.parametrize("name", ["norm_deviation", "head_norm_deviation", "bias_collapse"])
def test_the_spread_of_class_values_is_the_measure(tail, name):
    assert np.std(list(per_class_twin(name)(*tail).values())) == approx(twin(name)(*tail), rel=1e-12)


def test_the_ratio_of_traces_is_that_of_the_matrices(tail):
    ratio = np.trace(within_cov(*tail[:2])) / np.trace(between_cov(*tail[:2]))
    assert twin("variability_ratio")(*tail) == approx(ratio, rel=1e-13)


def test_variability_equals_the_dense_pseudo_inverse():
    features, labels, *_ = make(400, 20, 6, seed=1, dtype=np.float64)
    means = np.array([features[labels == k].mean(0) for k in range(6)])
    residuals = features - means[labels]
    centred = means - means.mean(0)
    # 1e-10 relative is far below the smallest of the five eigenvalues, far above the rounding of the rest
    inverse = np.linalg.pinv(centred.T @ centred / 6, rcond=1e-10, hermitian=True)
    value = np.trace(residuals.T @ residuals / len(labels) @ inverse) / 6
    assert twin("within_class_variability")(features, labels) == approx(value, rel=1e-11)


@pytest.mark.parametrize(
    "name",
    [
        "angle_deviation",
        "simplex_distance",
        "coherence",
        "welch_gap",
        "uniformity",
    ],
)
def test_two_classes_leave_angles_undefined(name):
    assert math.isnan(twin(name)(*make(100, 6, 2)))


RATIOS = ["variability_ratio", "within_class_variability", "class_distance_normalized_variance"]


@pytest.mark.parametrize("name", RATIOS)
def test_equal_features_leave_variability_undefined(name):
    assert math.isnan(twin(name)(np.full((6, 3), 0.1), np.array([0, 0, 1, 1, 2, 2])))


@pytest.mark.parametrize("name", RATIOS)
def test_coinciding_means_with_spread_make_variability_infinite(name):
    features = np.array([[0.0, 1], [0, -1], [1, 0], [-1, 0]])
    assert math.isinf(twin(name)(features, np.array([0, 0, 1, 1])))


@pytest.mark.parametrize("name", sorted(set(NAMES) - NEED_HEAD - {"orthogonal_frame_distance"}))
def test_extended_precision_makes_the_offset_harmless(name):
    """Offset 1024 is added exactly to numbers with few bits, so only rounding may show."""
    draw = np.random.default_rng(5)
    labels = np.arange(60) % 4
    features = draw.integers(-64, 64, (60, 7)) / 256 + draw.integers(-512, 512, (4, 7))[labels] / 256
    assert twin(name)(features + 1024, labels) == approx(twin(name)(features, labels), rel=1e-12)


def test_the_jackknife_of_a_share_is_the_textbook_interval():
    """For the mean of equal blocks the delete-a-block jackknife is sd/√B, whatever the blocks."""
    draw = np.random.default_rng(2)
    features, labels = draw.standard_normal((80, 3)), np.arange(80) % 2
    weights, blocks = draw.standard_normal((2, 3)), draw.permutation(np.arange(80) % 8)
    hits = (features @ weights.T).argmax(1) == labels
    shares = np.array([hits[blocks == block].mean() for block in range(8)])
    expected = 1.959963984540054 * shares.std(ddof=1) / math.sqrt(8)
    assert half_width(twin("accuracy"), features, labels, blocks, weights) == approx(expected, rel=1e-12)
