"""caltrop phase: the table, strict JSON, the page, and bad input in one line."""

from __future__ import annotations

import json

import pytest

from caltrop.record import read_study
from caltrop.theory import DeepUfmCrossEntropy
from caltrop.theory.thresholds import collapse_thresholds

SMALL = ("--num-classes", 4, 6, "--depths", 2, 4, "--penalties", 0.1, 1e-3, 1e-2)
SOLVED = ("deep-ufm-cross-entropy", *SMALL, "--widths", 6, 48, "--seeds", 4)


def test_the_table_says_thresholds_winners_and_shares(run, workplace):
    done = run("phase", *SOLVED)
    assert done.code == 0, done.err
    limits = collapse_thresholds(6, 4)
    line = next(line for line in done.out.partition("6 classes\n")[2].splitlines() if line.split()[0] == "4")
    assert line.split()[1:4] == [f"{limits.exists:.4g}", f"{limits.ties:.4g}", f"{limits.stable:.4g}"]
    assert line.endswith("  polygon")
    # up to 0.01 and not to 0.1, where pairs are better: K = 4, L = 2
    assert "simplex to 0.01, pairs\n" in done.out
    assert "collapse from 4 starts each, 6 classes, depth 2, lbfgs" in done.out
    assert "0.00 [0.00, 0.60]" in done.out
    assert done.out.endswith("record: results/phase/record.json\npage: results/phase/page.html\n")
    assert done.err.count("width ") == 2
    assert len(read_study(workplace / "results" / "phase").maps) == 3


def test_json_is_alone_on_stdout_and_holds_every_point(run, workplace):
    done = run("phase", *SOLVED, "--json", "--out", "here.html")
    assert done.code == 0, done.err
    told = json.loads(done.out, parse_constant=lambda constant: pytest.fail(constant))
    (diagram,) = told["diagrams"]
    assert len(diagram["points"]) == 12
    for point in diagram["points"]:
        problem = DeepUfmCrossEntropy(
            num_classes=point["num_classes"],
            depth=point["depth"],
            dim=6,
            weight_decay=point["decay"],
            feature_decay=point["decay"],
        )
        families = {f"value of {name}": value for name, value in problem.family_values().items()}
        assert {name: value for name, value in point.items() if name in families} == pytest.approx(families, rel=1e-14)
    assert [(one["num_classes"], one["depth"]) for one in diagram["thresholds"]] == [(4, 2), (4, 4), (6, 2), (6, 4)]
    assert [(cell["dim"], cell["decay"]) for cell in told["prevalence"][0]["cells"]] == [
        (dim, decay) for dim in (6, 48) for decay in (1e-3, 1e-2, 0.1)
    ]
    assert told["page"] == "here.html"
    assert "record" not in told
    assert "<svg" in (workplace / "here.html").read_text()


def test_closed_forms_alone_are_of_both_models_and_solve_nothing(run, workplace, monkeypatch):
    monkeypatch.setattr("caltrop.solve.prevalence.solve_grid", lambda *_, **__: pytest.fail("something was solved"))
    done = run("phase", "--closed-forms")
    assert done.code == 0, done.err
    assert done.out.startswith("deep-ufm-cross-entropy:")
    assert "\ndeep-ufm-mse:" in done.out
    assert "starts each" not in done.out
    study = read_study(workplace / "results" / "phase")
    assert [one.title for one in study.maps] == ["2 classes", "4 classes", "6 classes", "10 classes"] * 2
    # 2 to 10 classes, 8 depths, 41 penalties
    assert all(len(one.rows) == 8 and len(one.columns) == 41 for one in study.maps)


def test_the_squared_error_part_is_gradient_descent_and_warns_of_too_few_steps(run, monkeypatch):
    import caltrop.cli.phase_settings as settings

    monkeypatch.setattr(settings, "MOST_STEPS", 30)
    done = run(
        "phase", "deep-ufm-mse", "--num-classes", 6, "--depths", 4, "--penalties", 1e-2, "--widths", 6, "--seeds", 2
    )
    assert done.code == 0, done.err
    assert "2 starts each, 6 classes, depth 4, gradient-descent" in done.out
    assert "note: deep-ufm-mse: at penalties below 5.3, 30 steps are too few" in done.err


@pytest.mark.parametrize(
    ("argv", "why"),
    [
        (["deep-ufm"], "there is no phase diagram of 'deep-ufm'; choose deep-ufm-cross-entropy or deep-ufm-mse"),
        (["--num-classes", "1"], "--num-classes=1 must be an integer of 2 or more"),
        (["--num-classes", "4", "4"], "--num-classes has 4 twice"),
        (["--depths", "0"], "--depths=0 must be an integer of 1 or more"),
        (["--depths", "2.5"], "--depths"),
        (["--penalties", "0"], "--penalties=0.0 must be positive"),
        (["--penalties", "nan"], "--penalties=nan must be positive"),
        (["--penalties", "much"], "--penalties"),
        (["--penalties", "-1"], "--penalties"),
        (["--widths", "3"], "width 3 has no room for the collapse of 6 classes; give --widths of 6 or more"),
        (["--solve-at", "10", "2", "--widths", "9"], "give --widths of 10 or more"),
        (["--solve-at", "1", "2"], "--solve-at=1 must be an integer of 2 or more"),
        (["--solve-at", "4", "0"], "--solve-at=0 must be an integer of 1 or more"),
        (["--solve-at", "4"], "--solve-at"),
        (["--seeds", "0"], "--seeds=0 must be an integer of 1 or more"),
        (["--seeds", "3", "3"], "seeds has one of them twice"),
        (["--closed-forms", "--widths", "8"], "--closed-forms solves nothing"),
        (["--out", "nowhere/page.html"], "the folder nowhere does not exist"),
        (["--out", "."], "is a folder"),
    ],
)
def test_what_cannot_be_is_refused_before_anything_is_solved(refuses, monkeypatch, argv, why):
    monkeypatch.setattr("caltrop.solve.prevalence.solve_grid", lambda *_, **__: pytest.fail("something was solved"))
    assert why in refuses("phase", *argv)
