"""Pictures as the page carries them."""

from __future__ import annotations

import math
from dataclasses import replace

import pytest

from caltrop.report.constellation import constellation_sentence
from caltrop.report.encoding import ALPHABET, encode, thin
from caltrop.report.gallery import gallery
from caltrop.report.matrix import matrix, matrix_sentence, short_cosine
from report.studies import picture


def decode(text, bound):
    codes = [ALPHABET.index(text[at]) * 64 + ALPHABET.index(text[at + 1]) for at in range(0, len(text), 2)]
    return [math.nan if code > 4094 else (code / 2047 - 1) * bound for code in codes]


def test_coordinates_survive_encoding_to_a_4095th_of_the_range():
    values = [-1.0, -1 / 9, 0.0, 0.3, 1.0]
    # half a level, 1/4094
    assert decode(encode(values, 1.0), 1.0) == pytest.approx(values, abs=1 / 4094)


def test_what_is_not_a_number_is_not_encoded_as_one():
    assert math.isnan(decode(encode([math.nan], 1.0), 1.0)[0])


@pytest.mark.parametrize(("count", "most", "kept"), [(3, 5, (0, 1, 2)), (5, 3, (0, 2, 4)), (9, 1, (8,)), (0, 4, ())])
def test_thinning_keeps_both_ends_and_the_last_first_of_all(count, most, kept):
    assert thin(count, most) == kept


def test_turning_a_picture_keeps_every_length_and_angle():
    source = picture(4, "a", "train", 1, progress=0.6, seed=3)
    points = gallery([source]).shots["a", "train", 1].points
    before = [math.dist(one, other) for one in source.points for other in source.points]
    assert [math.dist(one, other) for one in points for other in points] == pytest.approx(before, abs=1e-9)


def test_the_first_of_four_classes_points_up():
    right, up, near = gallery([picture(4, "a", "train", 1, progress=0.6, seed=3)]).shots["a", "train", 1].points[0]
    assert up > 0.5
    assert (right, near) == pytest.approx((0, 0), abs=1e-9)


def test_a_plane_that_was_only_rotated_and_mirrored_between_steps_stands_still():
    last = picture(10, "a", "train", 2, progress=0.6, seed=3)
    first = replace(last, step=1, points=tuple((0.6 * x - 0.8 * y, -0.8 * x - 0.6 * y, z) for x, y, z in last.points))
    shots = gallery([first, last]).shots
    assert [x for point in shots["a", "train", 1].points for x in point] == pytest.approx(
        [x for point in shots["a", "train", 2].points for x in point], abs=1e-9
    )


def test_more_pictures_than_fit_leave_out_steps_but_never_the_last_and_say_so():
    source = picture(100, "a", "train", 0, progress=0.5, seed=1)
    shown = gallery([replace(source, step=step, split=split) for step in range(60) for split in ("train", "test")])
    assert shown.steps[-1] == 59
    assert len(shown.steps) < 60
    assert f"{len(shown.steps)} of 60 steps" in shown.left_out


def test_of_a_thousand_classes_a_hundred_are_drawn():
    shot = gallery([picture(1000, "a", "train", None, progress=0.5, seed=1, cloud=0)]).shots["a", "train", None]
    assert len(shot.labels) == len(shot.points) == len(shot.cosines) == 100


def test_the_page_opens_with_the_last_layer_at_the_last_step_of_the_first_split():
    pictures = [
        picture(3, layer, split, step, 0.5, seed=1) for step in (1, 2) for split in ("x", "y") for layer in "ab"
    ]
    opening = gallery(pictures).opening.source
    assert (opening.layer, opening.split, opening.step) == ("b", "x", 2)


@pytest.mark.parametrize(
    ("value", "shown"), [(1.0, "1"), (-0.111, "−.11"), (0.0, "0"), (-1.0, "−1"), (math.nan, "–"), (-0.003, "0")]
)
def test_a_cosine_fits_its_cell(value, shown):
    assert short_cosine(value) == shown


@pytest.mark.parametrize(("num_classes", "numbers"), [(2, 4), (12, 144), (13, 0), (100, 0)])
def test_a_matrix_carries_numbers_up_to_twelve_classes(num_classes, numbers):
    shot = gallery([picture(num_classes, "a", "train", None, 0.9, seed=1)]).opening
    assert matrix(shot, "").count('class="cell"') == numbers


def test_two_classes_are_told_that_their_cosine_says_nothing():
    shot = gallery([picture(2, "a", "train", None, 0.9, seed=1)]).opening
    assert "any network" in matrix_sentence(shot)
    assert "one line" in constellation_sentence(shot)


def test_a_projection_says_how_much_it_holds():
    shot = gallery([replace(picture(10, "a", "train", None, 0.9, seed=1), explained=(0.2, 0.15, 0.1))]).opening
    assert "two leading axes, which holds 35 % of their scatter" in constellation_sentence(shot)


def test_means_that_are_not_numbers_are_left_out_of_the_drawing():
    source = picture(3, "a", "train", None, 0.9, seed=1)
    broken = replace(source, points=((math.nan, math.nan), *source.points[1:]), cosines=((math.nan,) * 3,) * 3)
    shot = gallery([broken]).opening
    assert "nan" not in matrix(shot, "")
    assert matrix_sentence(shot) == "No two class means have a direction to compare."
