"""Small networks with readable module names: an MLP and a residual network."""

from __future__ import annotations

from caltrop.models.mlp import Mlp
from caltrop.models.resnet import ResNet

__all__ = ["Mlp", "ResNet"]
