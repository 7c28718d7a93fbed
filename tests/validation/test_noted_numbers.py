"""The public door on seeded draws whose numbers were computed elsewhere, by code that is not ours, in float64.

The draws are `reference.make`; the digits are as they were noted when public code was read and run on them,
so half a unit of the last digit is the tolerance.
"""

from __future__ import annotations

import numpy as np
import pytest

from caltrop.observe import measure
from reference import make

approx = pytest.approx


@pytest.fixture(scope="module")
def base():
    features, labels, weights, bias = make(10_000, 512, 10)
    return measure(features, labels, weights=weights, bias=bias)


@pytest.mark.parametrize(
    ("name", "value", "digit"),
    [
        ("within_class_variability", 0.0044894053, 5e-11),
        ("variability_ratio", 0.2778337, 5e-8),
        ("class_distance_normalized_variance", 0.12551586, 5e-9),
        ("simplex_distance", 0.1519140, 5e-8),
        ("duality_simplex_distance", 0.1536651, 5e-8),
        ("angle_deviation", 0.0391447, 5e-8),
        ("nearest_centre_disagreement", 0.0, 0.0),
    ],
)
def test_the_noted_number_is_measured(base, name, value, digit):
    assert base["features", name] == approx(value, abs=digit)


def test_the_noted_squared_duality_is_measured(base):
    assert base["features", "self_duality_gap"] ** 2 == approx(0.0933358, abs=5e-8)


@pytest.fixture(scope="module")
def wide():
    features, labels, weights, _ = make(20_000, 2048, 100)
    names = [name for name, _, _ in WIDE]
    return measure(features, labels, weights=weights, measures=names)


# the variability sums float32 products, so a unit of the eighth digit is allowed where ten were noted
WIDE = [
    ("within_class_variability", 0.0125805313, 1e-9),
    ("variability_ratio", 0.2501745, 5e-8),
    ("class_distance_normalized_variance", 0.1239516, 5e-8),
    ("simplex_distance", 0.2159194, 5e-8),
    ("duality_simplex_distance", 0.2254863, 5e-8),
]


@pytest.mark.slow
@pytest.mark.parametrize(("name", "value", "digit"), WIDE)
def test_the_noted_number_of_the_wide_draw_is_measured(wide, name, value, digit):
    assert wide["features", name] == approx(value, abs=digit)


# (draw, NC1 over the numerical rank, over the resolved rank, resolved rank): where public code goes wrong
TRAPS = {
    "base": (lambda: make(2000, 128, 10), 0.01928, 0.01928, 9),
    "nearly collapsed": (lambda: make(2000, 128, 10, 1e-4), 7.69e-10, 7.69e-10, 9),
    "offset 100": (lambda: make(2000, 128, 10, 1e-2, offset=100.0), 7.69e-6, 7.69e-6, 9),
    "offset 10 000": (lambda: make(2000, 128, 10, 1e-2, offset=1e4), 8.47e-6, 8.47e-6, 9),
    "rank 4": (lambda: make(2000, 128, 10, 1e-2, rank=4), 7.83, 4.887e-6, 4),
    "rank 4, less noise": (lambda: make(2000, 128, 10, 1e-3, rank=4), 7.83, 4.887e-8, 4),
    "rank 4, 50 a class": (lambda: make(500, 128, 10, rank=4), 2.06, 0.01222, 4),
    "rank 4, 200 a class": (lambda: make(2000, 128, 10, rank=4), 7.83, 0.01218, 4),
    "rank 4, 800 a class": (lambda: make(8000, 128, 10, rank=4), 37.1, 0.01193, 4),
    "K = 100, d = 64": (lambda: make(4000, 64, 100), 0.4426, 0.4426, 64),
    "two classes": (lambda: make(2000, 128, 2), 0.00186, 0.00186, 1),
    "float16": (lambda: make(2000, 128, 10, dtype=np.float16), 0.01928, 0.01928, 9),
}


@pytest.mark.parametrize("trap", TRAPS)
def test_the_trap_is_measured_right(trap):
    recipe, plain, resolved, rank = TRAPS[trap]
    features, labels, *_ = recipe()
    seen = measure(features, labels)
    # three digits were noted: half a unit of the third is at most 5e-3 of the value
    assert seen["features", "within_class_variability"] == approx(plain, rel=5e-3)
    assert seen["features", "within_class_variability_resolved"] == approx(resolved, rel=5e-3)
    assert seen["features", "means_rank_resolved"] == rank


@pytest.mark.parametrize("sigma", [1e-2, 1e-3, 1e-4, 1e-5])
def test_the_resolved_variability_of_low_rank_means_falls_with_the_noise(sigma):
    """Σ_W ∝ σ²: from 4.887e-6 at 1e-2, four digits down to 1e-5, while the plain number hardly moves."""
    features, labels, *_ = make(2000, 128, 10, sigma, rank=4)
    seen = measure(features, labels, measures=["within_class_variability_resolved"])
    assert seen["features", "within_class_variability_resolved"] == approx(4.887e-6 * (sigma / 1e-2) ** 2, rel=1e-3)


def test_an_absent_class_is_left_out():
    features, labels, *_ = make(2000, 128, 10)
    seen = measure(features[labels != 7], labels[labels != 7])
    assert seen["features", "within_class_variability"] == approx(0.01709, abs=5e-6)


def test_a_bias_is_part_of_the_head():
    """A bias of 50 on one class makes the head say that class always: a tenth of the samples agree."""
    features, labels, weights, bias = make(2000, 128, 10)
    bias[3] += 50
    seen = measure(features, labels, weights=weights, bias=bias)
    assert seen["features", "nearest_centre_disagreement"] == approx(0.9, abs=1e-12)


@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_one_bad_number_is_refused_by_place(bad):
    features, labels, *_ = make(2000, 128, 10)
    features[1234, 56] = bad
    with pytest.raises(ValueError, match=r"sample 1234 .* coordinate 56"):
        measure(features, labels)
