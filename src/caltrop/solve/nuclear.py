r"""One-layer models solved as the convex problems that they are, with a proof of how well.

$$\min_{Z,b}\ \sum_k\tfrac{n_k}N\ell(z_k+b)+c\|\mathrm{diag}(\sqrt{n_k})Z\|_*$$

over class logits Z: any counts, any convex loss, with or without a bias. A point is as good as its distance from
the dual bound (`caltrop.theory.duality`), which holds for the factored model of any width too; factors of the point
exist where the width is at least its rank.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from jaxtyping import Float64
from torch import Tensor

from caltrop.solve.convex_logits import ConvexLogits, Split, Vector
from caltrop.solve.proximal import ROUNDING, accelerated
from caltrop.solve.proximal_newton import Residual, newton_step
from caltrop.theory import Params
from caltrop.theory.chain import BIAS, FEATURES, WEIGHTS
from caltrop.theory.one_layer import OneLayer

# Accelerated steps before the first Newton step, and again where one fails; how often that may be.
STEPS, ROUNDS = 60, 3
# Within this share of the value a Newton step at least halves the gap, unless rounding is all that is left.
NEAR = 1e-9
# Rows of a factor below this share of the largest are 0.
DUST = 1e-11
# A Newton step is halved at most so often.
HALVINGS = 12


@dataclass(frozen=True, eq=False)
class NuclearSolution:
    """A point of a one-layer model and what no point lies below.

    params
        Factors over class means: "features" and "weights" [classes, dim], and "bias" where the model has one.
    value, lower_bound
        The loss there, and the best bound known: the highest dual bound that was met, or the problem's own.
    rank, strengths
        Of the convex problem's logits, and their singular values over all samples, largest first [classes].
    fits
        Whether the width has room for that rank. If not, `params` keep the largest strengths: a point whose loss is
        an upper bound, beside the bound of the convex problem, which lies lower.
    iterations
        Newton steps.
    """

    params: Params
    value: float
    lower_bound: float
    rank: int
    strengths: Float64[Tensor, "_"]
    fits: bool
    iterations: int

    @property
    def gap(self) -> float:
        """`value` − `lower_bound`: how far from optimal the point is at most, up to rounding."""
        return self.value - self.lower_bound

    @property
    def relative_gap(self) -> float:
        """`gap` as a share of the value."""
        return self.gap / abs(self.value) if self.value != 0 else self.gap


def solve_nuclear(
    problem: OneLayer, tol: float = 1e-12, *, start: Params | None = None, max_iterations: int = 100
) -> NuclearSolution:
    """The optimum of a one-layer problem, to a gap of `tol` of its value or as near as float64 comes.

    `start` are parameters over class means from which to begin, those of a neighbouring problem for example; the
    answer does not depend on them beyond the gap. Never raises for not converging: `relative_gap` says how far it came.
    """
    convex = ConvexLogits(problem.class_means)
    split, bias = accelerated(convex, *_begun(convex, start), STEPS)
    best = _Best(split, bias)
    rounds = iterations = 0
    last = math.inf
    while True:
        best.look(convex, split, bias)
        settled = best.gap <= NEAR * abs(best.value) and best.gap > last / 2
        if best.gap <= tol * abs(best.value) or settled or iterations >= max_iterations:
            break
        last = best.gap
        found = _searched(convex, _rescaled(convex, split), bias)
        if found is not None:
            split, bias = found
            iterations += 1
        elif rounds < ROUNDS and best.gap > NEAR * abs(best.value):
            rounds += 1
            split, bias = accelerated(convex, best.split.primal, best.bias, STEPS)
        else:
            break
    return _solution(problem, best, iterations)


class _Best:
    """The point of the lowest value met, its own bound, and the highest bound met."""

    def __init__(self, split: Split, bias: Vector) -> None:
        self.split, self.bias = split, bias
        self.value, self.own, self.bound = math.inf, -math.inf, -math.inf

    @property
    def gap(self) -> float:
        return self.value - self.bound

    def look(self, convex: ConvexLogits, split: Split, bias: Vector) -> None:
        value, bound = _value(convex, split, bias), convex.bound(split.primal, bias)
        # a value is flat at its minimum: among points that it cannot tell apart the bound can
        told = abs(value - self.value) > ROUNDING * abs(value)
        if value < self.value if told else bound > self.own:
            self.value, self.own, self.split, self.bias = value, bound, split, bias
        self.bound = max(self.bound, bound)


def _value(convex: ConvexLogits, split: Split, bias: Vector) -> float:
    return convex.fit(split.primal, bias) + convex.coupling * float(split.strengths.sum())


def _begun(convex: ConvexLogits, start: Params | None) -> tuple[Tensor, Vector]:
    classes = convex.model.num_classes
    bias = torch.zeros(classes, dtype=torch.float64)
    if start is None:
        return torch.zeros(classes, classes, dtype=torch.float64), bias
    matrix = convex.roots * (start[FEATURES] @ start[WEIGHTS].mT)
    return matrix, start.get(BIAS, bias)


def _rescaled(convex: ConvexLogits, split: Split) -> Split:
    """τ at which A and τS are of one size, so that neither drowns in the rounding of the other."""
    mean = float(split.strengths.sum()) / max(split.rank, 1)
    return split.moved(mean / convex.coupling) if mean > 0 else split


def _searched(convex: ConvexLogits, split: Split, bias: Vector) -> tuple[Split, Vector] | None:
    """The first of the halved Newton steps that lowers the value or the residual; None where none does."""
    residual, value = Residual.at(convex, split, bias), _value(convex, split, bias)
    change, shift = newton_step(convex, split, bias, residual)
    together = split.together
    for halving in range(HALVINGS):
        length = 0.5**halving
        tried = together + length * change
        if not bool(torch.isfinite(tried).all()):
            continue
        found, moved = Split.of(tried, split.tau, convex.coupling), bias + length * shift
        lower = _value(convex, found, moved) < value - ROUNDING * abs(value)
        if lower or Residual.at(convex, found, moved).norm < 0.9 * residual.norm:
            return found, moved
    return None


def _solution(problem: OneLayer, best: _Best, iterations: int) -> NuclearSolution:
    split, model = best.split, problem.class_means
    kept = min(split.rank, problem.dim)
    left = split.left[:, :kept] / model.multiplicities.sqrt()[:, None]
    params = {
        name: _without_dust(factor)
        for name, factor in problem.split(left, split.strengths[:kept], split.right[:kept].T).items()
    }
    if problem.bias:
        params[BIAS] = best.bias.clone()
    return NuclearSolution(
        params=params,
        value=float(model.loss(params)),
        # what is known beforehand decides nothing above: so a closed form and its solution are two ways to one number
        lower_bound=max(best.bound, getattr(problem, "lower_bound", -math.inf)),
        rank=split.rank,
        strengths=split.strengths,
        fits=split.rank <= problem.dim,
        iterations=iterations,
    )


def _without_dust(factor: Tensor) -> Tensor:
    """A class that is given up has rows of 0, not of what singular vectors are rounded by."""
    if factor.ndim < 2:
        return factor
    sizes = factor.norm(dim=1, keepdim=True)
    return torch.where(sizes > DUST * sizes.max(), factor, torch.zeros_like(factor))
