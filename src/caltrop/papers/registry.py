"""All experiments by name, those of installed packages included."""

from __future__ import annotations

from collections.abc import Mapping
from importlib import import_module

from caltrop.papers.experiment import Experiment
from caltrop.registry import Registry

# one file and one line for each paper, in the order in which they are listed
_OURS = ("papyan2020prevalence", "sukenik2024lowrank", "garrod2025persistence")


class UnknownExperiment(KeyError):  # noqa: N818 - named for what it tells
    """No experiment has that name; the message offers the nearest."""


def _import_ours() -> None:
    for name in _OURS:
        import_module(f"caltrop.papers.{name}")


_REGISTRY: Registry[Experiment] = Registry("paper", _import_ours, UnknownExperiment)


def register(experiment: Experiment) -> Experiment:
    """Make an experiment known under its name, and give it back: `EXPERIMENT = register(Experiment(...))`.

    A user's own package does the same; with an entry point in the group `caltrop` that imports it, the
    experiment appears in `caltrop papers` and everywhere else.

    Raises:
        ValueError: another experiment has that name.
    """
    return _REGISTRY.add(experiment.name, experiment)


def experiments() -> Mapping[str, Experiment]:
    """All experiments by name."""
    return _REGISTRY


def names() -> list[str]:
    """Names of all experiments."""
    return list(_REGISTRY)


def get(name: str) -> Experiment:
    """The experiment of that name.

    Raises:
        UnknownExperiment: there is none; the nearest names are offered.
    """
    return _REGISTRY.find(name)
