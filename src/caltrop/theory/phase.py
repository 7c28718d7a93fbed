"""Which closed form is least over numbers of classes, depths and penalties: phase diagrams without any descent.

All penalties are equal, λ, and the width is as large as every family needs. What wins is the least of the families that
are known, not the global optimum, which may be lower still.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from jaxtyping import Float64

from caltrop.theory.deep_ufm_mse import DeepUfmMse
from caltrop.theory.edge_graphs import best_graph
from caltrop.theory.logit_factors import linear_cost, rectified_cost
from caltrop.theory.logit_families import LogitShape, logit_shapes
from caltrop.theory.power_shrinkage import collapse_threshold, existence_threshold
from caltrop.theory.thresholds import collapse_thresholds

# Some families coincide for few classes, and their values then differ by rounding.
_SAME = 1e-12


@dataclass(frozen=True, eq=False)
class PhaseDiagram:
    """Values of families over a grid.

    num_classes, depths, decays
        The axes K, L and λ.
    families
        Names; where several families have the same value the earlier one is said to win.
    values
        The loss of each at its best scale, at most `zero`; NaN where there is no such family for this K and L.
    zero
        The loss of zero, log K or ½.
    thresholds
        By name ("exists", "ties", "stable"), the λ up to which collapse to DNC exists, is better than zero and is a
        local minimum, where that is known.
    """

    num_classes: tuple[int, ...]
    depths: tuple[int, ...]
    decays: tuple[float, ...]
    families: tuple[str, ...]
    values: Float64[np.ndarray, "families classes depths decays"]
    zero: Float64[np.ndarray, "classes"]
    thresholds: Mapping[str, Float64[np.ndarray, "classes depths"]]

    @property
    def best(self) -> Float64[np.ndarray, "classes depths decays"]:
        """The least value, that of zero included."""
        least = np.fmin.reduce(self.values, axis=0, initial=math.inf)
        return np.asarray(np.minimum(least, self.zero[:, None, None]))

    def winner(self, num_classes: int, depth: int, decay: float) -> str:
        """The family that wins at one point of the grid, or "zero"."""
        return self._winner(
            self.num_classes.index(num_classes), self.depths.index(depth), self.decays.index(float(decay))
        )

    def rows(self) -> Iterator[dict[str, Any]]:
        """One row for each point: num_classes, depth, decay, winner, value and "value of …" for every family there."""
        best = self.best
        for place in itertools.product(*map(range, best.shape)):
            row: dict[str, Any] = {
                "num_classes": self.num_classes[place[0]],
                "depth": self.depths[place[1]],
                "decay": self.decays[place[2]],
                "winner": self._winner(*place),
                "value": float(best[place]),
            }
            yield row | {
                f"value of {name}": value for name, value in self._values(*place).items() if not math.isnan(value)
            }

    def _winner(self, row: int, column: int, place: int) -> str:
        return family_winner(self._values(row, column, place), float(self.zero[row]))

    def _values(self, row: int, column: int, place: int) -> dict[str, float]:
        return dict(zip(self.families, self.values[:, row, column, place].tolist(), strict=True))


def family_winner(values: Mapping[str, float], zero: float) -> str:
    """The first family whose value is the least up to rounding, or "zero" where none is below the value of zero."""
    there = {name: value for name, value in values.items() if value < zero * (1 - _SAME)}
    if not there:
        return "zero"
    least = min(there.values())
    return next(name for name, value in there.items() if value <= least * (1 + _SAME))


def cross_entropy_phases(
    num_classes: Sequence[int],
    depths: Sequence[int],
    decays: Sequence[float],
    *,
    per_class: int = 1,
    relu: bool = False,
    label_smoothing: float = 0.0,
) -> PhaseDiagram:
    """The families of `DeepUfmCrossEntropy` over K, L and λ; thresholds are those without ReLU and smoothing."""
    powers, couplings = _grid(depths, decays, per_class)
    found: dict[str, Float64[np.ndarray, "classes depths decays"]] = {}
    for place, classes in enumerate(num_classes):
        for shape in logit_shapes(classes):
            costs = np.array([_cost(shape, depth, relu) for depth in depths])
            strength = (couplings * (costs / powers)[:, None]).ravel()
            _, values = shape.margins.best_scale(strength, powers.repeat(len(decays)), label_smoothing)
            every = found.setdefault(shape.name, np.full((len(num_classes), *couplings.shape), math.nan))
            every[place] = values.reshape(couplings.shape)
    each = [
        [collapse_thresholds(classes, depth).equal_penalties(depth, per_class) for depth in depths]
        for classes in num_classes
    ]
    names = ("exists", "ties", "stable")
    known = {name: np.array([[getattr(one, name) for one in line] for line in each]) for name in names}
    return PhaseDiagram(
        num_classes=tuple(num_classes),
        depths=tuple(depths),
        decays=tuple(map(float, decays)),
        families=tuple(found),
        values=np.stack(list(found.values())),
        zero=np.log(np.array(num_classes, dtype=float)),
        thresholds={} if relu or label_smoothing > 0 else known,
    )


def squared_error_phases(
    num_classes: Sequence[int],
    depths: Sequence[int],
    decays: Sequence[float],
    *,
    per_class: int = 1,
    relu: bool = True,
) -> PhaseDiagram:
    """The families of `DeepUfmMse` over K, L and λ, on the graph of `best_graph`."""
    names = ("dnc", "srg", "kneser")
    values = np.full((len(names), len(num_classes), len(depths), len(decays)), math.nan)
    for (row, classes), (column, depth), (place, decay) in itertools.product(
        enumerate(num_classes), enumerate(depths), enumerate(decays)
    ):
        graph = best_graph(classes)
        problem = DeepUfmMse(
            num_classes=classes,
            depth=depth,
            dim=max(classes, 1 + max(itertools.chain.from_iterable(graph))),
            weight_decay=decay,
            feature_decay=decay,
            per_class=per_class,
            relu=relu,
            graph=graph,
        )
        for name, value in problem.family_values().items():
            values[names.index(name), row, column, place] = value
    powers, _ = _grid(depths, decays, per_class)
    # κ = K λ n^{1/(L+1)}
    sizes = np.array(num_classes)[:, None] * per_class ** (powers / 2)
    exists = np.array([existence_threshold(depth) for depth in depths])
    ties = np.array([collapse_threshold(depth) for depth in depths])
    return PhaseDiagram(
        num_classes=tuple(num_classes),
        depths=tuple(depths),
        decays=tuple(map(float, decays)),
        families=names,
        values=values,
        zero=np.full(len(num_classes), 0.5),
        thresholds={"exists": exists / sizes, "ties": ties / sizes},
    )


def _grid(
    depths: Sequence[int], decays: Sequence[float], per_class: int
) -> tuple[Float64[np.ndarray, "depths"], Float64[np.ndarray, "depths decays"]]:
    r"""Exponents 2/(L+1), and $\tilde\lambda=\lambda n^{1/(L+1)}$."""
    powers = 2 / (1 + np.array(depths, dtype=float))
    return powers, np.array(decays, dtype=float) * per_class ** (powers / 2)[:, None]


def _cost(shape: LogitShape, depth: int, relu: bool) -> float:
    return rectified_cost(shape, depth) if relu and depth > 1 else linear_cost(shape, depth)
