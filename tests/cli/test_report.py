from __future__ import annotations

import errno
import json

import pytest

from caltrop.record import FORMAT, write_study
from caltrop.rows import Row, Study


@pytest.fixture
def record(workplace):
    rows = tuple(Row("fc:input", "variability_ratio", "tr", 1 / (step + 1), step=step) for step in range(3))
    write_study(Study(rows=rows, title="A little study", clock="epoch"), workplace / "run")
    return workplace / "run"


def test_the_page_lies_beside_the_record_and_is_named(run, record):
    ran = run("report", "run")
    assert (ran.code, ran.out, ran.err) == (0, "run/page.html\n", "")
    assert "A little study" in (record / "page.html").read_text()


def test_the_page_goes_where_it_is_told(run, record, workplace):
    ran = run("report", record, "--out", "other.html", "--json")
    assert json.loads(ran.out) == {"page": "other.html"}
    assert (workplace / "other.html").is_file()
    assert not (record / "page.html").exists()


@pytest.mark.parametrize(
    ("argv", "why"),
    [
        (["nowhere"], "there is no record at nowhere"),
        (["empty"], "there is no record at empty"),
        ([""], "an argument is empty (report)"),
        (["run", "--out", "run"], "run is a folder; name the page's file"),
        (["run", "--out", "no/where.html"], "the folder no does not exist"),
    ],
)
def test_paths_that_cannot_be_are_refused(refuses, record, workplace, argv, why):
    (workplace / "empty").mkdir()
    assert why in refuses("report", *argv)


def test_a_page_that_cannot_be_written_is_named_as_such(refuses, record, monkeypatch):
    def refuse(**_):
        raise PermissionError(errno.EACCES, "Permission denied")

    monkeypatch.setattr("caltrop.cli.outputs.tempfile.TemporaryFile", refuse)
    assert refuses("report", "run") == "caltrop: run/page.html cannot be written: Permission denied.\n"


def test_a_record_whose_pictures_were_edited_is_refused(refuses, record):
    path = record / "record.json"
    held = json.loads(path.read_text())
    picture = {"layer": "fc", "labels": [0, 1], "cosines": [[1, -1]], "points": [[1], [-1]], "explained": [1]}
    path.write_text(json.dumps({**held, "pictures": [{**picture, "cloud": [], "split": "all", "step": None}]}))
    said = refuses("report", "run")
    assert "run/record.json is not a record of Caltrop: the picture of layer 'fc' has parts of different sizes" in said


def test_a_record_cut_short_is_refused(refuses, record):
    path = record / "record.json"
    path.write_text(path.read_text()[:-20])
    assert "not a whole JSON file" in refuses("report", "run")


def test_a_record_of_a_newer_version_is_refused(refuses, record):
    (record / "record.json").write_text('{"format": 99, "rows": []}')
    assert f"a record of format 99; this version of Caltrop reads up to format {FORMAT}" in refuses("report", "run")
