"""Digits: what a half width allows, and nothing that was not measured."""

from __future__ import annotations

import math

import pytest

from caltrop.report.numbers import brief, number, spread, tick, with_spread


@pytest.mark.parametrize(
    ("value", "half_width", "shown"),
    [
        (0.0077123, 0.00031, "0.00771"),
        (0.0077123, None, "0.007712"),
        (12.3456, 1.2, "12.3"),
        (1234.5, 60.0, "1234"),
        (7.7123e-10, 3.1e-11, "7.71e-10"),
        (9.0, None, "9"),
        (0.0, 0.1, "0"),
        (-0.0334, 0.002, "-0.0334"),
        (0.99999, 0.004, "1.0000"),
        (0.99999, 0.04, "1.000"),
        (3e-9, 0.1, "3.0e-9"),
    ],
)
def test_a_value_is_shown_to_the_second_digit_of_its_half_width(value, half_width, shown):
    assert number(value, half_width) == shown


@pytest.mark.parametrize(("value", "shown"), [(math.nan, "–"), (None, "–"), (math.inf, "∞"), (-math.inf, "-∞")])
def test_what_is_not_a_number_is_never_shown_as_zero(value, shown):
    assert number(value) == shown


@pytest.mark.parametrize(("half_width", "shown"), [(0.000312, "0.00031"), (0.0, "0"), (None, ""), (math.nan, "")])
def test_half_widths_have_two_digits(half_width, shown):
    assert spread(half_width) == shown


def test_a_missing_value_shows_no_half_width():
    assert with_spread(math.nan, 0.1) == "–"


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        (0.9987, "0.9987"),
        (0.29, "0.29"),
        (0.00771, "0.0077"),
        (1.998, "2.0"),
        (1.2e-5, "1.2e-5"),
        (123.4, "123"),
        (9.0, "9"),
    ],
)
def test_brief_numbers_do_not_round_a_share_to_one(value, shown):
    assert brief(value) == shown


@pytest.mark.parametrize(
    ("value", "shown"), [(0.01, "0.01"), (1e-6, "10⁻⁶"), (0.0, "0"), (100.0, "100"), (2e-7, "2·10⁻⁷")]
)
def test_axis_labels_stay_short(value, shown):
    assert tick(value) == shown
