r"""Low-rank points of the deep ReLU model with squared error: classes are the edges of a graph.

Let $B$ be the vertex–edge incidence matrix of a graph with $r$ vertices and $K$ edges. The hidden layers carry
$\sigma(M_l)=b_lB$, which has rank at most $r$. The last hidden matrix takes each edge from its ends: a row of $+a$ on
the two ends and $-a$ elsewhere gives 2ab to the edge itself, 0 to edges that share an end, −2ab to all others.

srg
    ReLU leaves $\sigma(M_L)=\alpha I$, $\alpha=2ab_{L-1}$, and the head is $(x/\alpha)I$.
kneser
    With the opposite sign ReLU leaves $\alpha P$, $P$ the adjacency of disjoint edges with eigenvalues θ, and the head
    is its ridge regression onto the targets, $W_L=\alpha P(\alpha^2P^2+K\lambda_LI)^{-1}$.

$(W_1,M_1)$ is the balanced factorisation of $b_2B$, of nuclear norm $b_2u$; the matrices between are multiples of
$I_r$; the last hidden one has $\|W_{L-1}\|_F^2=a^2rK$. Balanced, all of these cost the same μ each, with
$\mu^L=\alpha^2\,n\lambda_H\prod_{l<L}\lambda_l\;u^2r^{L-2}K/4$.

Source: the strongly regular graph construction of sukenik2024lowrank (srg, complete graph); any graph, and the second
sign: our derivation.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import torch
from jaxtyping import Float64
from scipy.optimize import brentq
from scipy.special import expit
from torch import Tensor

from caltrop.theory.chain import FEATURES, WEIGHTS
from caltrop.theory.edge_graphs import Edges, complete_graph, disjointness, incidence
from caltrop.theory.optimum import Params
from caltrop.theory.power_shrinkage import Shrunk, shrink

# in log α²; the terms of the loss have a width of about 1 there, so that no minimum hides between two points
_STEP = 0.02


@dataclass(frozen=True, eq=False)
class EdgeFamilies:
    """The two points on one graph, as functions of penalties nλ_H, λ_1 … λ_L of class means; needs depth ≥ 3."""

    edges: Edges
    decays: tuple[float, ...]

    @cached_property
    def vertices(self) -> int:
        """r, the dimensions before the last hidden matrix."""
        return len(self._incidence)

    @property
    def depth(self) -> int:
        """L, the matrices above the features."""
        return len(self.decays) - 1

    @cached_property
    def nuclear_norm(self) -> float:
        r"""u = ‖B‖_*; of a complete graph $\sqrt{2(r-1)}+(r-1)\sqrt{r-2}$."""
        return float(self._squares[0].sqrt().sum())

    @property
    def srg_kappa(self) -> float:
        r"""κ of `srg` in the scalar problem of its scale, $c(u^2r^{L-2}K^2/4)^{1/(L+1)}$."""
        total = self._log_cost + math.log(self.decays[-1] * len(self.edges))
        return math.exp(total / (self.depth + 1))

    @property
    def srg(self) -> Shrunk:
        """The best scale x of `srg` and its loss."""
        return shrink(self.srg_kappa, self.depth)

    @cached_property
    def kneser(self) -> Shrunk:
        r"""The best α of `kneser`, and its loss; 0 and ½ where no α > 0 is better than zero.

        $$\min_\alpha\ \tfrac{\lambda_L}2\sum_i\frac1{\alpha^2\theta_i^2+K\lambda_L}+\tfrac L2\mu(\alpha)$$
        """
        ends = self._bracket()
        if ends is None:
            return Shrunk(0.0, 0.5)
        places = np.linspace(*ends, 2 + math.ceil((ends[1] - ends[0]) / _STEP))
        slopes = self._kneser_slope(places)
        turns = np.flatnonzero((slopes[:-1] < 0) & (slopes[1:] >= 0))
        roots = [brentq(self._kneser_slope, places[at], places[at + 1], xtol=1e-14, rtol=1e-15) for at in turns]
        costs = [float(self._kneser_cost(root)) for root in roots]
        if not costs or min(costs) >= 0.5:
            return Shrunk(0.0, 0.5)
        return Shrunk(math.exp(roots[costs.index(min(costs))] / 2), min(costs))

    def srg_params(self, dim: int) -> Params:
        """Class-mean parameters of `srg` in `dim` ≥ max(r, K) dimensions, zero beyond the threshold."""
        scale = self.srg.scale
        level = self.srg_kappa * float(scale ** (2 / (self.depth + 1)))
        # log α from μ^L = α² exp(_log_cost)
        alpha = math.exp((self.depth * math.log(level) - self._log_cost) / 2) if scale > 0 else 1.0
        return self._params(level, 1.0, scale / alpha * torch.eye(len(self.edges), dtype=torch.float64), dim)

    def kneser_params(self, dim: int) -> Params:
        """Class-mean parameters of `kneser` in `dim` ≥ max(r, K) dimensions, zero where nothing beats it."""
        alpha = self.kneser.scale
        level = math.exp((self._log_cost + 2 * math.log(alpha)) / self.depth) if alpha > 0 else 0.0
        values, vectors = self._disjoint
        ridge = alpha * values / (alpha**2 * values.square() + len(self.edges) * self.decays[-1])
        return self._params(level, -1.0, (vectors * ridge) @ vectors.T, dim)

    def kneser_predictions(self) -> dict[str, float]:
        """Measures of the features αP of `kneser`: their spread, and of a complete graph what the eigenvalues say.

        These are C(r−2, 2) on the vector of ones, −(r−3) r−1 times, and 1 for the rest, and all classes are alike.
        """
        found = {"within_class_variability": 0.0, "variability_ratio": 0.0, "class_distance_normalized_variance": 0.0}
        ends, classes = self.vertices, len(self.edges)
        if self.edges != complete_graph(ends):
            return found
        centred = [float((ends - 3) ** 2)] * (ends - 1) + [1.0] * (classes - ends)
        return found | {
            "means_rank": float(classes - 1),
            "norm_deviation": 0.0,
            "nearest_centre_accuracy": 1.0,
            "simplex_distance": _unevenness(centred),
            "orthogonal_frame_distance": _unevenness([float(math.comb(ends - 2, 2) ** 2), *centred]),
        }

    @property
    def kneser_rank(self) -> int:
        """The rank of P, and so of the logits of `kneser` unless they are zero."""
        return int((self._disjoint[0] != 0).sum())

    @cached_property
    def _incidence(self) -> Float64[Tensor, "vertices edges"]:
        return incidence(self.edges)

    @cached_property
    def _squares(self) -> tuple[Float64[Tensor, "vertices"], Float64[Tensor, "vertices vertices"]]:
        """Eigenvalues of BBᵀ and their vectors."""
        return _spectrum(self._incidence @ self._incidence.T)

    @cached_property
    def _disjoint(self) -> tuple[Float64[Tensor, "edges"], Float64[Tensor, "edges edges"]]:
        """Eigenvalues of P and their vectors."""
        return _spectrum(disjointness(self.edges))

    @cached_property
    def _log_cost(self) -> float:
        """Log of nλ_H Π_{l<L}λ_l u² r^{L−2} K/4, which is μ^L/α²."""
        size = 2 * math.log(self.nuclear_norm) + (self.depth - 2) * math.log(self.vertices)
        return math.fsum(map(math.log, self.decays[:-1])) + size + math.log(len(self.edges) / 4)

    @cached_property
    def _strengths(self) -> np.ndarray:
        """Log θ²/(Kλ_L) of the eigenvalues of P that are not 0."""
        values = self._disjoint[0].numpy()
        return np.asarray(np.log(values[values != 0] ** 2 / (len(self.edges) * self.decays[-1])))

    def _bracket(self) -> tuple[float, float] | None:
        """Where log α² can lie if it beats zero, None if it cannot."""
        logs = self._strengths
        if len(logs) == 0:
            return None
        # All that can be gained is ½, and no more than α²θ²/(Kλ_L) of it; μL/2 must be less than either.
        highest = -self._log_cost - self.depth * math.log(self.depth)
        lowest = (math.log(self.depth) + self._log_cost / self.depth - float(logs.max())) / (1 - 1 / self.depth)
        return (lowest, highest) if lowest < highest else None

    def _kneser_cost(self, place: float) -> float:
        """The loss at log α² = place."""
        left = len(self.edges) - len(self._strengths) + expit(-(place + self._strengths)).sum()
        return float(left / (2 * len(self.edges)) + self.depth / 2 * np.exp((place + self._log_cost) / self.depth))

    def _kneser_slope(self, place: np.ndarray | float) -> np.ndarray:
        """The derivative of twice the loss in log α²."""
        at = np.asarray(place)[..., None] + self._strengths
        gain = (expit(at) * expit(-at)).sum(axis=-1) / len(self.edges)
        return np.asarray(np.exp((place + self._log_cost) / self.depth) - gain)

    def _params(self, level: float, sign: float, head: Float64[Tensor, "edges edges"], dim: int) -> Params:
        """Every factor below the head with the penalty `level`, and the head."""
        squares, vectors = self._squares
        inverse = torch.where(squares > 0, squares, 1.0) ** -0.25 * (squares > 0)
        below = (vectors * inverse) @ vectors.T @ self._incidence
        first = (vectors * squares**0.25) @ vectors.T
        isolating = sign * (2 * self._incidence.T - 1)
        inner = torch.eye(self.vertices, dtype=torch.float64)
        middle = [first, *[inner] * (self.depth - 3), isolating]
        params = {FEATURES: _scaled(below.T, level / self.decays[0], dim, len(self.edges))}
        for layer, block in enumerate(middle, start=1):
            params[f"weights_{layer}"] = _scaled(block, level / self.decays[layer], dim, dim)
        params[WEIGHTS] = torch.zeros(len(self.edges), dim, dtype=torch.float64)
        params[WEIGHTS][:, : len(self.edges)] = head
        return params


def _scaled(block: Tensor, square: float, dim: int, rows: int) -> Tensor:
    """The block in the corner of a matrix of zeros [rows, dim], with the squared norm `square`."""
    found = torch.zeros(rows, dim, dtype=torch.float64)
    found[: block.shape[0], : block.shape[1]] = block * (math.sqrt(square) / block.norm())
    return found


def _unevenness(squares: Sequence[float]) -> float:
    """Distance of a Gram matrix with these eigenvalues from one with equal ones, both of unit norm."""
    even = math.fsum(squares) / math.sqrt(len(squares) * math.fsum(square**2 for square in squares))
    return math.sqrt(max(0.0, 2 - 2 * even))


def _spectrum(matrix: Tensor) -> tuple[Tensor, Tensor]:
    """Eigenvalues and vectors of a symmetric matrix of integers, with 0 where an eigenvalue is 0."""
    values, vectors = torch.linalg.eigh(matrix)
    # 1e-9 is far above rounding and far below the eigenvalues of a graph of any size that is used here
    return torch.where(values.abs() < 1e-9 * len(matrix), 0.0, values), vectors
