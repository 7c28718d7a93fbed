"""caltrop check: stored records judged again, damaged ones named, outcomes compared with a list."""

from __future__ import annotations

import errno
import json
import tempfile

import pytest

from caltrop import papers
from caltrop.papers import registry
from caltrop.record import write_study
from caltrop.rows import Study
from papers import toy
from papers.toy import NAME


@pytest.fixture(autouse=True)
def toys(monkeypatch):
    registry.experiments()
    monkeypatch.setattr(registry._REGISTRY, "_things", dict(registry._REGISTRY))
    registry.register(toy.experiment())


@pytest.fixture
def results(workplace):
    papers.run(NAME, out=workplace / "results" / "a")
    papers.run(NAME, "desk", out=workplace / "results" / "b")
    return workplace / "results"


def damage(path):
    (cell,) = (path / "cells").glob("*.json")
    cell.write_text(cell.read_text()[:-30])


def test_records_are_judged_from_disk_alone(run, results):
    ran = run("check", "results")
    assert ran.code == 1
    assert ran.out.count("✗ contradicted") == 2
    assert "toy2020halving, smoke, complete (results/a)" in ran.out
    printed = json.loads(run("check", "results/b", "--json").out)
    assert {entry["scale"] for entry in printed["verdicts"]} == {"desk"}
    assert {"claim", "outcome", "measured", "expected", "why"} <= printed["verdicts"][0].keys()


def test_verdicts_follow_the_rows_and_are_never_stored(run, results):
    (cell,) = (results / "a" / "cells").glob("*.json")
    cell.write_text(cell.read_text().replace("0.0625", "0.75"))
    outcomes = {
        entry["claim"]: entry["outcome"] for entry in json.loads(run("check", "results/a", "--json").out)["verdicts"]
    }
    assert outcomes[f"{NAME}/ends-small"] == "contradicted"


def test_a_contradiction_that_is_expected_is_no_failure(run, results, workplace):
    (workplace / "expected.json").write_text(run("check", "results", "--json").out)
    ran = run("check", "results", "--expect", "expected.json")
    assert ran.code == 0, ran.err
    assert "All outcomes are as expected." in ran.out


def test_a_list_by_claim_alone_stands_for_every_scale(run, results, workplace):
    outcomes = {"ends-small": "reproduced", "is-zero": "contradicted", "unknown": "inconclusive"}
    (workplace / "expected.json").write_text(json.dumps({f"{NAME}/{name}": told for name, told in outcomes.items()}))
    assert run("check", "results", "--expect", "expected.json").code == 0


@pytest.mark.parametrize(
    ("change", "told"),
    [
        (
            lambda e: e.update({f"{NAME}/is-zero": "reproduced"}),
            "is-zero (a): contradicted, expected",
        ),
        (lambda e: e.pop(f"{NAME}/unknown"), "unknown (a): inconclusive, and not in the list"),
        (lambda e: e.update({"x2020y/z": "reproduced"}), "x2020y/z: no record, expected reproduced"),
    ],
)
def test_any_difference_from_the_list_is_exit_code_1_and_told(run, results, workplace, change, told):
    outcomes = {"ends-small": "reproduced", "is-zero": "contradicted", "unknown": "inconclusive"}
    expected = {f"{NAME}/{name}": outcome for name, outcome in outcomes.items()}
    change(expected)
    (workplace / "expected.json").write_text(json.dumps(expected))
    ran = run("check", "results", "--expect", "expected.json")
    assert ran.code == 1
    assert told in ran.out


def test_a_damaged_record_is_named_and_the_good_one_judged(run, results):
    damage(results / "a")
    ran = run("check", "results")
    assert ran.code == 2
    assert "not a whole JSON file" in ran.err
    assert "results/a/cells/" in ran.err
    assert ran.err.count("\n") == 1
    assert ran.out.count("✗ contradicted") == 1
    assert ran.out.count("? inconclusive") == 4


def test_foreign_files_and_unknown_papers_are_named(run, results):
    (results / "c").mkdir()
    (results / "c" / "run.json").write_text('{"name": "of another program"}')
    plan = json.loads((results / "b" / "run.json").read_text())
    (results / "b" / "run.json").write_text(json.dumps({**plan, "experiment": "toy2020halvings"}))
    write_study(Study(()), results / "measured")
    ran = run("check", "results", "--json")
    assert ran.code == 2
    printed = json.loads(ran.out)
    assert set(printed["problems"]) == {"results/c/run.json", "results/b"}
    assert "no paper is called 'toy2020halvings'; did you mean toy2020halving" in ran.err
    assert len(printed["verdicts"]) == 3


