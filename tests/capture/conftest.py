"""Inputs and labels that every test of this folder draws the same way."""

from __future__ import annotations

import pytest
import torch

from capture.networks import CLASSES, SAMPLES, TOKENS


@pytest.fixture(autouse=True)
def _seed():
    torch.manual_seed(0)


@pytest.fixture
def labels():
    return torch.arange(SAMPLES) % CLASSES


@pytest.fixture
def vectors():
    return torch.randn(SAMPLES, 12)


@pytest.fixture
def images():
    return torch.randn(SAMPLES, 3, 8, 8)


@pytest.fixture
def ids():
    return torch.randint(1, 11, (SAMPLES, TOKENS))
