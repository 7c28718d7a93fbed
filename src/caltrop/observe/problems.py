"""A theoretical model's optimum, measured like any other features."""

from __future__ import annotations

import difflib
from dataclasses import replace

import torch
from torch import Tensor

from caltrop.observe.features import measure
from caltrop.observe.observation import Observation
from caltrop.rows import Row
from caltrop.theory import Optimum, Penalised, Problem

ORIGIN = "closed form"


def measure_problem(problem: Problem, family: str | None = None) -> Observation:
    """Every measure of a problem's optimum, or of one of its named families, by the pipeline of measured features.

    Rows have the origin "closed form" and the layer "features"; the whole-model rows `loss` (the fit, where the
    problem can say it) and `penalised_loss` stand at the empty layer. Where the penalties are beyond the threshold and
    everything is zero, measures of collapse are NaN with a reason and a note says so.

    Raises:
        KeyError: no family has that name; the nearest are offered.
        ValueError: the problem has no known optimum, or does not say to which classes its features belong.
    """
    found = _point(problem, family)
    seen = measure(found.features, _labels(problem, found), weights=found.weights, bias=found.bias)
    seen.rows = [replace(row, origin=ORIGIN) for row in seen.rows]
    if found.params is not None and isinstance(problem, Penalised):
        seen.rows.append(Row("", "loss", "L", float(problem.fit(found.params)), origin=ORIGIN))
    seen.rows.append(Row("", "penalised_loss", "L+λ", found.value, origin=ORIGIN))
    if found.is_zero:
        beyond = f"{problem} is zero here: the penalties are beyond the threshold, so that nothing is learned"
        seen.notes = (*seen.notes, beyond)
    return seen


def _point(problem: Problem, family: str | None) -> Optimum:
    families = problem.families()
    if family is None:
        found = problem.optimum()
        if found is None:
            remedy = (
                f"measure one of its families: {', '.join(families)}."
                if families
                else f"only lower_bound={problem.lower_bound:.6g} is, and it has no families to measure instead."
            )
            raise ValueError(f"no global optimum of {problem} is known; {remedy}")
        return found
    if family not in families:
        nearest = difflib.get_close_matches(family, families, n=3, cutoff=0.3)
        hint = f"did you mean {' or '.join(nearest)}?" if nearest else f"there are: {', '.join(families) or 'none'}."
        raise KeyError(f"no family of {problem} is called '{family}'; {hint}")
    return families[family]


def _labels(problem: Problem, found: Optimum) -> Tensor:
    labels = getattr(problem, "labels", None) if found.labels is None else found.labels
    if labels is None:
        raise ValueError(
            f"the optimum of {problem} does not say which class each feature belongs to; give Optimum labels=, "
            "or the problem a property `labels`, [samples]."
        )
    return torch.as_tensor(labels)
