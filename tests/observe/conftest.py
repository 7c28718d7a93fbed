"""The model that is looked at."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from observe.looking import K


@pytest.fixture
def model():
    """Batch norm with history, dropout, frozen parameters, in training mode."""
    torch.manual_seed(0)
    made = nn.Sequential(nn.Linear(8, 12), nn.BatchNorm1d(12), nn.ReLU(), nn.Dropout(0.5), nn.Linear(12, K))
    for _ in range(5):
        made(torch.randn(20, 8))
    made[0].weight.requires_grad_(False)
    made[2].eval()
    return made
