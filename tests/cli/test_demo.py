from __future__ import annotations

import json

import pytest

from caltrop.record import read_study
from caltrop.rows import Row, Study


@pytest.fixture
def asked(monkeypatch):
    """What the demo asks the training for; a small study comes back at once."""
    seen: dict[str, object] = {}

    def run_demo(**arguments):
        seen.update(arguments)
        rows = tuple(Row("head:input", "variability_ratio", "tr", 1.0 / step, step=step) for step in (1, 2))
        return Study(rows=rows, clock="epoch", notes=("Training error is zero.",), provenance={"network": "mlp"})

    monkeypatch.setattr("caltrop.train.run_demo", run_demo)
    return seen


def test_the_page_is_written_and_named_beside_what_happened(run, asked, workplace):
    ran = run("demo")
    assert ran.code == 0, ran.err
    assert ran.out == "Training error is zero.\nrecord: results/demo/record.json\npage: results/demo/page.html\n"
    assert (workplace / "results" / "demo" / "page.html").is_file()
    provenance = read_study(workplace / "results" / "demo").provenance
    assert provenance["network"] == "mlp"
    assert provenance["command"] == "caltrop demo"
    assert provenance["seconds"] >= 0


def test_options_reach_the_training(run, asked):
    ran = run(
        "demo", "--network", "resnet", "--seed", "7", "--classes", "0", "1", "2", "3", "--per-class", "9", "--quick"
    )
    assert ran.code == 0, ran.err
    assert asked == {"network": "resnet", "seed": 7, "classes": [0, 1, 2, 3], "per_class": 9, "quick": True}


def test_json_is_alone_on_stdout(run, asked):
    printed = json.loads(run("demo", "--json", "--out", "here").out)
    assert [row["step"] for row in printed["rows"]] == [1, 2]
    assert (printed["notes"], printed["page"]) == (["Training error is zero."], "here/page.html")


@pytest.mark.parametrize(
    ("argv", "why"),
    [
        (["--network", "vgg"], "--network vgg is unknown; give mlp or resnet"),
        (["--classes", "3", "3"], "at least two different digits"),
        (["--out", "taken"], "--out taken is a file"),
        (["--seed", "one"], "--seed"),
    ],
)
def test_what_cannot_be_is_refused_before_training(refuses, asked, workplace, argv, why):
    (workplace / "taken").write_text("")
    assert why in refuses("demo", *argv)
    assert asked == {}


def test_ctrl_c_during_training_leaves_nothing(run, workplace, monkeypatch):
    def interrupted(**_):
        raise KeyboardInterrupt

    monkeypatch.setattr("caltrop.train.run_demo", interrupted)
    assert run("demo") == (130, "", "caltrop: interrupted; nothing is half-written.\n")
    assert list(workplace.iterdir()) == []


@pytest.mark.slow
def test_the_quick_demo_trains_and_draws(run, workplace):
    ran = run("demo", "--quick", "--classes", "0", "1", "2", "--per-class", "20", "--out", "quick")
    assert ran.code == 0, ran.err
    assert "NC1 at head:input (training images) went from" in ran.out
    study = read_study(workplace / "quick")
    assert {row.split for row in study.rows} >= {"train", "test"}
    assert study.clock == "epoch"
