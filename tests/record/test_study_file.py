from __future__ import annotations

import errno
import json
import math
import os

import pytest

from caltrop.record import FORMAT, read_study, write_study
from caltrop.rows import ClassValues, Picture, Row, Study


@pytest.fixture
def study():
    return Study(
        rows=(
            Row(
                "fc:input",
                "variability_ratio",
                "tr",
                0.5,
                split="train",
                step=3,
                half_width=0.1,
                at_collapse=0.0,
            ),
            Row("fc:input", "welch_gap", "W", math.nan, reason="two classes are always opposite"),
            Row("a", "variability_ratio", "tr", math.inf, reason="infinite: classes 3 and 5 coincide"),
        ),
        per_class=(ClassValues("fc:input", "variability_ratio", {0: 0.25, 7: math.nan}, split="train", step=3),),
        pictures=(Picture("fc:input", (0, 7), ((1.0, -1.0), (-1.0, 1.0)), ((1.0,), (-1.0,)), (1.0,)),),
        title="Digits",
        clock="epoch",
        notes=("the head is 'fc'",),
        provenance={"data": "digits", "seconds": 3.5},
    )


def test_a_study_comes_back_as_it_was_written(study, tmp_path):
    path = write_study(study, tmp_path / "new" / "folder")
    assert path == tmp_path / "new" / "folder" / "record.json"
    # NaN differs from itself, so the strict JSON forms are compared; infinity must survive as such
    assert read_study(path.parent).as_dict() == study.as_dict()
    assert math.isinf(read_study(path).rows[2].value)


def test_the_file_is_strict_json_that_names_its_format(study, tmp_path):
    text = write_study(study, tmp_path).read_text()
    record = json.loads(text, parse_constant=lambda constant: pytest.fail(f"{constant} in the record"))
    assert record["format"] == FORMAT
    assert record["rows"]["value"][1] is None


def test_writing_twice_gives_the_same_bytes(study, tmp_path):
    first = write_study(study, tmp_path).read_bytes()
    assert write_study(study, tmp_path).read_bytes() == first


@pytest.mark.parametrize("failure", [OSError(errno.ENOSPC, "No space left on device"), KeyboardInterrupt()])
def test_a_failed_write_leaves_the_old_record_and_nothing_else(study, tmp_path, monkeypatch, failure):
    before = write_study(study, tmp_path).read_bytes()

    def fail(*_):
        raise failure

    monkeypatch.setattr(os, "fsync", fail)
    with pytest.raises(type(failure)):
        write_study(Study(rows=()), tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["record.json"]
    assert (tmp_path / "record.json").read_bytes() == before


def test_a_record_gets_the_permissions_of_any_new_file(study, tmp_path):
    (tmp_path / "plain").write_text("")
    assert write_study(study, tmp_path).stat().st_mode == (tmp_path / "plain").stat().st_mode


def test_a_missing_record_is_named(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"there is no record at .*record\.json"):
        read_study(tmp_path)


def test_a_record_of_a_newer_format_is_refused_with_the_reason(tmp_path):
    (tmp_path / "record.json").write_text(json.dumps({"format": FORMAT + 1, "rows": []}))
    with pytest.raises(ValueError, match=f"format {FORMAT + 1}; this version .* up to format {FORMAT}"):
        read_study(tmp_path)


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ('{"format": 1, "rows": [', "not a whole JSON file"),
        ('{"format": 1, "rows": [{"value": NaN}]}', "NaN is not JSON"),
        ("[1, 2]", "holds a list"),
        ('{"rows": []}', "names no format version"),
        ('{"format": true, "rows": []}', "names no format version"),
        ('{"format": 1}', "KeyError at 'rows'"),
        ('{"format": 1, "rows": [{"layer": "a"}]}', "KeyError at 'value'"),
        ('{"format": 1, "rows": [{"value": 1.0, "colour": "red"}]}', "unknown columns"),
        ('{"format": 1, "rows": 5}', "not a record of Caltrop"),
        ('{"format": 2, "rows": {"count": 1, "value": ["3"]}}', r"record\.json is not .* column value is no list"),
        ('{"format": 1, "rows": [], "pictures": [{"layer": "a", "labels": ["b"]}]}', "not a record of Caltrop"),
    ],
)
def test_what_is_not_a_record_is_refused(tmp_path, text, why):
    (tmp_path / "record.json").write_text(text)
    with pytest.raises(ValueError, match=why):
        read_study(tmp_path)


def test_a_record_of_format_1_is_still_read(tmp_path):
    row = {"layer": "a", "measure": "m", "symbol": "s", "origin": "trained", "seed": None, "split": "test"}
    rest = {"step": 3, "half_width": None, "resolution": 0.1, "at_collapse": 0.0, "note": None}
    rows = [
        {**row, **rest, "value": 0.5, "reason": None},
        {**row, **rest, "value": None, "reason": "infinite: classes 3 and 5 coincide"},
        {**row, **rest, "value": None, "reason": "undefined"},
    ]
    record = {"format": 1, "title": "Old", "clock": "epoch", "notes": [], "provenance": {}, "rows": rows}
    (tmp_path / "record.json").write_text(json.dumps({**record, "per_class": [], "pictures": []}))
    study = read_study(tmp_path)
    assert [repr(row.value) for row in study.rows] == ["0.5", "inf", "nan"]
    assert (study.title, study.rows[0].step, study.rows[0].resolution) == ("Old", 3, 0.1)


def test_bytes_that_are_not_text_are_refused(tmp_path):
    (tmp_path / "record.json").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(ValueError, match="not a whole JSON file"):
        read_study(tmp_path)
