"""What a network is fed: image sets found on this machine, synthetic clusters, and a small batch loader."""

from __future__ import annotations

from caltrop.data.batches import Batches
from caltrop.data.contradictions import Contradictions, contradictions
from caltrop.data.images import ImageSet
from caltrop.data.sources import load_images
from caltrop.data.synthetic import Clusters, clusters

__all__ = ["Batches", "Clusters", "Contradictions", "ImageSet", "clusters", "contradictions", "load_images"]
