"""The spectrum of everything: within and between classes together."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor

from caltrop.linalg import COINCIDE
from caltrop.stats.class_moments import ClassMoments


@dataclass(frozen=True)
class TotalSpectrum:
    r"""Eigenvalues [dim] of the total covariance $\Sigma_T$ about the sample mean, largest first."""

    values: Float[Tensor, "dim"]

    @classmethod
    def of(cls, moments: ClassMoments) -> TotalSpectrum:
        """From class moments that kept their scatter."""
        if moments.scatter is None:
            raise ValueError("the total spectrum needs the dim x dim scatter; pass scatter=True.")
        rows = (moments.means - moments.sample_mean) * moments.counts.sqrt()[:, None]
        total = (moments.scatter + rows.T @ rows) / moments.num_samples
        values = torch.linalg.eigvalsh(total).flip(0)
        # Means of equal features differ by rounding, which is no variance.
        floor = (COINCIDE * float(torch.linalg.vector_norm(moments.means, dim=1).max())) ** 2
        return cls(torch.where(values > floor, values, 0.0))