def test_a_run_that_is_not_finished_is_inconclusive(run, results):
    (cell,) = (results / "a" / "cells").glob("*.json")
    cell.unlink()
    ran = run("check", "results/a")
    assert ran.code == 0
    assert ran.out.count("? inconclusive") == 3
    assert "seed 0: not run yet" in " ".join(ran.out.split())


@pytest.mark.parametrize(
    ("argv", "why"),
    [
        (["nowhere"], "there is no folder nowhere"),
        (["empty"], "there is no record of a paper under empty"),
        (["bad.json"], "bad.json is a file; give the folder that caltrop run wrote"),
        ([""], "an argument is empty (check)"),
        (["results", "--expect", "missing.json"], "--expect missing.json is not there"),
        (["results", "--expect", "bad.json"], "--expect bad.json is not JSON"),
        (["results", "--expect", "deep.json"], "--expect deep.json is not JSON"),
        (["results", "--expect", "empty"], "--expect empty is a folder"),
        (["results", "--expect", "nothing.json"], "--expect nothing.json names no outcome"),
        (["results", "--expect", "no_verdicts.json"], "--expect no_verdicts.json names no outcome"),
        (["results", "--expect", "list.json"], "--expect list.json must hold"),
        (["results", "--expect", "odd.json"], "is 'perhaps', which is none of reproduced, contradicted, inconclusive"),
    ],
)
def test_bad_input_is_refused_in_one_line(refuses, results, workplace, argv, why):
    (workplace / "empty").mkdir()
    (workplace / "bad.json").write_text("{")
    (workplace / "deep.json").write_text("[" * 100_000)
    (workplace / "nothing.json").write_text("{}")
    (workplace / "no_verdicts.json").write_text('{"verdicts": []}')
    (workplace / "list.json").write_text("[1]")
    (workplace / "odd.json").write_text('{"a/b": "perhaps"}')
    assert why in refuses("check", *argv)


def test_report_draws_the_run_with_its_verdicts(run, results):
    ran = run("report", "results/a")
    assert (ran.code, ran.out) == (0, "results/a/page.html\n")
    assert "claim-ends-small" in (results / "a" / "page.html").read_text()


def test_report_of_many_records_writes_a_front_page_that_links_theirs(run, results):
    write_study(Study((), title="Features of mine"), results / "measured")
    damage(results / "b")
    ran = run("report", "results", "--json")
    assert json.loads(ran.out) == {"page": "results/index.html"}
    text = (results / "index.html").read_text()
    for link in ("a/page.html", "b/page.html", "measured/page.html"):
        assert f'href="{link}"' in text
        assert (results / link).is_file()
    assert "not a whole JSON file" in ran.err


def test_report_of_many_records_draws_none_where_one_page_cannot_be_written(run, results, monkeypatch):
    def refuse(dir):
        if dir.name == "b":
            raise PermissionError(errno.EACCES, "Permission denied")
        return tempfile.SpooledTemporaryFile()

    monkeypatch.setattr("caltrop.cli.outputs.tempfile.TemporaryFile", refuse)
    ran = run("report", "results")
    assert (ran.code, ran.out) == (2, "")
    assert ran.err == "caltrop: results/b/page.html cannot be written: Permission denied.\n"
    assert not list(results.rglob("*.html"))


def test_report_names_a_record_that_cannot_be_read_on_the_front_page(run, results):
    (results / "b" / "run.json").write_text("{")
    ran = run("report", "results")
    assert ran.code == 0
    assert "not a whole JSON file" in (results / "index.html").read_text()


def test_a_record_that_the_list_does_not_name_is_told_and_left_out(run, results, workplace):
    (workplace / "expected.json").write_text(run("check", "results", "--json").out)
    papers.run(NAME, "smoke", 5, out=results / "mine", progress=False)
    ran = run("check", "results", "--expect", "expected.json")
    assert ran.code == 0, ran.out
    assert "mine: not in the list, left out" in ran.out


def test_a_record_that_is_gone_differs_from_the_list(run, results, workplace):
    (workplace / "expected.json").write_text(run("check", "results", "--json").out)
    (results / "a" / "run.json").unlink()
    ran = run("check", "results", "--expect", "expected.json")
    assert ran.code == 1
    assert "toy2020halving/is-zero (a): no record, expected contradicted" in ran.out
