"""Intervals over seeds, against enumeration, textbook formulas and their own coverage."""

from __future__ import annotations

import itertools
import math

import numpy as np
import pytest
from scipy.stats import binom

from caltrop.papers import Evidence, mean_estimate, over_seeds, share_estimate
from caltrop.rows import Row, Rows


def rows_of(values, **more):
    return Rows.of(
        Row("head:input", "angle_deviation", "NC2", value, seed=seed, step=step, split="train", **more)
        for seed, series in enumerate(values)
        for step, value in enumerate(series)
    )


def test_three_seeds_are_enumerated_and_their_interval_is_their_range():
    # all 27 resamples: three times the least has a probability of 1/27 > 2.5 %, so it is inside
    found = mean_estimate([0.3, 0.1, 0.2])
    assert found.value == pytest.approx(0.2, rel=1e-15)
    assert found.interval == pytest.approx((0.1, 0.3), rel=1e-15)


@pytest.mark.parametrize("values", [(1.0, 2.0, 4.0, 8.0), (0.5, 0.5, 0.7, 3.0, 9.0)])
def test_few_seeds_agree_with_sorted_means_of_all_resamples(values):
    means = sorted(sum(chosen) / len(chosen) for chosen in itertools.product(values, repeat=len(values)))
    low, high = (means[math.ceil(share * len(means)) - 1] for share in (0.025, 0.975))
    assert mean_estimate(values).interval == pytest.approx((low, high), rel=1e-12)


def test_the_interval_of_many_seeds_is_close_to_the_normal_one_and_repeats():
    values = np.random.default_rng(0).normal(3.0, 1.0, 400)
    found = mean_estimate(values)
    half = 1.96 * values.std() / math.sqrt(len(values))
    # 10,000 resamples leave about 2 % noise in a quantile of the mean
    assert found.interval == pytest.approx((values.mean() - half, values.mean() + half), abs=0.05 * half)
    assert mean_estimate(values) == found


def test_equal_values_have_an_interval_of_no_width():
    assert mean_estimate([0.1, 0.1, 0.1]).interval == (pytest.approx(0.1), pytest.approx(0.1))
    assert mean_estimate([0.0, 0.0]).interval == (0.0, 0.0)


def test_the_interval_always_holds_its_value():
    random = np.random.default_rng(1)
    for _ in range(50):
        found = mean_estimate(random.choice([0.1, 0.3], 4))
        low, high = found.interval
        assert low <= found.value <= high


def test_one_seed_has_no_interval():
    found = mean_estimate([0.25])
    assert (found.value, found.interval, found.how) == (0.25, None, "one seed")


@pytest.mark.parametrize("bad", [math.nan, math.inf])
def test_a_seed_that_is_not_finite_makes_the_estimate_undefined(bad):
    found = mean_estimate([0.1, bad])
    assert math.isnan(found.value)
    assert found.interval is None
    assert len(found.values) == 2


@pytest.mark.parametrize(("successes", "trials"), [(0, 5), (3, 5), (5, 5), (17, 40)])
def test_a_share_has_the_exact_binomial_interval(successes, trials):
    low, high = share_estimate(successes, trials).interval
    # the ends are where the tail beyond what was seen has a probability of 2.5 %
    assert low == 0.0 if successes == 0 else binom.sf(successes - 1, trials, low) == pytest.approx(0.025, rel=1e-6)
    assert high == 1.0 if successes == trials else binom.cdf(successes, trials, high) == pytest.approx(0.025, rel=1e-6)


def test_impossible_shares_are_refused():
    with pytest.raises(ValueError, match="6 successes of 5 trials"):
        share_estimate(6, 5)


def test_a_quantity_is_taken_of_each_seed_alone():
    evidence = Evidence(rows_of([[9.0, 4.0, 2.0], [9.0, 6.0, 2.0]]))
    found = over_seeds(lambda rows: rows.first() / rows.last(), measure="angle_deviation")(evidence)
    assert found.values == (2.0, 3.0)
    assert found.value == 2.5


def test_a_quantity_without_rows_says_which_rows_are_missing():
    with pytest.raises(LookupError, match="no rows with measure=loss, split=train"):
        over_seeds(Rows.last, measure="loss", split="train")(Evidence(rows_of([[1.0]])))


def test_a_seed_that_was_not_measured_is_named_and_not_left_out():
    rows = Rows.joined([rows_of([[0.0, 1.0], [0.0, 1.0]]), [Row("", "loss", "L", 1.0, seed=2, step=1, split="train")]])
    with pytest.raises(LookupError, match=r"no rows of seed 2 with measure=angle_deviation"):
        over_seeds(Rows.last, measure="angle_deviation")(Evidence(rows))


def test_seeds_of_other_cases_are_not_missed():
    one = rows_of([[0.0, 1.0]], case="a")
    other = Rows.of([Row("", "loss", "L", 1.0, seed=9, step=1, case="b")])
    found = over_seeds(Rows.last, measure="angle_deviation", case="a")(Evidence(Rows.joined([one, other])))
    assert found.values == (1.0,)
