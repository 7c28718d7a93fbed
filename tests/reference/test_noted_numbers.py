"""The twins against the numbers that were noted when public code was read and run on seeded draws."""

from __future__ import annotations

import numpy as np
import pytest

from reference import make, twin

approx = pytest.approx


@pytest.fixture(scope="module")
def noted():
    """The draw behind the first table of noted numbers."""
    return make(10_000, 512, 10)


# Each number was computed once, in float64, by code that shares nothing with the twins; the digits are
# those that were written down, so half a unit of the last one is the tolerance.
NOTED = [
    ("within_class_variability", 0.0044894053, 5e-11),
    ("variability_ratio", 0.2778337, 5e-8),
    ("class_distance_normalized_variance", 0.12551586, 5e-9),
    ("simplex_distance", 0.1519140, 5e-8),
    ("duality_simplex_distance", 0.1536651, 5e-8),
    ("angle_deviation", 0.0391447, 5e-8),
    ("nearest_centre_disagreement", 0.0, 0.0),
]


@pytest.mark.parametrize(("name", "value", "digit"), NOTED)
def test_the_noted_number_is_reproduced(noted, name, value, digit):
    assert twin(name)(*noted) == approx(value, abs=digit)


def test_the_noted_duality_is_our_square(noted):
    assert twin("self_duality_gap")(*noted) ** 2 == approx(0.0933358, abs=5e-8)


def test_the_noted_head_distance_is_of_uncentred_rows(noted):
    rows = noted[2].astype(np.float64)
    gram = rows @ rows.T
    ideal = (np.eye(10) - 0.1) / 3
    # the noted digits end in 4 where float64 gives 5: the note came from float32, hence one whole unit
    assert np.linalg.norm(gram / np.linalg.norm(gram) - ideal) == approx(0.1464084, abs=1.5e-7)
    assert twin("head_simplex_distance")(*noted) != approx(0.1464084, abs=1e-3)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "value", "digit"),
    [
        ("variability_ratio", 0.2501745, 5e-8),
        ("class_distance_normalized_variance", 0.1239516, 5e-8),
        ("simplex_distance", 0.2159194, 5e-8),
        ("duality_simplex_distance", 0.2254863, 5e-8),
    ],
)
def test_the_noted_number_of_the_wide_draw_is_reproduced(wide, name, value, digit):
    assert twin(name)(*wide) == approx(value, abs=digit)


@pytest.fixture(scope="module")
def wide():
    return make(20_000, 2048, 100)


# (arguments of make, NC1 over the numerical rank, over the resolved rank, resolved rank); the digits as noted
TRAPS = {
    "base": ((2000, 128, 10), {}, 0.01928, 0.01928, 9),
    "nearly collapsed": ((2000, 128, 10, 1e-4), {}, 7.69e-10, 7.69e-10, 9),
    "far from the origin": ((2000, 128, 10, 1e-2), {"offset": 100.0}, 7.69e-6, 7.69e-6, 9),
    "very far": ((2000, 128, 10, 1e-2), {"offset": 1e4}, 8.47e-6, 8.47e-6, 9),
    "rank 4, small noise": ((2000, 128, 10, 1e-2), {"rank": 4}, 7.83, 4.887e-6, 4),
    "rank 4, smaller noise": ((2000, 128, 10, 1e-3), {"rank": 4}, 7.83, 4.887e-8, 4),
    "rank 4, 50 a class": ((500, 128, 10), {"rank": 4}, 2.06, 0.01222, 4),
    "rank 4, 200 a class": ((2000, 128, 10), {"rank": 4}, 7.83, 0.01218, 4),
    "rank 4, 800 a class": ((8000, 128, 10), {"rank": 4}, 37.1, 0.01193, 4),
    "more classes than dimensions": ((4000, 64, 100), {}, 0.4426, 0.4426, 64),
    "two classes": ((2000, 128, 2), {}, 0.00186, 0.00186, 1),
    "half precision": ((2000, 128, 10), {"dtype": np.float16}, 0.01928, 0.01928, 9),
}


@pytest.mark.parametrize("trap", TRAPS)
def test_the_trap_is_read_right(trap):
    arguments, more, plain, resolved, rank = TRAPS[trap]
    data = make(*arguments, **more)
    # three digits were noted: half a unit of the third is at most 5e-3 of the value
    assert twin("within_class_variability")(*data) == approx(plain, rel=5e-3)
    assert twin("within_class_variability_resolved")(*data) == approx(resolved, rel=5e-3)
    assert twin("means_rank_resolved")(*data) == rank


def test_means_below_the_cutoff_of_the_rank_do_not_count():
    """At 1e-5 the sampling noise of rank-4 means is itself below 1e-6 of the largest singular value."""
    data = make(2000, 128, 10, 1e-5, rank=4)
    assert twin("means_rank")(*data) == 4
    assert twin("within_class_variability")(*data) == approx(4.887e-12, rel=1e-3)


def test_an_absent_class_is_left_out():
    features, labels, *_ = make(2000, 128, 10)
    kept = labels != 7
    assert twin("within_class_variability")(features[kept], labels[kept]) == approx(0.01709, abs=5e-6)
