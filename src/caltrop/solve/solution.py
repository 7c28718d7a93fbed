"""What a solver found: values, outcomes and points of all seeds, and the best of them as an optimum to look at."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import torch
from jaxtyping import Float64, Int64
from torch import Tensor

from caltrop.observe import Observation, measure
from caltrop.rows import Row
from caltrop.solve.certificate import Certificate, certify
from caltrop.solve.outcomes import Outcome
from caltrop.solve.structure import Structure, name_structure
from caltrop.theory import Optimum, Params, Penalised, Problem
from caltrop.theory.chain import WEIGHTS
from caltrop.theory.unconstrained import Unconstrained

ORIGIN = "solved"
# singular values of the logits below this share of the largest do not count
RANK = 1e-6


@dataclass(frozen=True, eq=False)
class Trajectory:
    """How the seeds went: at each of `steps`, values and largest absolute gradients [looks, seeds].

    NaN from where a seed has diverged; a seed that has stopped keeps its last numbers.
    """

    steps: tuple[int, ...]
    values: Float64[Tensor, "looks seeds"]
    slopes: Float64[Tensor, "looks seeds"]


@dataclass(frozen=True, eq=False)
class Solution:
    """Where every seed ended.

    problem, seeds
        What was solved, and from which starts.
    values
        The loss of each seed, [seeds]; NaN where it diverged.
    stationarity
        How far each seed is from a stationary point, [seeds]: the largest absolute entry of the gradient (of its
        samples' features too), or of the shortest subgradient where ReLU has kinks.
    outcomes
        A word for each seed: "converged", "zero", "stalled", "step limit" or "diverged".
    params
        Points with a leading axis of seeds; features are class means for an unconstrained features model.
    trajectory
        Of the descent, before the polish; None where the problem was solved as a convex one.
    method, steps, seconds
        How, in how many steps each seed, and how long all together took.
    lower_bound
        The best that is known: the problem's, or the dual's value that the convex solver reached.
    """

    problem: Problem
    seeds: tuple[int, ...]
    values: Float64[Tensor, "seeds"]
    stationarity: Float64[Tensor, "seeds"]
    outcomes: tuple[Outcome, ...]
    params: Params
    trajectory: Trajectory | None
    method: str
    steps: Int64[Tensor, "seeds"]
    seconds: float
    tol: float
    lower_bound: float

    @cached_property
    def best_place(self) -> int | None:
        """Which of the seeds has the lowest value, None if all diverged; among equals one that has converged."""
        finite = [place for place, word in enumerate(self.outcomes) if word != "diverged"]
        if not finite:
            return None
        lowest = min(float(self.values[place]) for place in finite)
        # equal up to rounding, the better point counts
        equal = [p for p in finite if float(self.values[p]) <= lowest + 1e-13 * max(1.0, abs(lowest))]
        return min(equal, key=lambda place: (float(self.stationarity[place]), place))

    @cached_property
    def best(self) -> Optimum | None:
        """The lowest seed as an optimum over samples, not shown to be global; None if all diverged."""
        return None if self.best_place is None else self.point(self.best_place)

    def at(self, place: int) -> Params:
        """The parameters of one of the seeds."""
        return {name: value[place] for name, value in self.params.items()}

    def point(self, place: int) -> Optimum:
        """One of the seeds as an optimum over samples."""
        params = self._lifted(place)
        features = self.problem.features(params)
        if WEIGHTS not in params:
            raise ValueError(f"{self.problem} has no parameter '{WEIGHTS}'; its head cannot be shown.")
        singular = torch.linalg.svdvals(features @ params[WEIGHTS].mT)
        is_zero = self.outcomes[place] == "zero"
        labels = getattr(self.problem, "labels", None)
        return Optimum(
            value=float(self.values[place]),
            params=params,
            features=features,
            weights=params[WEIGHTS],
            rank=0 if is_zero else int((singular > RANK * singular[0]).sum()),
            is_zero=is_zero,
            bias=params.get("bias"),
            labels=None if labels is None else torch.as_tensor(labels),
        )

    @cached_property
    def certificate(self) -> Certificate | None:
        """What is proved of the best seed, and what is not; None if all diverged."""
        return None if self.best_place is None else self.certify(self.best_place)

    def certify(self, place: int) -> Certificate:
        """What is proved of one of the seeds."""
        return certify(self.problem, self.at(place), tol=self.tol)

    @cached_property
    def structures(self) -> tuple[Structure | None, ...]:
        """What each seed found, by name; None where it diverged."""
        return tuple(
            None if word == "diverged" else name_structure(self.problem, self.at(place))
            for place, word in enumerate(self.outcomes)
        )

    @cached_property
    def seen(self) -> Observation:
        """Every measure of every seed's features, origin "solved"; the best comes last, so that it is what is read.

        Values of single classes and pictures are the best seed's; so are rows of layers below, where there are any.
        """
        if self.best_place is None:
            found = Observation()
            found.notes = (f"all {len(self.seeds)} seeds diverged: there is nothing to measure",)
            return found
        places = [p for p, word in enumerate(self.outcomes) if word != "diverged" and p != self.best_place]
        parts = [self.observe(place) for place in places]
        for part in parts:
            part.class_values, part.pictures = [], []
        layers = [self._layer(name, values) for name, values in self._hidden().items()]
        return Observation.merged([*parts, *layers, self.observe(self.best_place)])

    def observe(self, place: int) -> Observation:
        """Every measure of one seed's features."""
        point = self.point(place)
        if point.labels is None:
            raise ValueError(f"{self.problem} does not say which class each feature belongs to: `labels`, [samples].")
        seen = measure(point.features, point.labels, weights=point.weights, bias=point.bias)
        seen.rows = [replace(row, origin=ORIGIN, seed=self.seeds[place]) for row in seen.rows]
        numbers = {("penalised_loss", "L+λ"): point.value}
        if isinstance(self.problem, Penalised):
            numbers = {("loss", "L"): float(self.problem.fit(self._lifted(place))), **numbers}
        for (name, symbol), value in numbers.items():
            seen.rows.append(Row("", name, symbol, value, origin=ORIGIN, seed=self.seeds[place]))
        if point.is_zero:
            seen.notes = (*seen.notes, f"seed {self.seeds[place]} collapsed to zero: nothing is learned there")
        return seen

    def as_dict(self) -> dict[str, Any]:
        """Strict JSON: method, seconds, and one entry for each seed."""
        each = [
            {
                "seed": seed,
                "value": None if word == "diverged" else float(value),
                "outcome": word,
                "stationarity": None if word == "diverged" else float(slope),
                "steps": int(steps),
                "structure": None if structure is None else structure.name,
            }
            for seed, value, word, slope, steps, structure in zip(
                self.seeds, self.values, self.outcomes, self.stationarity, self.steps, self.structures, strict=True
            )
        ]
        return {"method": self.method, "seconds": self.seconds, "lower_bound": self.lower_bound, "seeds": each}

    def __repr__(self) -> str:
        counts = ", ".join(f"{count} {word}" for word, count in Counter(self.outcomes).items())
        place = self.best_place
        best = "none finite" if place is None else f"best {float(self.values[place]):.10g}"
        return f"<Solution: {len(self.seeds)} seed(s), {counts}; {best}; {self.method}, {self.seconds:.2f} s>"

    def _lifted(self, place: int) -> Params:
        params = self.at(place)
        return self.problem.lift(params) if isinstance(self.problem, Unconstrained) else params

    def _hidden(self) -> Mapping[str, Tensor]:
        """Layers of the best seed below its features: none where there is one layer."""
        assert self.best_place is not None
        if not isinstance(self.problem, Unconstrained):
            return {}
        layers = self.problem.layers(self._lifted(self.best_place))
        return dict(list(layers.items())[:-1])

    def _layer(self, name: str, values: Tensor) -> Observation:
        assert self.best_place is not None
        labels = torch.as_tensor(getattr(self.problem, "labels"))  # noqa: B009 - the protocol does not promise it
        seen = measure(values, labels, layer=name)
        seen.rows = [replace(row, origin=ORIGIN, seed=self.seeds[self.best_place]) for row in seen.rows]
        return seen
