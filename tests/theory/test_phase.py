"""Phase diagrams against the problems at every point, one at a time."""

from __future__ import annotations

import math

import numpy as np
import pytest

from caltrop.theory import DeepUfmCrossEntropy, DeepUfmMse, best_graph
from caltrop.theory.phase import cross_entropy_phases, family_winner, squared_error_phases

CLASSES, DEPTHS, DECAYS = (2, 5, 8), (1, 2, 6), (1e-4, 1e-2, 1.0)


def one_by_one(diagram, problem_of):
    for row in diagram.rows():
        problem = problem_of(row["num_classes"], row["depth"], row["decay"])
        values = problem.family_values()
        zero = math.log(row["num_classes"]) if isinstance(problem, DeepUfmCrossEntropy) else 0.5
        found = {name.removeprefix("value of "): value for name, value in row.items() if name.startswith("value of")}
        assert set(found) == set(values)
        for name, value in values.items():
            assert found[name] == pytest.approx(value, rel=1e-14)
        assert row["value"] == pytest.approx(min(zero, *values.values()), rel=1e-14)
        assert row["winner"] == diagram.winner(row["num_classes"], row["depth"], row["decay"])
        if row["winner"] == "zero":
            assert min(values.values()) >= zero * (1 - 1e-11)
        else:
            assert values[row["winner"]] == pytest.approx(min(values.values()), rel=1e-11)


@pytest.mark.parametrize("more", [{}, {"relu": True}, {"per_class": 3, "label_smoothing": 0.05}])
def test_cross_entropy_at_every_point(more):
    diagram = cross_entropy_phases(CLASSES, DEPTHS, DECAYS, **more)
    assert len(list(diagram.rows())) == 27
    one_by_one(
        diagram,
        lambda classes, depth, decay: DeepUfmCrossEntropy(
            num_classes=classes, depth=depth, dim=classes, weight_decay=decay, feature_decay=decay, **more
        ),
    )
    winners = {row["winner"] for row in diagram.rows()}
    assert {"zero", "simplex"} < winners
    assert set(diagram.thresholds) == (set() if more else {"exists", "ties", "stable"})


def test_squared_error_at_every_point():
    diagram = squared_error_phases((3, 6, 8, 10), (1, 2, 4), DECAYS, per_class=2)
    one_by_one(
        diagram,
        lambda classes, depth, decay: DeepUfmMse(
            num_classes=classes,
            depth=depth,
            dim=classes,
            weight_decay=decay,
            feature_decay=decay,
            per_class=2,
            graph=best_graph(classes),
        ),
    )
    assert {row["winner"] for row in diagram.rows()} == {"zero", "dnc", "srg", "kneser"}


@pytest.mark.parametrize(
    ("phases", "name"), [(cross_entropy_phases, "simplex"), (squared_error_phases, "dnc")], ids=["ce", "mse"]
)
def test_the_tie_is_where_the_collapsed_family_becomes_zero(phases, name):
    ties = phases((10,), (4,), (1.0,), per_class=3).thresholds["ties"][0, 0]
    diagram = phases((10,), (4,), (ties * 0.999, ties * 1.001), per_class=3)
    below, above = diagram.values[diagram.families.index(name), 0, 0]
    assert below < diagram.zero[0]
    assert above == pytest.approx(diagram.zero[0], rel=1e-15)


def test_a_family_that_does_not_exist_is_missing_and_never_wins():
    diagram = cross_entropy_phases((4, 5), (3,), (1e-3,))
    cube = diagram.values[diagram.families.index("hypercube")]
    assert np.isnan(cube[1, 0, 0])
    assert not np.isnan(cube[0, 0, 0])
    assert not np.isnan(diagram.best).any()


def test_of_equal_values_the_first_wins_and_above_zero_none():
    assert family_winner({"a": 1.0, "b": 0.5, "c": 0.5 * (1 - 1e-14)}, 2.0) == "b"
    assert family_winner({"a": 1.0, "b": math.nan}, 1.0) == "zero"
    assert family_winner({}, 1.0) == "zero"
