"""The scalar problem under every family, and the bound by the nuclear norm, against brute force."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis.strategies import floats, integers, lists

from caltrop.theory.power_shrinkage import (
    collapse_threshold,
    existence_threshold,
    nuclear_norm_bound,
    shrink,
    stationary,
)

depths, logs = integers(1, 12), floats(-5, 0.3)
GRID = np.linspace(0, 1, 20001)


def cost(scale, kappa, depth):
    return (1 - scale) ** 2 / 2 + (depth + 1) / 2 * kappa * scale ** (2 / (depth + 1))


@given(depths, logs)
def test_no_scale_costs_less_and_the_stated_value_is_the_cost_of_the_scale(depth, log):
    found = shrink(10**log, depth)
    assert found.value == pytest.approx(cost(found.scale, 10**log, depth), abs=1e-14)
    assert found.value <= cost(GRID, 10**log, depth).min() + 1e-14


@given(depths, floats(-5, -1e-9))
def test_the_stationary_point_is_one_and_the_larger(depth, log):
    kappa = existence_threshold(depth) * 10**log
    scale = stationary(kappa, depth).scale
    assert scale ** ((depth - 1) / (depth + 1)) * (1 - scale) == pytest.approx(kappa, rel=1e-13)
    assert scale >= (depth - 1) / (2 * depth)


@pytest.mark.parametrize("depth", range(1, 9))
def test_at_the_thresholds_the_answer_changes(depth):
    edge, last = collapse_threshold(depth), existence_threshold(depth)
    assert shrink(edge * (1 - 1e-9), depth).scale > 0
    assert tuple(shrink(edge * (1 + 1e-9), depth)) == (0, 0.5)
    if depth > 1:
        # a tie with zero, at (L−1)/L
        assert stationary(edge, depth).value == pytest.approx(0.5, abs=1e-14)
        assert stationary(edge, depth).scale == pytest.approx(1 - 1 / depth, abs=1e-13)
        assert stationary(last * (1 - 1e-9), depth).value > 0.5
    assert stationary(last * (1 + 1e-9), depth) is None


def test_a_small_penalty_costs_what_it_takes_to_first_order_and_not_a_rounding():
    # (L+1)κ/2 up to terms of order κ²; from 1 − x in float64 it would be wrong by a percent
    assert shrink(1e-14, 4).value == pytest.approx(2.5e-14, rel=1e-12)


def slow_bound(targets, coupling, samples, depth):
    """Fit at each nuclear norm by bisecting for the distance, on a fine grid of norms."""
    totals = np.linspace(0, sum(targets), 4001)[:, None]
    low, high = np.zeros_like(totals), np.full_like(totals, max(targets))
    for _ in range(60):
        middle = (low + high) / 2
        over = np.clip(targets - middle, 0, None).sum(axis=1, keepdims=True) > totals
        low, high = np.where(over, middle, low), np.where(over, high, middle)
    fits = ((np.clip(targets - high, 0, None) - targets) ** 2).sum(axis=1) / (2 * samples)
    return (fits + (depth + 1) / 2 * coupling * totals[:, 0] ** (2 / (depth + 1))).min()


@pytest.mark.parametrize("depth", [1, 2, 5])
@pytest.mark.parametrize("coupling", [1e-3, 0.02, 0.1, 1.0])
@pytest.mark.parametrize("counts", [(7, 2, 1), (30, 30, 1, 1), (4, 4, 4), (5,)])
def test_the_bound_is_the_minimum_that_a_grid_finds(counts, coupling, depth):
    targets, samples = np.sqrt(counts), 3 + sum(counts)
    found = nuclear_norm_bound(targets.tolist(), coupling, samples, depth).value
    slow = slow_bound(targets, coupling, samples, depth)
    # the grid's step is 1e-3 at most, and its nearest point is as much off a minimum of curvature 1/N at most
    assert found - 1e-13 <= slow <= found + 1e-6


@settings(max_examples=100)
@given(lists(integers(1, 50), min_size=1, max_size=6), lists(floats(0, 1.5), min_size=6, max_size=6), logs, depths)
def test_no_singular_values_cost_less_than_the_bound(counts, shares, log, depth):
    targets = np.sqrt(sorted(counts, reverse=True))
    values, samples = targets * shares[: len(counts)], sum(counts)
    price = (depth + 1) / 2 * 10**log * values.sum() ** (2 / (depth + 1))
    paid = ((values - targets) ** 2).sum() / (2 * samples) + price
    assert nuclear_norm_bound(targets.tolist(), 10**log, samples, depth).value <= paid + 1e-13


@given(depths, logs, integers(1, 9), integers(1, 9))
def test_the_bound_of_equal_targets_is_the_scalar_problem(depth, log, classes, per_class):
    samples = classes * per_class
    kappa = 10**log * per_class ** (1 / (depth + 1)) * classes ** (2 / (depth + 1))
    found = nuclear_norm_bound([math.sqrt(per_class)] * classes, 10**log, samples, depth)
    expected = shrink(kappa, depth)
    assert found.value == pytest.approx(expected.value, abs=1e-13)
    if abs(expected.value - 0.5) > 1e-12 or expected.scale == 0:
        assert found.nuclear_norm == pytest.approx(classes * math.sqrt(per_class) * expected.scale, rel=1e-9, abs=1e-9)
