"""A record of a million rows comes back from disk whole."""

from __future__ import annotations

import importlib
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent.parent


@pytest.fixture(scope="module")
def benchmark():
    before = list(sys.path)
    sys.path.insert(0, str(ROOT))
    module = importlib.import_module("benchmarks.million_rows")
    sys.path[:] = before
    return module


@pytest.mark.slow
def test_a_million_rows_come_back_from_disk_with_every_digit(benchmark, tmp_path):
    from caltrop.papers import Evidence, over_seeds
    from caltrop.record import CellRecord, Planned, Record, RunFolder
    from caltrop.rows import Rows

    rows = benchmark.rows_of(benchmark.SHAPES["many seeds and layers"])
    folder = RunFolder(tmp_path)
    folder.begin(Record("author2020word", "desk", "t", {}, (Planned("key", None, 0, {}),)))
    folder.write_cell(CellRecord("author2020word", "desk", "key", None, 0, {}, rows))
    again = folder.read().rows
    for column in ("value", "half_width", "resolution"):
        assert (again.numbers(column) == rows.numbers(column)).all()
    found = over_seeds(Rows.last, layer="blocks.3", measure="measure_7", split="test")(Evidence(again))
    assert len(found.values) == 20
    one = again.where(layer="blocks.3", measure="measure_7", split="test", seed=4, step=39)
    assert found.values[4] == one.values[0]
