r"""A point of a chain with ReLU without what it does not use: as many units as it needs, and no more.

Hidden units with nothing coming in and nothing going out are left out. Units that do the same are one: with parallel
rows below and parallel columns above, norms $t_i$ for each, $\sum_it_i^2=1$, they are copies $t_i$ of one unit, since
$\sigma(t_iz)=t_i\sigma(z)$, at the same penalty. So each hidden layer has a matrix T of orthonormal columns, one for
each unit that is left, with $\sigma(Tz)=T\sigma(z)$. The first interface has no ReLU: there T is any orthonormal basis
of the span of the first matrix. In their terms $W_l$ is $T_l^\top W_lT_{l-1}$, and $T_l(\cdot)T_{l-1}^\top$ leads back.
What is left is a chain of the width of its widest layer, with entries that stay zero where others are narrower.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import torch
from torch import Tensor

from caltrop.theory.chain import BIAS, FEATURES, Chain
from caltrop.theory.optimum import Params

# rows this parallel, as a cosine, belong to copies of one unit: an angle of 0.02
_PARALLEL = 1 - 2e-4


@dataclass(frozen=True, eq=False)
class Reduction:
    """A smaller chain and its point; `is_free` marks entries that may move, of the parameters' shapes."""

    chain: Chain
    params: Params
    is_free: Params
    _frames: tuple[Tensor, ...]
    _full: Chain

    @classmethod
    def of(cls, chain: Chain, params: Params, share: float) -> Reduction:
        """Leave out hidden units whose weights below and above are at most a share of the largest of their layer.

        Copies are put together. A point whose copies agree, and whose units left out are zero, keeps its loss.
        """
        hidden = [
            _units(params[chain.factors[place]], params[chain.factors[place + 1]], share)
            for place in range(1, chain.depth)
        ]
        first = hidden[0].T @ params[chain.factors[1]]
        turned = torch.linalg.svd(torch.cat([params[FEATURES], first]), full_matrices=False)
        # the product of both has the rank of the smaller
        used = int(turned.S.gt(1e-9 * turned.S[0]).sum())
        frames = (turned.Vh[: min(len(first), len(chain.labels), used)].T, *hidden)
        width = max(frame.shape[1] for frame in frames)
        small: Params = {}
        free: Params = {}
        for name, block in _turned(chain, params, frames).items():
            rows = len(block) if name in (FEATURES, chain.factors[-1]) else width
            small[name] = _padded(block, rows, width)
            free[name] = _padded(torch.ones_like(block), rows, width) > 0
        if chain.bias:
            small[BIAS], free[BIAS] = params[BIAS].clone(), torch.ones_like(params[BIAS]) > 0
        return cls(replace(chain, dim=width), small, free, frames, chain)

    def whole(self, params: Params) -> Params:
        """The point of the full chain that has this one's loss."""
        cut = {}
        for place, name in enumerate(self.chain.factors):
            columns = self._frames[max(place - 1, 0)].shape[1]
            block = params[name][:, :columns]
            cut[name] = block[: self._frames[place].shape[1]] if 0 < place < self.chain.depth else block
        full = _turned(self._full, cut, tuple(frame.T for frame in self._frames))
        return {**full, BIAS: params[BIAS].clone()} if self.chain.bias else full


def _turned(chain: Chain, params: Params, frames: tuple[Tensor, ...]) -> Params:
    """All factors in the terms of the frames of their interfaces."""
    found = {FEATURES: params[FEATURES] @ frames[0]}
    for place in range(1, chain.depth):
        name = chain.factors[place]
        found[name] = frames[place].T @ params[name] @ frames[place - 1]
    head = chain.factors[-1]
    return {**found, head: params[head] @ frames[-1]}


def _units(below: Tensor, above: Tensor, share: float) -> Tensor:
    """T of one hidden layer, [dim, units left]: from its rows in the matrix below and its columns in that above."""
    coming, going = below.norm(dim=1), above.norm(dim=0)
    live = (coming > share * coming.max()) | (going > share * going.max())
    left = live.nonzero()[:, 0].tolist()
    rows = below / coming.clamp(min=1e-300)[:, None]
    columns = above.T / going.clamp(min=1e-300)[:, None]
    alike = (rows @ rows.T > _PARALLEL) & (columns @ columns.T > _PARALLEL)
    sizes = (coming * going).sqrt()
    found = []
    while left:
        group = [unit for unit in left if unit == left[0] or bool(alike[left[0], unit])]
        left = [unit for unit in left if unit not in group]
        column = torch.zeros(len(below), dtype=torch.float64)
        column[group] = sizes[group] if len(group) > 1 else 1.0
        found.append(column / column.norm())
    return torch.stack(found, dim=1)


def _padded(block: Tensor, rows: int, columns: int) -> Tensor:
    found = torch.zeros(rows, columns, dtype=torch.float64)
    found[: block.shape[0], : block.shape[1]] = block
    return found
