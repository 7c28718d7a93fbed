r"""Class moments: what one pass over features leaves behind, mergeable in any order."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor

from caltrop.linalg import tensor_of
from caltrop.stats.labels import read_labels


@dataclass(frozen=True)
class ClassMoments:
    r"""Counts $n_k$, means $\mu_k$, spreads $\sum_i\|h_i-\mu_k\|^2$ and pooled scatter.

    The scatter is $\sum_i (h_i-\mu_{y_i})(h_i-\mu_{y_i})^\top$, or None where it was not kept.
    Shards form a commutative monoid under `merge`, so batches, workers and checkpoints may be
    combined in any order. Everything is float64 on the CPU, whatever the model ran in. Classes
    without a sample have count 0 and mean 0; `present` leaves them out.

    `storage` is the format the features were stored in, which bounds what can be resolved.
    """

    counts: Float[Tensor, "classes"]
    means: Float[Tensor, "classes dim"]
    spread: Float[Tensor, "classes"]
    scatter: Float[Tensor, "dim dim"] | None = None
    storage: torch.dtype = torch.float32

    @classmethod
    def of(
        cls,
        features: Tensor | np.ndarray,
        labels: Tensor | np.ndarray | Sequence[Any],
        num_classes: int,
        *,
        scatter: bool | None = None,
        layer: str = "features",
    ) -> ClassMoments:
        """Moments of features [samples, dim] with labels in 0..num_classes-1, as `read_labels` reads them.

        `scatter` keeps the dim × dim scatter; None keeps it up to `SCATTER_DIM` dimensions.
        A shard may lack classes, and may be empty.

        Raises
        ------
        ValueError
            Where counts differ, a label is out of range, or a feature is not finite.
        TypeError
            Where features are not floating, or labels are no whole numbers.
        """
        # The accumulator closes to this class: the import belongs inside.
        from caltrop.stats.accumulator import SCATTER_DIM, ClassAccumulator

        rows = tensor_of(features)
        if rows.ndim != 2:
            raise ValueError(
                f"features have shape {list(rows.shape)}; expected [samples, dim]. "
                "Pool or flatten every sample to one vector first."
            )
        if not rows.dtype.is_floating_point:
            raise TypeError(f"features of layer '{layer}' are {rows.dtype}; pass floating features, such as x.float().")
        keep = rows.shape[1] <= SCATTER_DIM if scatter is None else scatter
        accumulator = ClassAccumulator(num_classes, rows.shape[1], scatter=keep, layer=layer)
        accumulator.update(rows, read_labels(labels, ignore_index=()).classes)
        return accumulator.close()

    def merge(self, other: ClassMoments) -> ClassMoments:
        """Combine two disjoint shards (Chan, Golub & LeVeque, 1983). Scatter survives if both kept it."""
        if self.means.shape != other.means.shape:
            raise ValueError(
                f"shards of {list(self.means.shape)} and {list(other.means.shape)} [classes, dim] do not merge; "
                "pass the same num_classes and the same layer on every shard."
            )
        counts = self.counts + other.counts
        share = other.counts / counts.clamp(min=1)
        shift = other.means - self.means
        weight = self.counts * share
        scatter = None
        if self.scatter is not None and other.scatter is not None:
            scatter = self.scatter + other.scatter + (shift * weight[:, None]).T @ shift
        # The coarser of two formats bounds what the sum resolves.
        filled = [shard.storage for shard in (self, other) if bool(shard.counts.any())]
        storage = max(filled or [self.storage], key=lambda kind: torch.finfo(kind).eps)
        return ClassMoments(
            counts,
            self.means + share[:, None] * shift,
            self.spread + other.spread + weight * shift.square().sum(1),
            scatter,
            storage,
        )

    def select(self, classes: Int[Tensor, "kept"]) -> ClassMoments:
        """The moments of some classes. The scatter is pooled, so it survives only if the rest is empty."""
        rest = self.counts.sum() - self.counts[classes].sum()
        scatter = self.scatter if rest == 0 else None
        return ClassMoments(self.counts[classes], self.means[classes], self.spread[classes], scatter, self.storage)

    @cached_property
    def classes(self) -> Int[Tensor, "present"]:
        """Indices of the classes that have samples."""
        return self.counts.nonzero().flatten()

    @cached_property
    def present(self) -> ClassMoments:
        """These moments without the classes that have no sample."""
        return self if len(self.classes) == len(self.counts) else self.select(self.classes)

    @property
    def num_classes(self) -> int:
        """K, absent classes included."""
        return len(self.counts)

    @property
    def dim(self) -> int:
        """Width d of the features."""
        return self.means.shape[1]

    @cached_property
    def num_samples(self) -> float:
        """N."""
        return float(self.counts.sum())

    @cached_property
    def variances(self) -> Float[Tensor, "classes"]:
        r"""$\operatorname{tr}\Sigma_k$, the mean squared distance to the class mean; NaN without samples."""
        return self.spread / self.counts

    @cached_property
    def within_trace(self) -> float:
        r"""$\operatorname{tr}\Sigma_W$: the mean squared distance of a sample to its class mean."""
        return float(self.spread.sum()) / self.num_samples

    @cached_property
    def grand_mean(self) -> Float[Tensor, "dim"]:
        r"""$\mu_C$, the average of the class means (of the classes that have samples)."""
        return self.means[self.classes].mean(0)

    @cached_property
    def sample_mean(self) -> Float[Tensor, "dim"]:
        r"""$\mu_G$, the average of the samples. Equal to `grand_mean` when classes are balanced."""
        return self.grand_mean + (self.counts / self.num_samples) @ self._from_grand_mean

    @cached_property
    def centred_means(self) -> Float[Tensor, "classes dim"]:
        r"""$M$, rows $\mu_k-\mu_C$; centred twice, so that the rows sum to zero to the last digit.

        The row of a class without samples is 0.
        """
        rows = self._from_grand_mean
        if len(self.classes) == len(rows):
            return rows.sub_(rows.mean(0))
        centred = torch.zeros_like(rows)
        centred[self.classes] = rows[self.classes] - rows[self.classes].mean(0)
        return centred

    @property
    def _from_grand_mean(self) -> Tensor:
        return self.means - self.grand_mean
