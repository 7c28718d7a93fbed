r"""Stationarity of a chain with ReLU, kinks included: the smallest gradient over all slopes that a kink allows.

Where a pre-activation is 0, ReLU has every slope in $[0,1]$. With $B_l$ the error that comes back to layer $l$,

$$D_l=S_l\odot B_l,\qquad B_{l-1}=D_lW_l,\qquad G_{W_l}=D_l^\top A_{l-1}+\lambda_lW_l,\qquad G_H=D_1W_1+\lambda_HmH,$$

and a point is stationary where one choice of all slopes $S$ makes every $G$ vanish *jointly*. That is necessary for a
local minimum: write the chain as a problem with the constraints $P_l=A_{l-1}W_l^\top$, $A_l=\sigma(P_l)$, which can be
solved for $P,A$ one after the other, so that Clarke's multiplier rule holds with multiplier 1 on the loss; for fixed
multipliers the Lagrangian is a sum over kinks, and its generalised gradient has one slope for each. Slopes of one
layer may be many where only some of them suit the layer below: chosen layer by layer, they can leave what none need.

The gradient is linear in the slopes of one layer, multilinear in all: a bounded nonlinear least-squares problem, solved
by a projected Levenberg–Marquardt method. Column $a$ of the Jacobian belongs to one row $k_a$ of the data, and what it
does to $G_{W_l}$ is an outer product $e_a^lA_{l-1}[k_a]^\top$, so the Gram of the Jacobian is a sum over layers of
Hadamard products of two small Grams, and the Jacobian itself is never built.

The minimum found is an upper bound on the smallest gradient. A floor comes from the last kinks alone, on whose slopes
the gradients of the last two matrices depend linearly: for any $y$, every choice of slopes leaves at least
$\min_{s\in[0,1]}\langle y,r(s)\rangle/\|y\|_1$ as its largest entry. Derived here.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from caltrop.theory.chain import BIAS, Chain
from caltrop.theory.optimum import Params

# What comes back to a unit below this share of the largest is the rounding of zero: its slope decides nothing.
SILENT = 1e-14
# Descent over the slopes: steps at most, and the relative decrease of the squared norm at which it has come to rest.
STEPS = 200
REST = 1e-6
# A residual this close to its floor, relatively, is not sought further.
CERTAIN = 1e-2


@dataclass(frozen=True, eq=False)
class KinkResidual:
    """The smallest gradient found over the slopes at kinks.

    residual, norm
        Its largest entry and its Euclidean norm; the slopes minimise the norm. Upper bounds on the smallest.
    floor
        No slopes at these kinks leave a largest entry below it.
    kinks, active
        Pre-activations that count as 0, and those among them whose slope enters the gradient.
    reach
        The largest of those pre-activations: 0 where all kinks are exact.
    clearance
        The smallest pre-activation that is not a kink, over the largest of its layer; infinite where there is none.
    slopes
        The slopes chosen, "layer l" → [rows, dim]; 0 or 1 where there is no kink.
    """

    residual: float
    norm: float
    floor: float
    kinks: int
    active: int
    reach: float
    clearance: float
    slopes: dict[str, Tensor]


def kink_residual(
    chain: Chain, params: Params, *, tolerance: float = 0.0, target: float = 0.0, starts: Sequence[int] = (0, 1)
) -> KinkResidual:
    """The smallest gradient of a chain at one point over the slopes at its kinks.

    A kink is a pre-activation of size at most `tolerance` times the largest of its layer. Descent over the slopes
    starts from 1/2 everywhere, then from uniform random slopes of the seeds `starts`, until the largest entry is at
    most `target`, or no larger than is certain. Without ReLU, or at depth 1, there are no kinks and it is the plain
    gradient.
    """
    system = _System(chain, params, tolerance)
    best, found = system.descend(system.middle(), target)
    floor = system.largest(best) if system.active == 0 else system.floor()
    for seed in starts:
        # nothing is left to gain: the point is stationary, or as far from it as is certain
        if system.largest(best) <= max(target, floor * (1 + CERTAIN)):
            break
        slopes, value = system.descend(system.random(seed), target)
        if value < found:
            best, found = slopes, value
    gradient = system.gradient(best)
    return KinkResidual(
        residual=system.largest(best),
        norm=float(torch.cat([part.flatten() for part in gradient.values()]).norm()),
        floor=floor,
        kinks=sum(int(kink.sum()) for kink in system.kinks),
        active=system.active,
        reach=system.reach,
        clearance=system.clearance,
        slopes={f"layer {place + 2}": slope for place, slope in enumerate(system.all_slopes(best))},
    )


class _System:
    """The gradient of one point as a function of its free slopes, in one vector, hidden layer by hidden layer."""

    def __init__(self, chain: Chain, params: Params, tolerance: float) -> None:
        self.chain = chain
        self.matrices = [params[name] for name in chain.factors[1:]]
        layers = chain.layers(params)
        self.inputs = [layers[f"layer {layer}"] for layer in range(1, chain.depth + 1)]
        hidden = [layers[f"layer {layer} pre"] for layer in range(2, chain.depth + 1)] if chain.relu else []
        sizes = [float(values.abs().max()) for values in hidden]
        self.kinks = [values.abs() <= tolerance * size for values, size in zip(hidden, sizes, strict=True)]
        self.open = [(values > 0).to(values) for values in hidden]
        kinked = [values[kink].abs() for values, kink in zip(hidden, self.kinks, strict=True)]
        self.reach = max((float(values.max()) for values in kinked if len(values)), default=0.0)
        clear = [(values[~kink].abs(), size) for values, kink, size in zip(hidden, self.kinks, sizes, strict=True)]
        self.clearance = min((float(values.min()) / size for values, size in clear if len(values)), default=torch.inf)
        self.error = chain.fit_of.gradients(chain.logits(params), chain.labels) * chain.shares[:, None]
        decays = chain.decays
        self.penalties = [decays[place] * params[name] for place, name in enumerate(chain.factors)]
        self.penalties[0] = self.penalties[0] * chain.multiplicities[:, None]
        self.free = self._free()
        self.places = [free.nonzero(as_tuple=True) for free in self.free]
        self.active = sum(int(free.sum()) for free in self.free)

    def _free(self) -> list[Tensor]:
        """Kinks whose slope can enter the gradient: something comes back to them for some slopes."""
        bounds, most = [], self.error.abs()
        for place in range(len(self.kinks) - 1, -1, -1):
            most = most @ self.matrices[place + 1].abs()
            bounds.append(most)
            most = torch.where(self.kinks[place], most, most * self.open[place])
        bounds.reverse()
        largest = max((float(bound.max()) for bound in bounds), default=0.0)
        return [kink & (bound > SILENT * largest) for kink, bound in zip(self.kinks, bounds, strict=True)]

    def middle(self) -> Tensor:
        return torch.full((self.active,), 0.5, dtype=torch.float64)

    def random(self, seed: int) -> Tensor:
        return torch.rand(self.active, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)

    def all_slopes(self, slopes: Tensor) -> list[Tensor]:
        """The slopes of every unit, [rows, dim] for each hidden layer."""
        full, pieces = [], torch.split(slopes, [int(free.sum()) for free in self.free])
        for opened, free, piece in zip(self.open, self.free, pieces, strict=True):
            values = opened.clone()
            values[free] = piece
            full.append(values)
        return full

    def backward(self, slopes: Tensor) -> tuple[list[Tensor], list[Tensor]]:
        """What comes back to each hidden layer, B, and the gradients of all factors, H first."""
        full = self.all_slopes(slopes)
        error, returned, gradients = self.error, [], []
        for place in range(len(self.matrices) - 1, -1, -1):
            gradients.append(error.mT @ self.inputs[place] + self.penalties[place + 1])
            error = error @ self.matrices[place]
            if self.kinks and place > 0:
                returned.append(error)
                error = error * full[place - 1]
        gradients.append(error + self.penalties[0])
        return returned[::-1], gradients[::-1]

    def gradient(self, slopes: Tensor) -> Params:
        gradients = dict(zip(self.chain.factors, self.backward(slopes)[1], strict=True))
        return {**gradients, BIAS: self.error.sum(dim=0)} if self.chain.bias else gradients

    def largest(self, slopes: Tensor) -> float:
        return max(float(part.abs().max()) for part in self.gradient(slopes).values())

    def value(self, slopes: Tensor) -> float:
        return sum(float(part.square().sum()) for part in self.backward(slopes)[1])

    def columns(self, slopes: Tensor, returned: list[Tensor]) -> list[tuple[Tensor, Tensor, int]]:
        """For each factor: e [columns, outputs] and the row of the data of each column, and where its columns start.

        Columns of layers above come later, so that the columns which act on a factor are a tail of all columns.
        """
        full, sizes = self.all_slopes(slopes), [len(rows) for rows, _ in self.places]
        acting: list[tuple[Tensor, Tensor, int]] = []
        effects, rows_of = torch.zeros(0, self.chain.dim, dtype=torch.float64), torch.zeros(0, dtype=torch.int64)
        for place in range(len(self.places) - 1, -1, -1):
            rows, units = self.places[place]
            own = torch.zeros(len(rows), self.chain.dim, dtype=torch.float64)
            own[torch.arange(len(rows)), units] = returned[place][rows, units]
            effects = torch.cat([own, effects * full[place][rows_of]])
            rows_of = torch.cat([rows, rows_of])
            acting.append((effects, rows_of, sum(sizes[:place])))
            effects = effects @ self.matrices[place]
        acting.append((effects, rows_of, 0))
        return acting[::-1]

    def normal_equations(self, slopes: Tensor) -> tuple[Tensor, Tensor]:
        """JᵀJ and Jᵀr of the residuals."""
        returned, gradients = self.backward(slopes)
        gram = torch.zeros(self.active, self.active, dtype=torch.float64)
        pull = torch.zeros(self.active, dtype=torch.float64)
        for place, (effects, rows, start) in enumerate(self.columns(slopes, returned)):
            if place == 0:
                shared = (rows[:, None] == rows).to(effects)
                against = gradients[0][rows]
            else:
                given = self.inputs[place - 1]
                shared = (given @ given.mT)[rows][:, rows]
                against = (given @ gradients[place].mT)[rows]
            gram[start:, start:] += (effects @ effects.mT) * shared
            pull[start:] += (effects * against).sum(dim=1)
        return gram, pull

    def descend(self, slopes: Tensor, target: float) -> tuple[Tensor, float]:
        """Projected Levenberg–Marquardt: free slopes take a damped Gauss–Newton step, cut at 0 and 1."""
        value = self.value(slopes)
        if self.active == 0:
            return slopes, value
        damping = 1e-3
        for _ in range(STEPS):
            if self.largest(slopes) <= target / 10:
                break
            gram, pull = self.normal_equations(slopes)
            moving = ~(((slopes <= 0) & (pull > 0)) | ((slopes >= 1) & (pull < 0)))
            if not bool((pull[moving] != 0).any()):
                break
            damping, better, least = self._step(slopes, value, (gram, pull, moving), damping)
            if not least < value:
                break
            done = least > value * (1 - REST)
            slopes, value = better, least
            if done:
                break
        return slopes, value

    def _step(
        self, slopes: Tensor, value: float, system: tuple[Tensor, Tensor, Tensor], damping: float
    ) -> tuple[float, Tensor, float]:
        gram, pull, moving = system
        inner = gram[moving][:, moving]
        scales = inner.diagonal().clamp(min=float(inner.diagonal().max()) * 1e-30)
        while damping < 1e12:
            damped = inner + damping * torch.diag(scales)
            factor, failed = torch.linalg.cholesky_ex(damped)
            if not int(failed):
                step = torch.cholesky_solve(pull[moving][:, None], factor)[:, 0]
                candidate = slopes.clone()
                candidate[moving] = (slopes[moving] - step).clamp(0, 1)
                least = self.value(candidate)
                if least < value:
                    return max(damping / 10, 1e-14), candidate, least
            damping *= 4
        return damping, slopes, value

    def floor(self) -> float:
        """The least largest entry that the last two matrices' gradients can have (see the module)."""
        last = len(self.matrices) - 1
        head = self.error.mT @ self.inputs[last] + self.penalties[last + 1]
        certain = float(head.abs().max())
        if self.chain.bias:
            certain = max(certain, float(self.error.sum(dim=0).abs().max()))
        if not self.kinks:
            return certain
        back = self.error @ self.matrices[last]
        rows, units = self.places[-1]
        below = self.inputs[last - 1]
        # the gradient of unit j's row of the matrix below depends on the slopes of unit j alone
        fixed = back * torch.where(self.free[-1], torch.zeros_like(back), self.open[-1])
        constant = fixed.mT @ below + self.penalties[last]
        for unit in range(self.chain.dim):
            mine = rows[units == unit]
            columns = back[mine, unit][:, None] * below[mine]
            certain = max(certain, _floor_of(constant[unit], columns))
        return certain


def _floor_of(constant: Tensor, columns: Tensor) -> float:
    """max over a direction y near the minimum of min over s in [0,1] of ⟨y, c + Σ s_a J_a⟩/‖y‖₁."""
    from scipy.optimize import lsq_linear

    if len(columns) == 0:
        return float(constant.abs().max())
    found = lsq_linear(columns.T.numpy(), -constant.numpy(), bounds=(0, 1), method="bvls")
    y = constant + columns.T @ torch.from_numpy(found.x)
    size = float(y.abs().sum())
    if size == 0:
        return 0.0
    return max(0.0, float(y @ constant + (columns @ y).clamp(max=0).sum()) / size)
