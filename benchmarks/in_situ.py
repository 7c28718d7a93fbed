"""What measuring adds to a forward pass: hooks and statistics of every block of a network, batch by batch."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from typing import Any

import torch
from torch import Tensor, nn

import caltrop
from caltrop.capture import Probe
from caltrop.models import Mlp, ResNet
from caltrop.stats import ClassAccumulator, ClassMoments, MeanAccumulator, SecondLook

CLASSES = 10
# The residual network of the targets: 65536, 32768, 16384, 8192 (flattened) and 512 dimensions.
LAYERS = {"resnet": ["stages.0.1", "stages.1.1", "stages.2.1", "stages.3.1", "head:input"]}
SIDE = {"resnet": 64}
# Widest layer whose d×d scatter is taken in one pass.
MOST_DIM = 4096

Batches = list[tuple[Tensor, Tensor]]


def overhead(network: str, pool: str, samples: int, batch: int) -> dict[str, Any]:
    """CPU seconds of plain forwards, of forwards with hooks, and of each kind of statistics between batches.

    Statistics are timed where they run, so cache interference is in them; the hooks are a difference of two
    forwards, and resolve no better than those repeat.
    """
    torch.manual_seed(0)
    model, loader = _network(network, samples, batch)
    model.eval()
    _plain(model, loader[:1])
    plain = min(_plain(model, loader) for _ in range(2))
    layers = LAYERS.get(network)
    probe = Probe(model, loader[0], layers=layers, pool=pool)
    dims: dict[str, int] = {}
    one, first, second = _Clock(), _Clock(), _Clock()
    anchored: dict[str, ClassAccumulator] = {}
    means: dict[str, MeanAccumulator] = {}
    hooked = _Clock()
    for features, labels in _read(probe, loader, hooked):
        for layer, rows in features.items():
            dims[layer] = rows.shape[1]
            means.setdefault(layer, MeanAccumulator(CLASSES, dims[layer]))
            with first:
                means[layer].update(rows, labels)
            if dims[layer] <= MOST_DIM:
                anchored.setdefault(layer, ClassAccumulator(CLASSES, dims[layer], scatter=True))
                with one:
                    anchored[layer].update(rows, labels)
    looks = {layer: _look(accumulator) for layer, accumulator in means.items()}
    for features, labels in _read(probe, loader, hooked):
        for layer, rows in features.items():
            with second:
                looks[layer].update(rows, labels)
    whole = time.process_time()
    caltrop.observe(model, loader, layers=layers, pool=pool, progress=False)
    whole = time.process_time() - whole
    return {
        "network": network,
        "pool": pool,
        "samples": samples,
        "batch": batch,
        "dims": dims,
        "forward_cpu_s": plain,
        "hooked_cpu_s": hooked.seconds / 2,
        "first_pass_cpu_s": first.seconds,
        "second_pass_cpu_s": second.seconds,
        "one_pass_cpu_s": one.seconds if len(anchored) == len(dims) else None,
        "observe_cpu_s": whole,
    }


class _Clock:
    def __init__(self) -> None:
        self.seconds = 0.0

    def __enter__(self) -> None:
        self._start = time.process_time()

    def __exit__(self, *error: object) -> None:
        self.seconds += time.process_time() - self._start


def _read(probe: Probe, loader: Batches, clock: _Clock) -> Iterator[tuple[dict[str, Tensor], Tensor]]:
    start = time.process_time()
    for captured in probe.read(loader):
        clock.seconds += time.process_time() - start
        yield captured.features, captured.labels
        start = time.process_time()


def _plain(model: nn.Module, loader: Batches) -> float:
    start = time.process_time()
    with torch.no_grad():
        for inputs, _ in loader:
            model(inputs)
    return time.process_time() - start


def _look(accumulator: MeanAccumulator) -> SecondLook:
    counts, means = accumulator.means()
    return SecondLook(ClassMoments(counts, means, torch.zeros_like(counts)), blocks=False)


def _network(name: str, samples: int, batch: int) -> tuple[nn.Module, Batches]:
    side = SIDE.get(name, 32)
    labels = torch.arange(samples) % CLASSES
    inputs = torch.randn(samples, 3, side, side) + labels[:, None, None, None] / CLASSES
    networks: dict[str, Callable[[], nn.Module]] = {
        "resnet": lambda: ResNet(3, CLASSES, widths=(64, 128, 256, 512), blocks_per_stage=2),
        "small resnet": lambda: ResNet(3, CLASSES, widths=(16, 32), blocks_per_stage=1),
        "mlp": lambda: Mlp(3 * side * side, [512] * 5, CLASSES),
    }
    parts = zip(torch.split(inputs, batch), torch.split(labels, batch), strict=True)
    return networks[name](), list(parts)
