"""One measurement in this process: `python -m benchmarks.child '{...}'` prints one JSON object."""

from __future__ import annotations

import dataclasses
import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch

from benchmarks import accuracy, ceilings, in_situ, large_classes, memory, ours, reference, stream, textbook
from benchmarks.cases import WARM, Case, legacy_samples
from benchmarks.meters import cost
from benchmarks.stream import Stored

STREAMED: dict[str, Callable[[Stored], ours.Numbers]] = {
    "two passes": ours.two_passes,
    "two passes, half-widths": ours.two_passes_with_half_widths,
    "residual spool": ours.residual_spool,
    "one pass": ours.one_pass,
    "stored features": lambda data: textbook.stored_features(data, textbook.scipy_pinv),
    "stored features, torch": lambda data: textbook.stored_features(data, textbook.torch_pinv),
    "stored features, NumPy": lambda data: textbook.stored_features(data, textbook.numpy_pinv),
    "streamed textbook": textbook.streamed,
    "outer products": lambda data: textbook.outer_products(data, legacy_samples(data.case)),
}
FROM_MEMORY: dict[str, Callable[[Stored, np.ndarray], ours.Numbers]] = {
    "in hand": ours.in_hand,
    "in hand, every measure": ours.in_hand_everything,
}


def run_scheme(case: Case, scheme: str, folder: Path, warm: Path) -> dict[str, Any]:
    """Cost and numbers of one scheme on a stored stream, after a run of the same code on a tiny one."""
    numbers: dict[str, float] = {}
    if scheme in FROM_MEMORY:
        small, data = stream.read(WARM, warm), stream.read(case, folder)
        FROM_MEMORY[scheme](small, small.in_memory())
        features = data.in_memory()
        taken = cost(lambda: numbers.update(FROM_MEMORY[scheme](data, features)))
    else:
        STREAMED[scheme](stream.read(WARM, warm))
        data = stream.read(case, folder)
        taken = cost(lambda: numbers.update(STREAMED[scheme](data)))
    return {**dataclasses.asdict(taken), "numbers": numbers}


def run_null(case: Case, folder: Path) -> dict[str, Any]:
    """Cost of reading the stream once and doing nothing with it."""
    data = stream.read(case, folder)
    return dataclasses.asdict(cost(lambda: [len(rows) for rows, _, _ in data]))


def answer(request: dict[str, Any]) -> Any:
    """The measurement that was asked for."""
    what = request.pop("what")
    if what in ("scheme", "null", "reference", "write"):
        case, folder = Case(**request["case"]), Path(request["folder"])
        if what == "write":
            return stream.write(case, folder, seed=request["seed"])
        if what == "reference":
            return reference.numbers(stream.read(case, folder))
        if what == "null":
            return run_null(case, folder)
        return run_scheme(case, request["scheme"], folder, Path(request["warm"]))
    others: dict[str, Callable[..., Any]] = {
        "ceilings": ceilings.measure,
        "accuracy": accuracy.sweep,
        "memory": memory.peaks,
        "in situ": in_situ.overhead,
        "large classes": large_classes.simplex_against_scan,
    }
    return others[what](**request)


def work(text: str) -> str:
    """Warm the libraries up, measure, and say so in JSON."""
    torch.set_num_threads(1)
    single = np.ones((256, 256), dtype=np.float32)
    double = np.ones((256, 256))
    _ = single @ single, double @ double, torch.ones(256, 256) @ torch.ones(256, 256)
    return json.dumps(answer(json.loads(text)))


if __name__ == "__main__":
    print(work(sys.argv[1]))
