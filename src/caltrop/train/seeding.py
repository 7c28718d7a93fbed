"""Runs that repeat: randomness from a seed, sums in one order, and the caller's state untouched."""

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


@contextmanager
def one_thread() -> Iterator[None]:
    """One torch thread inside the block, as many as before afterwards.

    Sums then do not depend on the number of cores. For layers a few hundred wide it is also faster: on a machine
    that has anything else to do, threads that wait for each other made the demonstration five times slower.
    """
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(threads)
