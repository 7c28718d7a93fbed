"""caltrop demo: one seed of papyan2020prevalence."""

from __future__ import annotations

import json

import pytest

from caltrop.record import RunFolder

TINY = {"per_class": 12, "test_per_class": 5, "widths": (8, 8), "points": 3, "epochs": 3, "batch_size": 32}


@pytest.fixture
def tiny(monkeypatch):
    """The demonstration at a size that takes a second; what it was asked for."""
    from caltrop.papers import papyan2020prevalence as paper

    asked: list[dict[str, object]] = []
    whole = paper.demonstration

    def demonstration(network, **options):
        asked.append({"network": network, **options})
        _, fields = whole(network, **options)
        return "smoke", {**fields, **TINY}

    monkeypatch.setattr(paper, "demonstration", demonstration)
    return asked


def test_the_page_is_written_and_named_behind_notes_and_verdicts(run, tiny, workplace):
    ran = run("demo")
    assert ran.code == 0, ran.err
    assert ran.out.startswith("Training error")
    assert ran.out.count("papyan2020prevalence/") == 5
    assert ran.out.endswith("record: results/demo\npage: results/demo/page.html\n")
    assert (workplace / "results" / "demo" / "page.html").is_file()
    provenance = RunFolder("results/demo").read().cells[0].provenance
    assert provenance["command"] == "caltrop demo"
    assert provenance["seconds"] >= 0


def test_options_reach_the_experiment(run, tiny):
    run("demo", "--network", "resnet", "--seed", "7", "--classes", "0", "1", "2", "--per-class", "9", "--quick")
    assert tiny == [{"network": "resnet", "quick": True, "classes": (0, 1, 2), "per_class": 9}]
    (cell,) = RunFolder("results/demo").read().cells
    assert (cell.seed, cell.config["classes"]) == (7, [0, 1, 2])


def test_json_is_alone_on_stdout(run, tiny):
    printed = json.loads(run("demo", "--json", "--out", "here").out)
    assert len(printed["verdicts"]) == 5
    assert printed["page"] == "here/page.html"


def test_a_finished_demo_is_shown_again_at_once(run, tiny, workplace):
    first = run("demo").out
    (cell,) = (workplace / "results" / "demo" / "cells").glob("*.json")
    before = cell.read_bytes()
    assert run("demo").out == first
    assert cell.read_bytes() == before


@pytest.mark.parametrize(
    ("argv", "why"),
    [
        (["--network", "vgg"], "network='vgg' is unknown; choose one of mlp, resnet"),
        (["--classes", "3", "3"], "at least two different digits"),
        (["--classes", "0", "77"], "--classes 77 is no digit; give some of 0 to 9"),
        (["--classes", "0", "-1"], "--classes -1 is no digit"),
        (["--seed", "-1"], "the seed -1 cannot be used"),
        (["--out", "taken"], "--out taken is a file"),
        (["--seed", "one"], "--seed"),
    ],
)
def test_what_cannot_be_is_refused_before_training(refuses, tiny, workplace, argv, why):
    (workplace / "taken").write_text("")
    assert why in refuses("demo", *argv)
