"""What the head says, what the nearest class mean says, and what the label is."""

from __future__ import annotations

from dataclasses import dataclass

from jaxtyping import Float
from torch import Tensor


@dataclass(frozen=True)
class CentreDecisions:
    """Per class: samples, and those to which the own class mean is (among) the nearest. Shards add."""

    counts: Float[Tensor, "classes"]
    hits: Float[Tensor, "classes"]

    def merge(self, other: CentreDecisions) -> CentreDecisions:
        """Combine two disjoint shards decided against the same class means."""
        return CentreDecisions(self.counts + other.counts, self.hits + other.hits)


@dataclass(frozen=True)
class HeadDecisions:
    """Per class: samples, those the head gets right, and those where it agrees with the nearest class mean.

    A head that names a class tied for nearest agrees. Shards add.
    """

    counts: Float[Tensor, "classes"]
    hits: Float[Tensor, "classes"]
    agreements: Float[Tensor, "classes"]

    def merge(self, other: HeadDecisions) -> HeadDecisions:
        """Combine two disjoint shards decided against the same class means."""
        return HeadDecisions(self.counts + other.counts, self.hits + other.hits, self.agreements + other.agreements)
