r"""Deep unconstrained features model with squared error, with or without ReLU.

$$\min\ \tfrac1{2N}\|Z-Y\|_F^2+\tfrac{\lambda_H}2\|H\|_F^2+\sum_{l=1}^L\tfrac{\lambda_l}2\|W_l\|_F^2,\qquad
Z=\sigma(\cdots\sigma(HW_1^\top)\cdots)W_L^\top+1b^\top$$

**Without ReLU** (or at depth 1) balanced factors of $Z$ cost $\tfrac{L+1}2c\sum_i\sigma_i(Z)^{2/(L+1)}$,
$c=(\lambda_H\prod_l\lambda_l)^{1/(L+1)}$. As with one layer a free bias replaces $Y$ by the centred $PY$, and by von
Neumann $\|Z-Y\|_F^2\ge\sum_i(\sigma_i(Z)-\sigma_i(Y))^2$, so that the problem falls apart into one for each of the
$\min(d,K)$ largest singular values τ of the targets: the scalar one of `power_shrinkage` with
$\kappa=cN\tau^{2/(L+1)-2}$, weighed by $\tau^2/N$. All of it is attained by common singular vectors. Balanced,
$\tau=\sqrt n$ and $\kappa=K(n\lambda_H\prod_l\lambda_l)^{1/(L+1)}$: this is deep neural collapse (dnc).

**With ReLU** dnc is as good, since its factors are not negative, but not the best in general. From below,
$\|Z\|_*\le\|W_L\|_F\|\sigma(M_L)\|_F\le\|W_L\|_F\|W_{L-1}\|_F\|\sigma(M_{L-1})\|_F\le\dots$, so that by the inequality
of the means the penalties are at least $\tfrac{L+1}2c\|Z\|_*^{2/(L+1)}$, while the fit at a given $\|Z\|_*$ is least
where all singular values that are kept lie the same distance below those of the targets. Balanced: the scalar problem
with $\kappa=K^{2/(L+1)}(n\lambda_H\prod_l\lambda_l)^{1/(L+1)}$. Where that is least at $Z=0$, zero is optimal. From
above: dnc, and the low-rank points of `edge_families`.

Sources: sukenik2024lowrank; two classes with ReLU: Súkeník, Mondelli & Lampert (2023), Deep neural collapse is provably
optimal for the deep unconstrained features model. The bound, fewer dimensions, biases and unequal classes: our
derivation.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import ClassVar

import torch
from jaxtyping import Float64
from torch import Tensor

from caltrop.theory.chain import BIAS, FEATURES, WEIGHTS
from caltrop.theory.deep import DeepUnconstrained
from caltrop.theory.edge_families import EdgeFamilies
from caltrop.theory.edge_graphs import checked_graph, complete_graph, triangular_root
from caltrop.theory.fits import SquaredError
from caltrop.theory.one_layer import simplex_axes
from caltrop.theory.optimum import Optimum, Params
from caltrop.theory.power_shrinkage import (
    Priced,
    Shrunk,
    collapse_threshold,
    existence_threshold,
    nuclear_norm_bound,
    shrink,
    stationary,
)
from caltrop.theory.predictions import NO_SPREAD, collapsed_frame, collapsed_simplex, flat_frame, flat_simplex
from caltrop.theory.registry import problem

FAMILIES = ("dnc", "srg", "kneser")


@problem("deep-ufm-mse")
@dataclass(frozen=True, kw_only=True)
class DeepUfmMse(DeepUnconstrained):
    r"""Deep unconstrained features model with squared error against one-hot targets, 1/(2N) of the sum.

    The fields are those of `DeepUnconstrained`, and:

    relu
        Whether ReLU stands between the matrices (never on the free features); without it the model is linear.
    graph
        K edges, pairs of vertices numbered from 0, for the low-rank families. None: the complete graph, where
        K = r(r−1)/2. `best_graph(num_classes)` is a good one for every K.

    `families()`, of balanced classes, with bias 0 if there is one:

    dnc
        Deep neural collapse: orthogonal class means in every layer, logits xI. Needs dim ≥ K.
    srg
        Class means of rank r before the last ReLU, logits xI. An upper bound and **not a critical point**: where its
        residuals vanish before ReLU, weights can shrink at once. Needs ReLU, depth ≥ 3 and dim ≥ max(r, K).
    kneser
        The same with the opposite sign before the last ReLU. The better of the two in every case tried on a complete
        graph with K ≥ 10, the same for K = 6, the worse for some other graphs (K = 7, 11); for some sizes an exact
        critical point (of the subgradient). Needs what srg needs, and disjoint edges.

    Each of them is zero, and says so, where no scale of it is better than zero. `optimum()` is known without ReLU, at
    depth 1, for two balanced classes without bias (dim ≥ 2), and where the bound shows that it is zero; else None.
    """

    family_names: ClassVar[tuple[str, ...]] = FAMILIES
    relu: bool = True
    graph: Sequence[tuple[int, int]] | None = None

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.graph is not None:
            object.__setattr__(self, "graph", checked_graph(self.graph, self.num_classes))

    @property
    def fit_of(self) -> SquaredError:
        """Half the squared distance to the one-hot target."""
        return SquaredError()

    @property
    def is_linear(self) -> bool:
        """Whether no ReLU acts: it is off, or there is no layer for it."""
        return not self.relu or self.depth == 1

    @property
    def kappa(self) -> float | None:
        r"""κ of deep neural collapse, $K(n\lambda_H\prod_l\lambda_l)^{1/(L+1)}$; None for unequal counts."""
        return self.num_classes * self.class_coupling if self.is_balanced else None

    @property
    def srg_kappa(self) -> float | None:
        """κ of the srg family, smaller than that of dnc where srg is better; None where there is no srg."""
        return self._edges.srg_kappa if self._obstacle("srg") is None else None

    @property
    def collapse_threshold(self) -> float:
        """The κ from which zero is better than deep neural collapse."""
        return collapse_threshold(self.depth)

    @property
    def existence_threshold(self) -> float:
        """The κ beyond which deep neural collapse is no critical point at any scale."""
        return existence_threshold(self.depth)

    @property
    def stationary_dnc(self) -> Shrunk | None:
        """Scale and value of the dnc that is a critical point, also where zero is better; None where there is none."""
        return None if self.kappa is None else stationary(self.kappa, self.depth)

    @property
    def optimal_value(self) -> float | None:
        """The infimum of the loss; None where it is unknown."""
        if self.is_linear:
            return self._separable_value(self._spectrum, self._directions)
        if self._is_binary:
            return self._dnc.value
        return self._zero_value if self._bound.nuclear_norm == 0 else None

    @property
    def lower_bound(self) -> float:
        """The optimal value where it is known, else the bound by the nuclear norm of the logits (see the module)."""
        value = self.optimal_value
        return self._bound.value if value is None else value

    def optimum(self) -> Optimum | None:
        """A global optimum; None where it is unknown.

        Others differ by rotations of the layers and, with fewer dimensions than directions, by which are kept.
        """
        value = self.optimal_value
        if value is None:
            return None
        if self.is_linear:
            params = self._separable(self._axes, self._spectrum)
            rank = sum(scale > 0 for scale in self._scales(self._spectrum[: self._kept]))
        elif self._is_binary:
            return self.family("dnc")
        else:
            params = {name: torch.zeros(shape, dtype=torch.float64) for name, shape in self.samples.shapes.items()}
            rank = 0
        if self.bias:
            params[BIAS] = torch.tensor(self.class_counts, dtype=torch.float64) / self.num_samples
        return self._point(value, params, rank, self._predictions())

    def families(self) -> Mapping[str, Optimum]:
        """The named points that exist for these sizes, empty for unequal counts."""
        return {name: self.family(name) for name in FAMILIES if self._obstacle(name) is None}

    def family_values(self) -> Mapping[str, float]:
        """The losses of `families()`, without building their parameters."""
        return {name: self._value_of(name) for name in FAMILIES if self._obstacle(name) is None}

    def family(self, name: str) -> Optimum:
        """One of the families.

        Raises:
            KeyError: no family has that name.
            ValueError: it does not exist for these sizes; the message says what it needs.
        """
        if name not in FAMILIES:
            raise KeyError(f"'{name}' is not a family of deep-ufm-mse; there are: {', '.join(FAMILIES)}.")
        obstacle = self._obstacle(name)
        if obstacle is not None:
            raise ValueError(f"there is no {name} of {self}: {obstacle}")
        value = self._value_of(name)
        if name == "dnc":
            axes = torch.eye(self.num_classes, dtype=torch.float64)
            spectrum = torch.full((self.num_classes,), math.sqrt(self.class_counts[0]), dtype=torch.float64)
            params, rank = self._separable(axes, spectrum), self.num_classes
            predictions = collapsed_frame(self.num_classes)
        elif name == "srg":
            params, rank = self._edges.srg_params(self.dim), self.num_classes
            predictions = collapsed_frame(self.num_classes)
        else:
            params, rank = self._edges.kneser_params(self.dim), self._edges.kneser_rank
            predictions = self._edges.kneser_predictions()
        if self.bias:
            params[BIAS] = torch.zeros(self.num_classes, dtype=torch.float64)
        return self._point(value, self._lifted(params), rank if value < 0.5 else 0, predictions)

    def _value_of(self, name: str) -> float:
        if name == "dnc":
            return self._dnc.value
        return (self._edges.srg if name == "srg" else self._edges.kneser).value

    def _obstacle(self, name: str) -> str | None:
        """Why a family does not exist, None if it does."""
        if not self.is_balanced:
            return "it needs the same number of samples in every class."
        room = self.num_classes
        if name != "dnc":
            if self.is_linear or self.depth < 3:
                return "its rank rises in a ReLU behind two matrices; it needs relu=True and depth ≥ 3."
            if self._edges_given is None:
                return (
                    f"num_classes={self.num_classes} is not r(r−1)/2, so no complete graph has that many edges; pass "
                    f"graph= with {self.num_classes} edges, such as best_graph({self.num_classes})."
                )
            if name == "kneser" and self._edges.kneser_rank == 0:
                return "any two edges of its graph share an end, so that ReLU leaves nothing."
            room = max(room, 1 + max(high for _, high in self._edges_given))
        return None if self.dim >= room else f"it needs dim ≥ {room}, not {self.dim}."

    @cached_property
    def _bound(self) -> Priced:
        """The bound by the nuclear norm, and the norm at which it is least: at 0 it is what zero attains."""
        targets, samples = self._spectrum.tolist(), self.num_samples
        lost = math.fsum(target**2 for target in targets[self._kept :]) / (2 * samples)
        norm, value = nuclear_norm_bound(targets[: self._kept], self.coupling, samples, self.depth)
        return Priced(norm, value + lost)

    @property
    def _zero_value(self) -> float:
        """The loss where everything but the bias is zero."""
        constant = math.fsum((count / self.num_samples) ** 2 for count in self.class_counts) if self.bias else 0.0
        return (1 - constant) / 2

    @property
    def _is_binary(self) -> bool:
        """Two classes, of which deep neural collapse is known to be optimal with ReLU too."""
        return self.num_classes == 2 and self.is_balanced and not self.bias and self.dim >= 2

    @property
    def _edges_given(self) -> tuple[tuple[int, int], ...] | None:
        if self.graph is not None:
            return tuple(self.graph)
        root = triangular_root(self.num_classes)
        return None if root is None else complete_graph(root)

    @cached_property
    def _edges(self) -> EdgeFamilies:
        decays = self._decays()
        assert self._edges_given is not None
        return EdgeFamilies(self._edges_given, (decays[0] * self.class_counts[0], *decays[1:]))

    @property
    def _dnc(self) -> Shrunk:
        assert self.kappa is not None
        return shrink(self.kappa, self.depth)

    @property
    def _directions(self) -> int:
        return self.num_classes - 1 if self.bias else self.num_classes

    @property
    def _kept(self) -> int:
        return min(self.dim, self._directions)

    @cached_property
    def _target_axes(self) -> tuple[Float64[Tensor, "directions"], Float64[Tensor, "classes directions"]]:
        """Singular values of the targets, centred where there is a bias, the largest first; and right vectors."""
        counts = torch.tensor(self.class_counts, dtype=torch.float64)
        if not self.bias:
            order = counts.argsort(descending=True, stable=True)
            return counts[order].sqrt(), torch.eye(self.num_classes, dtype=torch.float64)[:, order]
        if self.is_balanced:
            return counts[: self._directions].sqrt(), simplex_axes(self.num_classes)
        # one eigenvalue is 0, of the vector of ones
        squares, axes = torch.linalg.eigh(torch.diag(counts) - counts[:, None] * counts / self.num_samples)
        return squares.flip(0)[: self._directions].clamp(min=0).sqrt(), axes.flip(1)[:, : self._directions]

    @property
    def _spectrum(self) -> Float64[Tensor, "directions"]:
        return self._target_axes[0]

    @property
    def _axes(self) -> Float64[Tensor, "classes directions"]:
        return self._target_axes[1]

    def _scales(self, spectrum: Float64[Tensor, "kept"]) -> list[float]:
        """The share x of each singular value of the targets that the linear model keeps."""
        return [shrink(self._kappa_of(target), self.depth).scale for target in spectrum.tolist()]

    def _kappa_of(self, target: float) -> float:
        # balanced, the same in one form: equal problems have equal values to the last digit
        if self.kappa is not None:
            return self.kappa
        return self.coupling * self.num_samples * float(target ** (2 / (self.depth + 1) - 2))

    def _separable_value(self, spectrum: Float64[Tensor, "directions"], directions: int) -> float:
        """The loss of the linear model where the largest of the singular values of the targets are kept."""
        if self.kappa is not None:
            lost = (directions - self._kept) / (2 * self.num_classes)
            return self._kept / self.num_classes * self._dnc.value + lost
        each = [shrink(self._kappa_of(target), self.depth).value for target in spectrum[: self._kept].tolist()]
        values = each + [0.5] * (directions - self._kept)
        weights = (spectrum.square() / self.num_samples).tolist()
        return math.fsum(weight * value for weight, value in zip(weights, values, strict=True))

    def _separable(
        self, axes: Float64[Tensor, "classes directions"], spectrum: Float64[Tensor, "directions"]
    ) -> Params:
        r"""Balanced factors of $Z=\sum_ix_i\tau_iu_iv_i^\top$ over samples, in the first axes of every layer.

        Each direction costs the same in every factor, $\mu_i=c(x_i\tau_i)^{2/(L+1)}$.
        """
        kept = min(self.dim, len(spectrum))
        axes, spectrum = axes[:, :kept], spectrum[:kept]
        scales = torch.tensor(self._scales(spectrum), dtype=torch.float64)
        levels = self.coupling * (scales * spectrum) ** (2 / (self.depth + 1))
        left = axes / spectrum
        if self.bias and not self.is_balanced:
            left = left - torch.tensor(self.class_counts, dtype=torch.float64) @ left / self.num_samples
        decays = self._decays()
        params = {name: torch.zeros(shape, dtype=torch.float64) for name, shape in self.class_means.shapes.items()}
        params[FEATURES][:, :kept] = left * (levels / decays[0]).sqrt()
        for layer in range(1, self.depth):
            params[f"weights_{layer}"][range(kept), range(kept)] = (levels / decays[layer]).sqrt()
        params[WEIGHTS][:, :kept] = axes * (levels / decays[-1]).sqrt()
        return self._lifted(params)

    def _lifted(self, params: Params) -> Params:
        return self.lift(params) if len(params[FEATURES]) < self.num_samples else params

    def _point(self, value: float, params: Params, rank: int, predictions: Mapping[str, float]) -> Optimum:
        return Optimum(
            value=value,
            params=params,
            features=self.features(params),
            weights=params[WEIGHTS],
            rank=rank,
            is_zero=rank == 0,
            predictions=predictions if rank > 0 else {},
            bias=params.get(BIAS),
            labels=self.labels,
        )

    def _predictions(self) -> dict[str, float]:
        if not self.is_balanced:
            return dict(NO_SPREAD)
        if self._kept == self._directions:
            return (collapsed_simplex if self.bias else collapsed_frame)(self.num_classes)
        return (flat_simplex if self.bias else flat_frame)(self.num_classes, self._kept)
