"""A record of a million rows: written, read, judged and drawn.

`python -m benchmarks.million_rows` measures seconds (median and spread of repeats) and megabytes, and writes
`results/million-rows.json`.
"""

from __future__ import annotations

import argparse
import json
import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.environment import environment
from caltrop.papers import Evidence, over_seeds
from caltrop.record import CellRecord, Planned, Record, RunFolder
from caltrop.report import page
from caltrop.rows import Rows

RESULTS = Path(__file__).parent / "results" / "million-rows.json"
SHAPES = {
    "many seeds and layers": {"seed": 20, "split": 2, "layer": 25, "measure": 25, "step": 40},
    "many steps": {"seed": 1, "split": 1, "layer": 10, "measure": 10, "step": 10_000},
}


def rows_of(shape: dict[str, int]) -> Rows:
    """Rows of every combination, values that fall along the steps with noise from a fixed seed."""
    count = int(np.prod(list(shape.values())))
    index, codes = np.arange(count), {}
    for column, size in reversed(shape.items()):
        codes[column] = (index % size).astype(np.int32)
        index = index // size
    noise = np.random.default_rng(0).random(count)
    values = 1.0 / (1.0 + codes["step"]) * (0.5 + noise)
    entries: dict[str, tuple[Any, ...]] = {
        "origin": ("trained",),
        "seed": tuple(range(shape["seed"])),
        "case": (None,),
        "split": ("train", "test")[: shape["split"]],
        "step": tuple(range(shape["step"])),
        "layer": tuple(f"blocks.{index}" for index in range(shape["layer"])),
        "measure": tuple(f"measure_{index}" for index in range(shape["measure"])),
        "symbol": ("M",),
        "at_collapse": (0.0,),
        "reason": (None,),
        "note": (None,),
    }
    same = {column: np.zeros(count, dtype=np.int32) for column in entries}
    numbers = {"value": values, "half_width": 0.1 * values, "resolution": np.full(count, 1e-7)}
    return Rows(entries, {**same, **codes}, numbers)


def seconds(work: Callable[[], Any], repeats: int) -> tuple[dict[str, float], Any]:
    """Median, least and largest seconds of some repeats, and what the last one gave."""
    taken, out = [], None
    for _ in range(repeats):
        started = time.perf_counter()
        out = work()
        taken.append(time.perf_counter() - started)
    return {"median": statistics.median(taken), "least": min(taken), "largest": max(taken)}, out


def measured(shape: dict[str, int], repeats: int) -> dict[str, Any]:
    """One shape: seconds of each stage, megabytes of record and page."""
    rows = rows_of(shape)
    with tempfile.TemporaryDirectory() as where:
        folder = RunFolder(where)
        folder.begin(Record("author2020word", "desk", "A million rows", {}, (Planned("key", None, 0, {}),)))
        cell = CellRecord("author2020word", "desk", "key", None, 0, {}, rows)
        written, path = seconds(lambda: folder.write_cell(cell), repeats)
        read, record = seconds(folder.read, repeats)
        megabytes = path.stat().st_size / 1e6
    quantity = over_seeds(Rows.last, layer="blocks.1", measure="measure_1", split="train")
    judged, _ = seconds(lambda: quantity(Evidence.of(record)), repeats)
    drawn, text = seconds(lambda: page(record.study()), repeats)
    return {
        "rows": len(rows),
        "seconds": {"written": written, "read": read, "judged, one claim": judged, "page": drawn},
        "megabytes": {"record": megabytes, "page": len(text.encode()) / 1e6},
    }


def main() -> None:
    """Measure every shape and write the file."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.million_rows", description=__doc__)
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--out", type=Path, default=RESULTS)
    given = parser.parse_args()
    shapes = {name: measured(shape, given.repeats) for name, shape in SHAPES.items()}
    record = {"environment": environment(), "shapes": shapes}
    given.out.write_text(json.dumps(record, indent=1, allow_nan=False) + "\n", encoding="utf-8")
    print(json.dumps(shapes, indent=1))


if __name__ == "__main__":
    main()
