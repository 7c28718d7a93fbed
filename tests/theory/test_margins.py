"""Cross-entropy along a shape, and its best scale, against a loop over classes and a fine grid."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis.strategies import floats, integers, sampled_from

from caltrop.theory.logit_families import logit_shapes
from caltrop.theory.margins import Margins

EVERY = [shape for classes in (2, 3, 5, 8, 12) for shape in logit_shapes(classes)]


def slow_fit(logits, scale, smoothing):
    total = 0.0
    for k, row in enumerate((scale * logits).tolist()):
        scores = [score - math.log(sum(map(math.exp, row))) for score in row]
        total -= sum(((1 - smoothing) * (j == k) + smoothing / len(row)) * score for j, score in enumerate(scores))
    return total / len(logits)


@pytest.mark.parametrize("smoothing", [0.0, 0.2])
@pytest.mark.parametrize("shape", EVERY, ids=[f"{shape.num_classes}-{shape.name}" for shape in EVERY])
def test_the_fit_is_that_of_the_definition_and_the_slope_its_derivative(shape, smoothing):
    scales = np.array([0.0, 0.3, 2.0, 11.0])
    expected = [slow_fit(shape.logits, scale, smoothing) for scale in scales]
    assert shape.margins.fit(scales, smoothing).tolist() == pytest.approx(expected, rel=1e-12, abs=1e-14)
    step = 1e-4
    rise = shape.margins.fit(scales + step, smoothing) - shape.margins.fit(scales - step, smoothing)
    # the third derivative is at most the cube of the largest margin, and rounding adds 1e-16/step
    assert shape.margins.slope(scales, smoothing) == pytest.approx(rise / (2 * step), abs=step**2 * 8 + 1e-11)


@settings(max_examples=150, deadline=None)
@given(
    shape=sampled_from(EVERY),
    depth=integers(1, 12),
    strength=floats(-7, 1),
    smoothing=sampled_from([0.0, 0.0, 1e-6, 0.1, 0.9]),
)
def test_no_scale_of_a_fine_grid_is_better_than_the_best(shape, depth, strength, smoothing):
    exponent = 2 / (depth + 1)
    scale, value = shape.margins.best_scale(np.array([10**strength]), np.array([exponent]), smoothing)
    grid = np.concatenate([[0.0], np.geomspace(1e-9, 1e5, 60_000)])
    values = shape.margins.fit(grid, smoothing) + 10**strength * grid**exponent
    assert value[0] <= values.min() * (1 + 1e-15)
    # steps of 0.05 %: the least of the grid is above the least of all by half the curvature times (0.05 % β/2)² at most
    assert value[0] == pytest.approx(values.min(), abs=1e-6)
    own = shape.margins.fit(scale, smoothing) + 10**strength * scale**exponent
    assert value[0] == pytest.approx(float(own[0]), rel=1e-15)
    if scale[0] > 0:
        slope = shape.margins.slope(scale, smoothing) + 10**strength * exponent * scale ** (exponent - 1)
        # the next float of β changes the slope by no more than this
        assert float(abs(slope[0])) < 1e-14 * max(1.0, 10**strength)


def test_many_cells_at_once_are_each_as_alone():
    margins = logit_shapes(6)[1].margins
    random = np.random.default_rng(0)
    strength, exponent = 10 ** random.uniform(-6, 0, 5000), 2 / (1 + random.integers(1, 9, 5000).astype(float))
    scales, values = margins.best_scale(strength, exponent)
    for place in range(0, 5000, 611):
        scale, value = margins.best_scale(strength[place : place + 1], exponent[place : place + 1])
        assert values[place] == pytest.approx(float(value[0]), rel=1e-14)
        # where the minimum is as flat as rounding allows
        assert scales[place] == pytest.approx(float(scale[0]), rel=1e-12)


def test_of_two_minima_the_lower_one_is_taken():
    # most classes are told apart early, one of them only at a far larger scale
    margins = Margins.same(((40.0, 200), (0.02, 1)))
    exponent = np.array([0.2])
    grid = np.geomspace(1e-3, 1e4, 200_000)
    seen = set()
    for strength in (0.02, 0.1, 0.2, 0.25, 0.3, 0.35, 0.4):
        values = margins.fit(grid) + strength * grid ** exponent[0]
        dips = (values[1:-1] < values[:-2]) & (values[1:-1] < values[2:])
        scale, value = margins.best_scale(np.array([strength]), exponent)
        assert float(value[0]) == pytest.approx(values.min(), abs=1e-8)
        seen.add((int(dips.sum()), bool(scale[0] > 10)))
    assert {(2, True), (2, False)} <= seen


def test_tiny_and_huge_penalties_have_an_answer():
    margins = logit_shapes(10)[0].margins
    scale, value = margins.best_scale(np.array([1e-300, 1e300]), np.array([0.5, 0.5]))
    assert scale[0] > 600
    assert 0 <= value[0] < 1e-290
    assert (scale[1], value[1]) == (0, math.log(10))
