r"""A problem's loss over flat points, many at once: what the solvers see of it.

Points are [batch, size] tensors. Rows may be seeds, or seeds of several problems that differ in their penalties only.
The gradient is a chain's own where there is one, and autograd's of the broadcast loss for every other problem.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Protocol, runtime_checkable

import torch
from torch import Tensor

from caltrop.theory import Params, Problem
from caltrop.theory.chain import FEATURES, Chain
from caltrop.theory.unconstrained import Unconstrained


@dataclass(frozen=True)
class Layout:
    """Where each parameter lies in a flat point."""

    shapes: Mapping[str, tuple[int, ...]]

    @cached_property
    def sizes(self) -> tuple[int, ...]:
        """Entries of each parameter, in order."""
        return tuple(math.prod(shape) for shape in self.shapes.values())

    @property
    def size(self) -> int:
        """Entries of a point."""
        return sum(self.sizes)

    def unpack(self, points: Tensor) -> Params:
        """Parameters with the points' leading axes, views of the points."""
        pieces = torch.split(points, list(self.sizes), dim=-1)
        lead = points.shape[:-1]
        return {
            name: piece.reshape(*lead, *shape) for (name, shape), piece in zip(self.shapes.items(), pieces, strict=True)
        }

    def pack(self, params: Params) -> Tensor:
        """The inverse of `unpack`, a new tensor."""
        flat = []
        for name, shape in self.shapes.items():
            value = params[name]
            flat.append(value.reshape(*value.shape[: value.ndim - len(shape)], -1))
        return torch.cat(flat, dim=-1)


@runtime_checkable
class Landscape(Protocol):
    """Losses of flat points [batch, size]."""

    @property
    def layout(self) -> Layout:
        """How parameters lie in a point."""
        ...

    def values(self, points: Tensor) -> Tensor:
        """The loss of each point, [batch]; differentiable."""
        ...

    def slopes(self, points: Tensor) -> tuple[Tensor, Tensor]:
        """The loss of each point, [batch], and its gradient, [batch, size]."""
        ...

    def outputs(self, points: Tensor) -> Tensor:
        """What is 0 in a collapse to zero, [batch, …]: logits without bias, or features."""
        ...

    def select(self, rows: Tensor) -> Landscape:
        """The landscape of some of the rows."""
        ...


@dataclass(frozen=True, eq=False)
class ChainLandscape:
    """A chain's; its `decays` are [factors], or [batch, factors] where each row has its own."""

    chain: Chain

    @cached_property
    def layout(self) -> Layout:
        """Features, matrices, head, bias."""
        return Layout(self.chain.shapes)

    def values(self, points: Tensor) -> Tensor:
        """The loss of each point, [batch]; differentiable."""
        return self.chain.loss(self.layout.unpack(points))

    def slopes(self, points: Tensor) -> tuple[Tensor, Tensor]:
        """The loss of each point, [batch], and its gradient by hand, [batch, size]."""
        values, gradient = self.chain.value_and_gradient(self.layout.unpack(points))
        return values, self.layout.pack(gradient)

    def outputs(self, points: Tensor) -> Tensor:
        """Logits without their bias, [batch, classes, classes]."""
        return replace(self.chain, bias=False).logits(self.layout.unpack(points))

    def select(self, rows: Tensor) -> ChainLandscape:
        """The landscape of some of the rows."""
        decays = self.chain.decays
        return self if decays.ndim == 1 else ChainLandscape(replace(self.chain, decays=decays[rows]))


@dataclass(frozen=True, eq=False)
class ProblemLandscape:
    """Any problem's, by autograd of its broadcast loss."""

    problem: Problem
    layout: Layout

    def values(self, points: Tensor) -> Tensor:
        """The loss of each point, [batch]; differentiable."""
        return self.problem.loss(self.layout.unpack(points))

    def slopes(self, points: Tensor) -> tuple[Tensor, Tensor]:
        """The loss of each point, [batch], and its gradient, [batch, size]."""
        with torch.enable_grad():
            leaves = points.detach().requires_grad_()
            values = self.values(leaves)
            # rows do not mix: the gradient of the sum is every row's own
            (gradient,) = torch.autograd.grad(values.sum(), leaves)
        return values.detach(), gradient

    def outputs(self, points: Tensor) -> Tensor:
        """The features, [batch, samples, dim]."""
        return self.problem.features(self.layout.unpack(points))

    def select(self, rows: Tensor) -> ProblemLandscape:
        """The same: rows do not differ."""
        return self


def landscape_of(problem: Problem) -> Landscape:
    """A problem's landscape: an unconstrained features model's is over class means, with its gradient by hand."""
    if isinstance(problem, Unconstrained):
        return ChainLandscape(problem.class_means)
    start = problem.init(0)
    return ProblemLandscape(problem, Layout({name: tuple(value.shape) for name, value in start.items()}))


def grid_landscape(problems: Sequence[Unconstrained], repeats: int) -> ChainLandscape:
    """One landscape of problems that differ in their penalties only, `repeats` rows for each.

    Raises:
        ValueError: they differ in more than their penalties; the first two that do are named.
    """
    first = problems[0].class_means
    for other in problems[1:]:
        why = _differs(first, other.class_means)
        if why:
            raise ValueError(f"{other} differs from {problems[0]} in its {why}; one batch shares all but penalties.")
    decays = torch.stack([problem.class_means.decays for problem in problems])
    return ChainLandscape(replace(first, decays=decays.repeat_interleave(repeats, dim=0)))


def batch_key(problem: Problem) -> tuple[object, ...] | None:
    """Equal for problems that one batch can hold, None where a problem is solved by itself."""
    if not isinstance(problem, Unconstrained):
        return None
    chain = problem.class_means
    counts = tuple(problem.class_counts)
    return (chain.fit_of, counts, chain.num_classes, chain.dim, chain.depth, chain.relu, chain.bias)


def _differs(one: Chain, other: Chain) -> str | None:
    for name in ("fit_of", "num_classes", "dim", "depth", "relu", "bias"):
        if getattr(one, name) != getattr(other, name):
            return {"fit_of": "loss", "relu": "activation"}.get(name, name)
    return None if torch.equal(one.multiplicities, other.multiplicities) else "counts"


def starts(problem: Problem, seeds: Sequence[int], scale: float) -> Tensor:
    """Flat starting points [seeds, size]: the problem's own of each seed, times `scale`.

    An unconstrained features model starts from independent normal entries of standard deviation scale/√dim, one row of
    features for each class.
    """
    if isinstance(problem, Unconstrained):
        chain = problem.class_means
        layout = Layout(chain.shapes)
        return torch.stack([layout.pack(chain.init(seed, scale)) for seed in seeds])
    found = [problem.init(seed) for seed in seeds]
    layout = Layout({name: tuple(value.shape) for name, value in found[0].items()})
    return torch.stack([layout.pack(params).double() * scale for params in found])


def rates_of(landscape: Landscape) -> Tensor | float:
    """What a step of gradient descent on samples is for each entry of a point of class means: 1/n for features."""
    if not isinstance(landscape, ChainLandscape):
        return 1.0
    chain, layout = landscape.chain, landscape.layout
    rates = torch.ones(layout.size, dtype=torch.float64)
    rows = layout.unpack(rates)[FEATURES]
    rows.copy_((1 / chain.multiplicities)[:, None].expand_as(rows))
    return rates
