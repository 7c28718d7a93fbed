"""Small networks with readable module names: an MLP, a residual network, and a deep head for either."""

from __future__ import annotations

from caltrop.models.deep_head import DeepHead, with_deep_head
from caltrop.models.mlp import Mlp
from caltrop.models.resnet import ResNet

__all__ = ["DeepHead", "Mlp", "ResNet", "with_deep_head"]
