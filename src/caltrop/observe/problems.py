"""A theoretical model's optimum, measured like any other features."""

from __future__ import annotations

import difflib
from dataclasses import replace

from caltrop.observe.features import measure
from caltrop.observe.observation import Observation
from caltrop.rows import Row
from caltrop.theory import Optimum, Problem

ORIGIN = "closed form"


def measure_problem(problem: Problem, family: str | None = None) -> Observation:
    """Every measure of a problem's optimum, or of one of its named families, by the pipeline of measured features.

    Rows have the origin "closed form" and the layer "features"; the whole-model rows `loss` (the fit) and
    `penalised_loss` stand at the empty layer.

    Raises:
        KeyError: no family has that name; the nearest are offered.
        ValueError: the problem has no known optimum, or one where all features are zero.
    """
    found = _point(problem, family)
    if found.is_zero:
        raise ValueError(
            f"the optimum of {problem} is zero: penalties are beyond the threshold, all features vanish, "
            "and no measure of collapse is defined. Lower a penalty."
        )
    assert found.labels is not None
    seen = measure(found.features, found.labels, weights=found.weights, bias=found.bias)
    rows = [replace(row, origin=ORIGIN) for row in seen.rows]
    if found.params is not None:
        rows.append(Row("", "loss", "L", float(problem.fit(found.params)), origin=ORIGIN))
    rows.append(Row("", "penalised_loss", "L+λ", found.value, origin=ORIGIN))
    return Observation(rows, seen.class_values, seen.pictures, notes=seen.notes)


def _point(problem: Problem, family: str | None) -> Optimum:
    if family is None:
        found = problem.optimum()
        if found is None:
            raise ValueError(
                f"no global optimum of {problem} is known; measure one of its families ({_listed(problem)})."
            )
        return found
    families = problem.families()
    if family not in families:
        nearest = difflib.get_close_matches(family, families, n=3, cutoff=0.3)
        hint = f"did you mean {' or '.join(nearest)}?" if nearest else f"there are: {_listed(problem)}."
        raise KeyError(f"no family of {problem} is called '{family}'; {hint}")
    return families[family]


def _listed(problem: Problem) -> str:
    return ", ".join(problem.families()) or "none"
