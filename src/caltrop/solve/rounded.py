r"""A chain whose ReLU is rounded at its kink, $\sigma_\varepsilon(x)=\tfrac12(x+\sqrt{x^2+\varepsilon^2})$.

Smooth, so that L-BFGS works where the minimum of the chain lies at kinks; as ε falls its minima go to stationary points
of the chain, and $\sigma_\varepsilon'$ at the kinks to the slopes in [0, 1] that make them so.
"""

from __future__ import annotations

from dataclasses import dataclass, fields, replace

import torch
from torch import Tensor

from caltrop.solve.landscape import ChainLandscape
from caltrop.solve.lbfgs import Descended, Told, joined, lbfgs
from caltrop.theory.chain import BIAS, FEATURES, Chain
from caltrop.theory.optimum import Params

# ε as shares of a layer's largest pre-activation, and the largest gradient that ends each stage
STAGES = (0.1, 0.03, 0.01, 3e-3, 1e-3, 3e-4)
_TOL = 1e-6


@dataclass(frozen=True, eq=False)
class RoundedChain(Chain):
    """A chain with ReLU rounded over `radii` [batch, L−1], ε of each row and hidden layer."""

    radii: Tensor | None = None

    @classmethod
    def of(cls, chain: Chain, points: Params, share: float) -> RoundedChain:
        """The same chain, rounded over a share of the largest pre-activation of each layer at some points."""
        layers = chain.layers(points)
        hidden = [layers[f"layer {layer} pre"].abs().amax(dim=(-2, -1)) for layer in range(2, chain.depth + 1)]
        # a layer that is all zero has no scale
        radii = share * torch.stack(hidden, dim=-1).clamp(min=1e-3)
        return cls(**{field.name: getattr(chain, field.name) for field in fields(Chain)}, radii=radii)

    def layers(self, params: Params) -> dict[str, Tensor]:
        """What each matrix is given, [..., rows, dim], as `Chain.layers`."""
        values = params[FEATURES]
        found = {"layer 1": values}
        for layer, name in enumerate(self.factors[1:-1], start=2):
            values = values @ params[name].mT
            found[f"layer {layer} pre"] = values
            values = (values + (values.square() + self._squares_of(layer - 2)).sqrt()) / 2
            found[f"layer {layer}"] = values
        return found

    def value_and_gradient(self, params: Params) -> tuple[Tensor, Params]:
        """The loss [...] and its gradient by hand, of the parameters' shapes."""
        with torch.no_grad():
            inputs, slopes = [params[FEATURES]], []
            for place, name in enumerate(self.factors[1:-1]):
                values = inputs[-1] @ params[name].mT
                root = (values.square() + self._squares_of(place)).sqrt_()
                passed = values.add_(root).div_(2)
                # σ' = σ/√(x²+ε²)
                slopes.append(passed / root)
                inputs.append(passed)
            logits = self._scored(inputs[-1], params)
            decays = self.decays.to(logits)
            error = self.fit_of.gradients(logits, self.labels) * self.shares.to(logits)[:, None]
            gradient: Params = {BIAS: error.sum(dim=-2)} if self.bias else {}
            for place in range(self.depth, 0, -1):
                name = self.factors[place]
                penalty = decays[..., place, None, None] * params[name]
                gradient[name] = (error.mT @ inputs[place - 1]).add_(penalty)
                error = error @ params[name]
                if place > 1:
                    error.mul_(slopes[place - 2])
            weighted = params[FEATURES] * self.multiplicities.to(logits)[:, None]
            gradient[FEATURES] = error.add_(decays[..., 0, None, None] * weighted)
            return self._mean(logits) + self.penalty(params), gradient

    def _squares_of(self, hidden: int) -> Tensor:
        assert self.radii is not None
        return self.radii[..., hidden, None, None].square()


@dataclass(frozen=True, eq=False)
class RoundedLandscape(ChainLandscape):
    """A rounded chain's: its radii belong to the rows."""

    chain: RoundedChain

    @classmethod
    def of(cls, landscape: ChainLandscape, points: Tensor, share: float) -> RoundedLandscape:
        """The same landscape, rounded over a share of the largest pre-activations at some points."""
        return cls(RoundedChain.of(landscape.chain, landscape.layout.unpack(points), share))

    def select(self, rows: Tensor) -> RoundedLandscape:
        """The landscape of some of the rows."""
        chain = self.chain
        assert chain.radii is not None
        decays = chain.decays if chain.decays.ndim == 1 else chain.decays[rows]
        return RoundedLandscape(replace(chain, decays=decays, radii=chain.radii[rows]))


def lbfgs_rounded(
    landscape: ChainLandscape,
    points: Tensor,
    *,
    steps: int,
    stages: tuple[float, ...] = STAGES,
    told: Told | None = None,
) -> Descended:
    """L-BFGS on rounded chains, ε falling through `stages`, at most `steps` iterations in all.

    A stage of n left has at most a share 2/n of the iterations left, so that the early ones may take longer. Values and
    gradients of the answer are those of the chain itself.
    """
    parts: list[Descended] = []
    done = 0
    for number, share in enumerate(stages):
        allowed = -(-2 * (steps - done) // (len(stages) - number + 1))
        if allowed == 0:
            break
        rounded = RoundedLandscape.of(landscape, points, share)
        part = lbfgs(rounded, points, steps=allowed, tol=_TOL, told=None if told is None else _later(told, done))
        parts.append(part)
        points = part.points
        done += part.looks[-1]
    values, gradient = landscape.slopes(points)
    return joined(parts, points, values, gradient.abs().amax(dim=-1))


def _later(told: Told, done: int) -> Told:
    return lambda step, values: told(done + step, values)
