"""A small residual network for small images."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Sequence

from jaxtyping import Float
from torch import Tensor, nn


class ResNet(nn.Module):
    """Convolutional stem with stride 2, one stage per width, mean over positions, linear head.

    Every stage after the first halves the image with its first block. The modules are `stem`, `stages.0`,
    `stages.1`, … (each a sequence of blocks) and `head` (with bias), whose input is the pooled vector.
    Weights are torch's defaults, drawn from its global generator.
    """

    def __init__(
        self,
        in_channels: int,
        num_classes: int,
        widths: Sequence[int] = (12, 24, 48),
        blocks_per_stage: int = 1,
    ) -> None:
        super().__init__()
        if not widths or blocks_per_stage < 1:
            raise ValueError(
                f"widths={tuple(widths)} and blocks_per_stage={blocks_per_stage} leave no block; "
                "give at least one width and one block."
            )
        self.stem = nn.Sequential(
            nn.Conv2d(in_channels, widths[0], 3, stride=2, padding=1, bias=False),
            nn.BatchNorm2d(widths[0]),
            nn.ReLU(),
        )
        before = [widths[0], *widths]
        self.stages = nn.ModuleList(
            _stage(before[index], width, blocks_per_stage, stride=1 if index == 0 else 2)
            for index, width in enumerate(widths)
        )
        self.head = nn.Linear(widths[-1], num_classes)

    def forward(self, images: Float[Tensor, "samples channels height width"]) -> Float[Tensor, "samples classes"]:
        """Logits."""
        features = self.stem(images)
        for stage in self.stages:
            features = stage(features)
        logits: Tensor = self.head(features.mean(dim=(2, 3)))
        return logits


class ResidualBlock(nn.Module):
    """Two 3×3 convolutions beside a shortcut (a 1×1 convolution where the shape changes), then ReLU."""

    def __init__(self, before: int, after: int, stride: int) -> None:
        super().__init__()
        self.residual = nn.Sequential(
            OrderedDict(
                conv1=nn.Conv2d(before, after, 3, stride=stride, padding=1, bias=False),
                norm1=nn.BatchNorm2d(after),
                relu=nn.ReLU(),
                conv2=nn.Conv2d(after, after, 3, padding=1, bias=False),
                norm2=nn.BatchNorm2d(after),
            )
        )
        self.shortcut: nn.Module = nn.Identity()
        if stride != 1 or before != after:
            self.shortcut = nn.Sequential(nn.Conv2d(before, after, 1, stride=stride, bias=False), nn.BatchNorm2d(after))
        self.relu = nn.ReLU()

    def forward(
        self, features: Float[Tensor, "samples before height width"]
    ) -> Float[Tensor, "samples after new_height new_width"]:
        """Feature maps, not negative."""
        out: Tensor = self.relu(self.residual(features) + self.shortcut(features))
        return out


def _stage(before: int, after: int, num_blocks: int, stride: int) -> nn.Sequential:
    first = ResidualBlock(before, after, stride)
    return nn.Sequential(first, *(ResidualBlock(after, after, 1) for _ in range(num_blocks - 1)))
