r"""A point of a chain with ReLU without what it does not use, exactly.

Hidden units with nothing coming in and nothing going out are left out. The first interface has no ReLU, so the features
may be turned: only the span of the first matrix counts, and what lies outside costs penalty alone. What is left is a
chain of the width of its widest layer, with entries that stay zero where others are narrower.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import torch
from torch import Tensor

from caltrop.theory.chain import FEATURES, Chain
from caltrop.theory.optimum import Params


@dataclass(frozen=True, eq=False)
class Reduction:
    """A smaller chain and its point; `is_free` marks entries that may move, of the parameters' shapes."""

    chain: Chain
    params: Params
    is_free: Params
    _frame: Tensor
    _units: tuple[Tensor, ...]
    _full: Chain

    @classmethod
    def of(cls, chain: Chain, params: Params, share: float) -> Reduction:
        """Leave out hidden units whose weights below and above are at most a share of the largest of their layer."""
        units = []
        for place in range(1, chain.depth):
            coming = params[chain.factors[place]].norm(dim=1)
            going = params[chain.factors[place + 1]].norm(dim=0)
            live = (coming > share * coming.max()) | (going > share * going.max())
            units.append(live.nonzero()[:, 0])
        first = params[chain.factors[1]][units[0]]
        turned = torch.linalg.svd(torch.cat([params[FEATURES], first]), full_matrices=False)
        # the product of both has the rank of the smaller
        count = min(len(first), len(chain.labels), int((turned.S > 1e-9 * turned.S[0]).sum()))
        frame = turned.Vh[:count].T
        widths = [count, *(len(kept) for kept in units)]
        width = max(widths)
        small: Params = {FEATURES: _padded(params[FEATURES] @ frame, None, width)}
        free: Params = {FEATURES: _padded(torch.ones(len(chain.labels), count), None, width) > 0}
        for place in range(1, chain.depth):
            rows = params[chain.factors[place]][units[place - 1]]
            block = rows @ frame if place == 1 else rows[:, units[place - 2]]
            small[chain.factors[place]] = _padded(block, width, width)
            free[chain.factors[place]] = _padded(torch.ones_like(block), width, width) > 0
        head = params[chain.factors[-1]][:, units[-1]]
        small[chain.factors[-1]] = _padded(head, None, width)
        free[chain.factors[-1]] = _padded(torch.ones_like(head), None, width) > 0
        if chain.bias:
            small["bias"] = params["bias"].clone()
            free["bias"] = torch.ones_like(params["bias"]) > 0
        return cls(replace(chain, dim=width), small, free, frame, tuple(units), chain)

    def whole(self, params: Params) -> Params:
        """The point of the full chain that has this one's loss, without what was left out."""
        chain, frame, units = self._full, self._frame, self._units
        full = {name: torch.zeros(shape, dtype=torch.float64) for name, shape in chain.shapes.items()}
        count = frame.shape[1]
        full[FEATURES] = params[FEATURES][:, :count] @ frame.T
        for place in range(1, chain.depth):
            name = chain.factors[place]
            rows = units[place - 1]
            block = params[name][: len(rows)]
            if place == 1:
                full[name][rows] = block[:, :count] @ frame.T
            else:
                columns = units[place - 2]
                full[name][rows[:, None], columns] = block[:, : len(columns)]
        head = chain.factors[-1]
        full[head][:, units[-1]] = params[head][:, : len(units[-1])]
        if chain.bias:
            full["bias"] = params["bias"].clone()
        return full


def _padded(block: Tensor, rows: int | None, columns: int) -> Tensor:
    found = torch.zeros(block.shape[0] if rows is None else rows, columns, dtype=torch.float64)
    found[: block.shape[0], : block.shape[1]] = block
    return found
