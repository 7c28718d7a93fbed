r"""Explicit factors of class logits βS and what they cost, without and with ReLU (formulas: `deep_ufm_cross_entropy`).

A cost κ is that of the unit scale: the least penalties of βS are $\frac{L+1}2\tilde c\,\kappa\,\beta^{2/(L+1)}$.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor

from caltrop.theory.chain import Chain
from caltrop.theory.logit_families import LogitShape, Part
from caltrop.theory.optimum import Params


def linear_cost(shape: LogitShape, depth: int) -> float:
    r"""$\sum_is_i^{2/(L+1)}$."""
    return shape.schatten(2 / (depth + 1))


def linear_factors(shape: LogitShape, scale: float, chain: Chain, coupling: float) -> Params:
    r"""Balanced factors of βS: along each axis all $\lambda\|\cdot\|^2$ are $\tilde c(\beta s_i)^{2/(L+1)}$.

    `chain` is over class means, `coupling` is $\tilde c$. The axes of the hidden layers are the first ones; needs
    rank ≤ dim.
    """
    axes = shape.axes
    energies = coupling * (scale * shape.strengths) ** (2 / (chain.depth + 1))
    params = _zeros(chain)
    for name, decay in zip(chain.factors, _class_decays(chain), strict=True):
        sizes = (energies / decay).sqrt()
        outer = name in (chain.factors[0], chain.factors[-1])
        block = axes * sizes if outer else torch.diag(sizes)
        params[name][: block.shape[0], : block.shape[1]] = block
    return params


def rectified_cost(shape: LogitShape, depth: int) -> float:
    r"""$\sum(\nu^2(r+1)^{L-2}r)^{1/(L+1)}$ over the parts (r instead of r+1 for one without lift); depth ≥ 2."""
    total, start = 0.0, 0
    strengths = shape.strengths
    for part in shape.parts:
        total += _part_cost(part, float(strengths[start : start + part.rank].sum()), depth)
        start += part.rank
    return total


def rectified_factors(shape: LogitShape, scale: float, chain: Chain, coupling: float) -> Params:
    """Factors of βS whose hidden layers are non-negative: neuron k is class k's, so that dim ≥ K is needed."""
    params = _zeros(chain)
    axes, strengths, start = shape.axes, shape.strengths, 0
    for part in shape.parts:
        own = axes[:, start : start + part.rank]
        sizes = strengths[start : start + part.rank]
        start += part.rank
        nuclear = float(sizes.sum()) + part.lift
        energy = coupling * _part_cost(part, float(sizes.sum()), chain.depth) * scale ** (2 / (chain.depth + 1))
        lifted = torch.zeros(shape.num_classes, shape.num_classes, dtype=torch.float64)
        if part.lift > 0:
            lifted[part.first : part.stop, part.first : part.stop] = 1 / (part.stop - part.first)
        first = ((own * sizes.sqrt()) @ own.T + math.sqrt(part.lift) * lifted) / math.sqrt(nuclear)
        head = own @ own.T
        hidden = (head + lifted) / math.sqrt(_range(part))
        blocks = [first, first, *[hidden] * (chain.depth - 2), head / math.sqrt(part.rank)]
        for name, decay, block in zip(chain.factors, _class_decays(chain), blocks, strict=True):
            params[name][: shape.num_classes, : shape.num_classes] += math.sqrt(energy / decay) * block
    return params


def _part_cost(part: Part, total: float, depth: int) -> float:
    # in logarithms: powers of large ranks overflow
    logs = 2 * math.log(total + part.lift) + (depth - 2) * math.log(_range(part)) + math.log(part.rank)
    return math.exp(logs / (depth + 1))


def _range(part: Part) -> int:
    return part.rank + (part.lift > 0)


def _class_decays(chain: Chain) -> list[float]:
    """The λ of each factor; that of the features counts every sample."""
    decays: list[float] = chain.decays.tolist()
    return [decays[0] * float(chain.multiplicities[0]), *decays[1:]]


def _zeros(chain: Chain) -> dict[str, Tensor]:
    return {name: torch.zeros(chain.shapes[name], dtype=torch.float64) for name in chain.factors}
