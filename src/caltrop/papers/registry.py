"""All experiments by name, those of installed packages included."""

from __future__ import annotations

import difflib
from collections.abc import Mapping
from importlib import import_module
from importlib.metadata import entry_points

from caltrop.papers.experiment import Experiment

# one file and one line for each paper, in the order in which they are listed
_OURS = ("papyan2020prevalence",)

_REGISTRY: dict[str, Experiment] = {}
_LOADED = False


class UnknownExperiment(KeyError):  # noqa: N818 - named for what it tells
    """No experiment has that name; the message offers the nearest."""


def register(experiment: Experiment) -> Experiment:
    """Make an experiment known under its name, and give it back: `EXPERIMENT = register(Experiment(...))`.

    A user's own package does the same; with an entry point in the group `caltrop` that imports it, the
    experiment appears in `caltrop papers` and everywhere else.

    Raises:
        ValueError: another experiment has that name.
    """
    if experiment.name in _REGISTRY:
        raise ValueError(f"an experiment named '{experiment.name}' is registered already; choose another name.")
    _REGISTRY[experiment.name] = experiment
    return experiment


def experiments() -> Mapping[str, Experiment]:
    """All experiments by name."""
    global _LOADED
    if not _LOADED:
        _LOADED = True
        for name in _OURS:
            import_module(f"caltrop.papers.{name}")
        for plugin in entry_points(group="caltrop"):
            plugin.load()
    return _REGISTRY


def names() -> list[str]:
    """Names of all experiments."""
    return list(experiments())


def get(name: str) -> Experiment:
    """The experiment of that name.

    Raises:
        UnknownExperiment: there is none; the nearest names are offered.
    """
    known = experiments()
    if name in known:
        return known[name]
    nearest = difflib.get_close_matches(name, known, n=3, cutoff=0.3)
    hint = f"did you mean {' or '.join(nearest)}?" if nearest else f"there are {', '.join(known)}."
    raise UnknownExperiment(f"no paper is called '{name}'; {hint}")
