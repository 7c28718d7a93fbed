r"""Gradient descent of many seeds at once, with a fixed step size: the setting of the papers.

A step of size η on samples moves class-mean features by η/n_k times their gradient, and that is done here. For a
chain the step is in place, without a gradient that is stored:
$W\leftarrow(1-\eta\lambda)W-\eta\,E^\top X$ is one product.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

from caltrop.solve.landscape import ChainLandscape, Landscape, rates_of
from caltrop.theory.chain import BIAS, FEATURES, Chain
from caltrop.theory.fits import CrossEntropy, Fit, SquaredError, one_hot


@dataclass(frozen=True, eq=False)
class Path:
    """Where rows went: points, and what was seen at the looks.

    `points` [batch, size] are the last finite ones, `steps` [batch] those taken by each row, `is_diverged` [batch]
    whether it left the floats. `looks` are step numbers; `values` and `slopes` (largest absolute gradient) are
    [looks, batch], NaN once a row has diverged.
    """

    points: Tensor
    steps: Tensor
    is_diverged: Tensor
    looks: list[int]
    values: Tensor
    slopes: Tensor


Told = Callable[[int, Tensor], None]


def descend(
    landscape: Landscape,
    points: Tensor,
    *,
    steps: int,
    step_size: float,
    tol: float = 0.0,
    every: int = 100,
    dtype: torch.dtype = torch.float64,
    told: Told | None = None,
) -> Path:
    """`steps` steps of gradient descent from `points` [batch, size], looked at `every` so many.

    A row stops where its largest absolute gradient is at most `tol`, or where it has left the floats: it then keeps the
    point of the look before. `told(step, values)` is called at every look.
    """
    batch = len(points)
    kept = points.detach().to(dtype).clone()
    taken = torch.zeros(batch, dtype=torch.int64)
    diverged = torch.zeros(batch, dtype=torch.bool)
    going = torch.arange(batch)
    looks: list[int] = []
    seen_values: list[Tensor] = []
    seen_slopes: list[Tensor] = []
    last_values = torch.full((batch,), torch.nan, dtype=torch.float64)
    last_slopes = last_values.clone()
    stepper = _stepper(landscape, kept, step_size)
    step = 0
    while True:
        now = stepper.points()
        values, gradient = landscape.select(going).slopes(now)
        slopes = gradient.abs().amax(dim=-1).double()
        finite = slopes.isfinite() & values.isfinite()
        last_values[going], last_slopes[going] = values.double(), slopes
        lost = going[~finite]
        diverged[lost] = True
        last_values[lost], last_slopes[lost] = torch.nan, torch.nan
        kept[going[finite]] = now[finite]
        taken[going[finite]] = step
        looks.append(step)
        seen_values.append(last_values.clone())
        seen_slopes.append(last_slopes.clone())
        if told is not None:
            told(step, last_values)
        stays = finite & (slopes > tol)
        if not bool(stays.any()) or step >= steps:
            break
        if not bool(stays.all()):
            going = going[stays]
            stepper = _stepper(landscape.select(going), kept[going], step_size)
        block = min(every, steps - step)
        stepper.advance(block)
        step += block
    return Path(kept.double(), taken, diverged, looks, torch.stack(seen_values), torch.stack(seen_slopes))


def _stepper(landscape: Landscape, points: Tensor, step_size: float) -> ChainStepper | PlainStepper:
    if isinstance(landscape, ChainLandscape):
        return ChainStepper(landscape, points, step_size)
    return PlainStepper(landscape, points, step_size)


class PlainStepper:
    """Steps along the gradient that a landscape gives."""

    def __init__(self, landscape: Landscape, points: Tensor, step_size: float) -> None:
        self._landscape, self._points = landscape, points.clone()
        rates = rates_of(landscape)
        self._rates = -step_size * (rates.to(points) if isinstance(rates, Tensor) else rates)

    def points(self) -> Tensor:
        """The points now, [batch, size]."""
        return self._points.clone()

    def advance(self, steps: int) -> None:
        """Take some steps."""
        for _ in range(steps):
            _, gradient = self._landscape.slopes(self._points)
            self._points.add_(gradient.mul_(self._rates))


class ChainStepper:
    """Steps of a chain's parameters in place, in buffers made once."""

    def __init__(self, landscape: ChainLandscape, points: Tensor, step_size: float) -> None:
        chain, self._layout = landscape.chain, landscape.layout
        self._params = {name: value.clone() for name, value in self._layout.unpack(points).items()}
        # bmm writes into contiguous tensors only, so that every factor has one of its own
        self._matrices = [self._params[name] for name in chain.factors[1:]]
        self._features = self._params[FEATURES]
        self._bias = self._params.get(BIAS)
        self._relu, self._step = chain.relu, step_size
        self._shares = chain.shares.to(points)[:, None]
        self._feature_rates = (-step_size / chain.multiplicities).to(points)[:, None]
        self._error_of = _error_of(chain, points)
        decays = chain.decays.to(points)
        self._shared = decays.ndim == 1
        # one number for each factor, or one for each row and factor
        self._kept = [1 - step_size * decays[..., place] for place in range(chain.depth + 1)]
        self._numbers = [float(one) for one in self._kept] if self._shared else []
        self._passed = [self._features.clone() for _ in range(chain.depth - 1)]
        self._errors = [self._features.clone() for _ in range(2)]
        rows = (*points.shape[:-1], len(chain.labels), chain.num_classes)
        self._logits = points.new_empty(rows)

    def points(self) -> Tensor:
        """The points now, [batch, size]."""
        return self._layout.pack(self._params)

    def advance(self, steps: int) -> None:
        """Take some steps."""
        with torch.no_grad():
            for _ in range(steps):
                self._one()

    def _one(self) -> None:
        inputs = [self._features, *self._passed]
        for matrix, given, passed in zip(self._matrices[:-1], inputs[:-1], self._passed, strict=True):
            torch.bmm(given, matrix.mT, out=passed)
            if self._relu:
                passed.relu_()
        torch.bmm(inputs[-1], self._matrices[-1].mT, out=self._logits)
        if self._bias is not None:
            self._logits.add_(self._bias[:, None, :])
        error = self._error_of(self._logits).mul_(self._shares)
        if self._bias is not None:
            self._bias.sub_(error.sum(dim=-2), alpha=self._step)
        for place in range(len(self._matrices), 0, -1):
            matrix, given = self._matrices[place - 1], inputs[place - 1]
            below = self._errors[place % 2]
            torch.bmm(error, matrix, out=below)
            if self._relu and place > 1:
                torch.ops.aten.threshold_backward(below, given, 0, grad_input=below)
            if self._shared:
                matrix.baddbmm_(error.mT, given, beta=self._numbers[place], alpha=-self._step)
            else:
                matrix.mul_(self._kept[place][:, None, None])
                matrix.baddbmm_(error.mT, given, alpha=-self._step)
            error = below
        self._features.mul_(self._numbers[0] if self._shared else self._kept[0][:, None, None])
        self._features.addcmul_(error, self._feature_rates)


def _error_of(chain: Chain, like: Tensor) -> Callable[[Tensor], Tensor]:
    """The gradient of a row's loss in its logits; may overwrite them."""
    fit: Fit = chain.fit_of
    if isinstance(fit, CrossEntropy):
        targets = fit.targets(chain.labels, chain.num_classes).to(like)
        return lambda logits: torch.softmax(logits, dim=-1).sub_(targets)
    if isinstance(fit, SquaredError):
        ones = one_hot(chain.labels, chain.num_classes).to(like)
        return lambda logits: logits.sub_(ones)
    return lambda logits: fit.gradients(logits, chain.labels)
