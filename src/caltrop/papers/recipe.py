"""The part of an experiment's configuration that says how a network is trained."""

from __future__ import annotations

from dataclasses import fields
from typing import Any

from caltrop.train import TrainConfig


def training_of(config: Any, seed: int) -> TrainConfig:
    """How a configuration trains: it has all the fields of `TrainConfig`, under their names, but the seed."""
    held = {field.name: getattr(config, field.name) for field in fields(TrainConfig) if field.name != "seed"}
    return TrainConfig(**held, seed=seed)
