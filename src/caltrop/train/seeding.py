"""Randomness that starts from a seed and leaves the caller's untouched."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import torch


@contextmanager
def seeded(seed: int, device: torch.device | None = None) -> Iterator[None]:
    """torch's generators (processor, and `device` where it is a GPU) start from `seed` inside the block.

    Afterwards they are where they were, also on error. `torch.manual_seed` is avoided: it would reseed
    every GPU of the machine, and those would not be restored.
    """
    graphics = [device] if device is not None and device.type == "cuda" else []
    with torch.random.fork_rng(devices=graphics):
        torch.default_generator.manual_seed(seed)
        for gpu in graphics:
            with torch.cuda.device(gpu):
                torch.cuda.manual_seed(seed)
        yield
