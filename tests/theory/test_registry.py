"""The registry of problems: names, what is nearest to a wrong one, and packages of others."""

from __future__ import annotations

from dataclasses import dataclass

import pytest

from caltrop import theory
from caltrop.theory import registry


@pytest.fixture
def alone(monkeypatch):
    """A copy of the registry as it is before packages of others were looked for."""
    monkeypatch.setattr(registry, "_REGISTRY", dict(registry._REGISTRY))
    monkeypatch.setattr(registry, "_PLUGINS_LOADED", False)


class EntryPoint:
    """An installed package that registers a problem as it is imported."""

    def __init__(self):
        self.loaded = 0

    def load(self):
        self.loaded += 1

        @theory.problem("from-outside")
        @dataclass(frozen=True)
        class FromOutside:
            size: int = 3


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


@pytest.mark.parametrize("look", [theory.names, theory.problems])
def test_installed_packages_are_loaded_once_at_the_first_look(alone, monkeypatch, look):
    asked, package = [], EntryPoint()
    monkeypatch.setattr(registry, "entry_points", lambda group: asked.append(group) or [package])
    assert "from-outside" in look()
    assert theory.get("from-outside")().size == 3
    assert (asked, package.loaded) == (["caltrop"], 1)
