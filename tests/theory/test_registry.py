"""The registry of problems: names, and what is nearest to a wrong one."""

from __future__ import annotations

import pytest

from caltrop import theory


def test_a_problem_is_found_by_its_name():
    assert theory.get("ufm-mse") is theory.UfmMse
    assert theory.get("ufm-cross-entropy") is theory.UfmCrossEntropy
    assert {"ufm-mse", "ufm-cross-entropy"} <= set(theory.names())
    assert theory.problems()["ufm-mse"] is theory.UfmMse


@pytest.mark.parametrize(
    ("name", "hint"),
    [("ufm-mce", "did you mean ufm-mse"), ("UfmMse", "did you mean ufm-mse"), ("zzz", "there are .*ufm-cross-entropy")],
)
def test_an_unknown_name_is_refused_with_the_nearest(name, hint):
    with pytest.raises(KeyError, match=rf"no problem is called '{name}'; {hint}"):
        theory.get(name)


def test_a_name_is_registered_once():
    with pytest.raises(ValueError, match="'ufm-mse' is registered already; names are unique"):
        theory.problem("ufm-mse")(type("Other", (), {}))
    assert theory.get("ufm-mse") is theory.UfmMse
