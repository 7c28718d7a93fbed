"""Rows, per-class values, pictures and studies, there and back through strict JSON."""

from __future__ import annotations

import json
import math

import numpy as np
import pytest

from caltrop.rows import ClassValues, Picture, Row, Study, jsonable, to_json

ROW = Row("fc:input", "variability_ratio", "NC1", 0.25, split="test", step=3, half_width=0.1, at_collapse=0.0)
VALUES = ClassValues("fc:input", "variability_ratio", {3: 0.5, 7: 0.25}, "test", 3)
PICTURE = Picture(
    "fc:input",
    labels=(3, 7),
    cosines=((1.0, -1.0), (-1.0, 1.0)),
    points=((1.0,), (-1.0,)),
    explained=(1.0,),
    cloud=((3, (0.5,)), (7, (-1.25,))),
    head=((0.75,), (-0.75,)),
    split="test",
    step=3,
)
STUDY = Study((ROW,), (VALUES,), (PICTURE,), "A title", "epoch", ("A note.",), {"torch": "2", "threads": 1})


@pytest.mark.parametrize("entry", [ROW, VALUES, PICTURE, STUDY], ids=lambda entry: type(entry).__name__)
def test_what_was_written_is_read_back_equal(entry):
    assert type(entry).from_dict(json.loads(to_json(entry.as_dict()))) == entry


def test_a_picture_without_cloud_and_head_is_read_back_equal():
    bare = Picture("a", (0, 1), ((1.0, -1.0), (-1.0, 1.0)), ((1.0,), (-1.0,)), (1.0,))
    assert Picture.from_dict(json.loads(to_json(bare.as_dict()))) == bare


def test_a_study_of_rows_alone_is_read():
    assert Study.from_dict({"rows": [ROW.as_dict()]}).rows == (ROW,)


@pytest.mark.parametrize(
    ("value", "reason"), [(math.nan, "undefined: all features are equal"), (math.inf, "infinite: classes 3 and 5")]
)
def test_a_value_that_is_not_finite_is_null_with_a_reason_and_comes_back(value, reason):
    written = json.loads(to_json(Row("a", "m", "s", value, reason=reason).as_dict()))
    assert written["value"] is None
    assert written["reason"] == reason
    assert Row.from_dict(written).value == pytest.approx(value, nan_ok=True)


def test_a_null_without_a_reason_is_nan():
    assert math.isnan(Row.from_dict({**ROW.as_dict(), "value": None}).value)


def test_a_null_per_class_is_nan():
    values = ClassValues("a", "m", {0: math.nan, 1: 1.0})
    again = ClassValues.from_dict(json.loads(to_json(values.as_dict())))
    assert math.isnan(again.values[0])
    assert again.values[1] == 1.0


def test_an_undefined_cosine_is_read_back_as_nan():
    row = (math.nan, 1.0)
    picture = Picture("a", (0, 1), (row, row), ((1.0,), (-1.0,)), (1.0,))
    assert math.isnan(Picture.from_dict(json.loads(to_json(picture.as_dict()))).cosines[1][0])


@pytest.mark.parametrize(
    "change",
    [
        {"labels": []},
        {"labels": [3, 7, 9]},
        {"cosines": [[1.0, -1.0]]},
        {"cosines": [[1.0], [-1.0]]},
        {"points": [[1.0], []]},
        {"explained": [0.5, 0.5]},
        {"cloud": [[3, []]]},
        {"head": [[1.0]]},
    ],
)
def test_a_picture_whose_parts_differ_in_size_is_refused(change):
    with pytest.raises(ValueError, match="the picture of layer 'fc:input' has parts of different sizes"):
        Picture.from_dict({**PICTURE.as_dict(), **change})


@pytest.mark.parametrize("entry", [VALUES, PICTURE], ids=lambda entry: type(entry).__name__)
@pytest.mark.parametrize("change", [{"layer": [1]}, {"split": None}, {"step": "3"}, {"step": True}])
def test_what_stands_behind_rows_must_say_where_it_belongs(entry, change):
    with pytest.raises(ValueError, match="is at no place that can be"):
        type(entry).from_dict({**entry.as_dict(), **change})


def test_a_row_of_a_newer_version_names_the_unknown_column():
    with pytest.raises(ValueError, match=r"unknown columns \['colour'\].*newer version"):
        Row.from_dict({**ROW.as_dict(), "colour": "red"})


@pytest.mark.parametrize(
    "value", [np.int64(3), np.uint8(3), np.float32(0.5), np.float64(0.5), np.True_, True, None, "x"]
)
def test_scalars_of_numpy_are_written_like_pythons(value):
    plain = value.item() if isinstance(value, np.generic) else value
    assert to_json({"a": [value]}) == json.dumps({"a": [plain]})


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf, np.float32("nan"), np.float64("inf")])
def test_no_number_that_json_forbids_is_written(value):
    assert to_json({"a": (value, [value])}) == '{"a": [null, [null]]}'


def test_keys_become_strings_and_digits_are_cut_only_where_asked():
    assert jsonable({1: 0.123456789, 2: (1, True)}, digits=3) == {"1": 0.123, "2": [1, True]}
    assert jsonable(0.123456789) == 0.123456789


def test_equal_input_gives_equal_text():
    assert to_json(STUDY.as_dict()) == to_json(Study.from_dict(STUDY.as_dict()).as_dict())


def test_what_json_cannot_hold_is_refused():
    with pytest.raises(TypeError, match="not JSON serializable"):
        to_json({"a": object()})
