"""caltrop solve: closed form, solver and certificate side by side; fields from text; bad input in one line."""

from __future__ import annotations

import json

import pytest

import caltrop as ct
from caltrop.cli.problem_fields import read_problem

DEEP = ("deep-ufm-cross-entropy", "--num-classes", 4, "--depth", 3, "--dim", 5, "--weight-decay", 1e-3)


def test_the_json_holds_what_the_contract_says(run):
    done = run("solve", *DEEP, "--feature-decay", 1e-3, "--seeds", 3, "--json")
    assert done.code == 0, done.err
    told = json.loads(done.out)
    problem = ct.theory.DeepUfmCrossEntropy(num_classes=4, depth=3, dim=5, weight_decay=1e-3, feature_decay=1e-3)
    assert told["optimal_value"] is None
    assert told["lower_bound"] == problem.lower_bound
    assert told["families"] == {name: point.value for name, point in problem.families().items()}
    assert [start["seed"] for start in told["solutions"]] == [0, 1, 2]
    assert min(start["value"] for start in told["solutions"]) == told["best"]
    assert told["certificate"]["is_stationary"] is True


def test_the_table_shows_closed_form_solver_and_certificate(run):
    done = run("solve", "ufm-mse", "--num-classes", 3, "--dim", 4, "--weight-decay", 1e-2, "--feature-decay", 1e-2)
    assert done.code == 0, done.err
    problem = ct.theory.UfmMse(num_classes=3, dim=4, weight_decay=1e-2, feature_decay=1e-2)
    assert done.out.count(f"{problem.optimal_value:.10f}") >= 2
    assert "proved: global optimality" in done.out
    assert "8 of 8 starts" in done.out


def test_what_is_zero_says_so(run):
    done = run("solve", "ufm-cross-entropy", "--num-classes", 4, "--dim", 4, "--weight-decay", 1, "--feature-decay", 1)
    assert done.code == 0
    assert "the penalties are beyond the threshold" in done.out


def test_a_family_that_does_not_exist_is_named_with_the_reason(run):
    fields = ("--num-classes", 7, "--depth", 4, "--dim", 8, "--weight-decay", 4e-3, "--feature-decay", 4e-3)
    done = run("solve", "deep-ufm-mse", *fields, "--seeds", 1, "--max-steps", 5, "--json")
    missing = json.loads(done.out)["missing_families"]
    assert set(missing) == {"srg", "kneser"}
    assert "graph" in missing["srg"]


def test_no_problem_lists_them(run):
    done = run("solve")
    assert done.code == 0
    assert set(done.out.split()) == set(ct.theory.names())


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (("ufm-cross-entropie",), "did you mean ufm-cross-entropy"),
        (("ufm-mse",), "needs --num-classes, --dim, --weight-decay, --feature-decay"),
        (("ufm-mse", "--num-clases", 3), "did you mean --num-classes"),
        (("ufm-mse", "3"), "belongs to no field"),
        ((*DEEP, "--feature-decay", 0), "feature_decay=0.0 must be positive"),
        ((*DEEP, "--feature-decay", -1e-3), "feature_decay=-0.001 must be positive"),
        ((*DEEP, "--feature-decay", "small"), "--feature-decay small is not a number"),
        ((*DEEP, "--feature-decay", 1e-3, "--depth", 2), "--depth is given twice"),
        ((*DEEP, "--feature-decay", 1e-3, "--per-class", 2.5), "--per-class 2.5 is not an integer"),
        ((*DEEP, "--feature-decay", 1e-3, "--method", "magic"), "method='magic' is none of"),
        ((*DEEP, "--feature-decay", 1e-3, "--seeds", 0), "seeds=0 must be an integer of 1 or more"),
        ((*DEEP, "--feature-decay", 1e-3, "--tol", 0), "tol=0"),
        (("deep-ufm-mse", "--num-classes", 1, "--depth", 2, "--dim", 3, "--weight-decay", 1, "--feature-decay", 1),
         "num_classes=1 must be an integer of 2 or more"),
        (("deep-ufm-mse", "--num-classes", 3, "--depth", 0, "--dim", 3, "--weight-decay", 1, "--feature-decay", 1),
         "depth=0 must be an integer of 1 or more"),
        (("deep-ufm-mse", "--num-classes", 3, "--depth", 3, "--dim", 3, "--weight-decay", 1, 1, "--feature-decay", 1),
         "weight_decay has 2 entries, but depth=3"),
    ],
)  # fmt: skip
def test_bad_input_is_one_line(run, arguments, told):
    done = run("solve", *arguments)
    assert done.code == 2
    assert done.out == ""
    assert done.err.count("\n") == 1
    assert told in done.err


def test_fields_are_read_by_what_they_look_like():
    text = (
        "--num-classes 3 --depth 3 --dim=6 --weight-decay .1 .2 1e-1 --feature-decay 1 --relu false --bias "
        "--graph 0-1 1-2 0-2"
    )
    problem = read_problem("deep-ufm-mse", text.split())
    assert problem == ct.theory.DeepUfmMse(
        num_classes=3,
        depth=3,
        dim=6,
        weight_decay=(0.1, 0.2, 0.1),
        feature_decay=1.0,
        relu=False,
        bias=True,
        graph=((0, 1), (1, 2), (0, 2)),
    )


def test_fewer_dimensions_than_classes_leave_families_out_and_say_so(run):
    fields = ("--num-classes", 4, "--depth", 3, "--dim", 2, "--weight-decay", 1e-3, "--feature-decay", 1e-3)
    done = run("solve", "deep-ufm-cross-entropy", *fields, "--seeds", 2)
    assert done.code == 0
    assert "no simplex: it needs dim ≥ 3, not 2." in done.out
