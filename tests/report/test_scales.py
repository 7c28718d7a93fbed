"""Axes."""

from __future__ import annotations

import math

import pytest

from caltrop.report.scales import Scale, step_scale, value_scale


@pytest.mark.parametrize(
    ("values", "kind"),
    [
        ([0.29, 0.0077], "log"),
        ([0.29, 0.0077, 0.0], "log"),
        ([0.29, 0.1], "linear"),
        ([0.29, -0.0077], "linear"),
        ([math.nan, math.inf], "linear"),
        ([0.0, 0.0], "linear"),
    ],
)
def test_an_axis_is_logarithmic_only_where_positive_values_span_decades(values, kind):
    assert value_scale(values, [], 0.0, 1.0).kind == kind


def test_a_linear_axis_shows_the_value_at_collapse():
    scale = value_scale([0.5, 0.9], [0.0], 100.0, 0.0)
    assert 0 < scale.at(0.9) < scale.at(0.0) < 100


@pytest.mark.parametrize(
    ("steps", "kind"),
    [((1, 10, 100), "log"), ((0, 1, 100), "log1p"), ((10, 20, 30), "linear"), ((-2.0, 3.5), "linear")],
)
def test_steps_are_spaced_as_they_were_taken(steps, kind):
    assert step_scale(steps, 0.0, 1.0).kind == kind


@pytest.mark.parametrize(
    "scale", [Scale(0.01, 10.0, 5.0, 50.0, "log"), Scale(-1.0, 3.0, 5.0, 50.0), Scale(0.0, 100.0, 5.0, 50.0, "log1p")]
)
def test_ticks_lie_on_the_axis_and_its_ends_on_its_ends(scale):
    assert (scale.at(scale.low), scale.at(scale.high)) == pytest.approx((5.0, 50.0), abs=1e-12)
    assert len(scale.ticks(4)) >= 2
    assert all(5.0 <= scale.at(tick) <= 50.0 for tick in scale.ticks(4))


def test_a_tick_stands_where_its_value_is():
    assert Scale(0.01, 100.0, 0.0, 4.0, "log").at(1.0) == pytest.approx(2.0, abs=1e-12)


def test_a_logarithmic_axis_within_few_decades_has_no_more_ticks_than_asked_for():
    scale = value_scale([0.016, 0.5], [], 0.0, 100.0)
    assert scale.kind == "log"
    assert len(scale.ticks(3)) <= 3
