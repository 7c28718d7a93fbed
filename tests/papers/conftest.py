from __future__ import annotations

import pytest

from caltrop.papers import registry
from papers import toy


@pytest.fixture
def toys(monkeypatch):
    """The toy experiment, registered as a user's package would register it; gone afterwards."""
    registry.experiments()
    monkeypatch.setattr(registry._REGISTRY, "_things", dict(registry._REGISTRY))
    return registry.register(toy.experiment())
