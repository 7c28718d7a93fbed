"""The solving benchmark runs, its schemes take the same steps, and the committed record has every part."""

from __future__ import annotations

import importlib
import json
import sys
from pathlib import Path

import pytest
import torch

ROOT = Path(__file__).parent.parent.parent


@pytest.fixture(scope="module")
def benchmark():
    before = list(sys.path)
    sys.path.insert(0, str(ROOT))
    module = importlib.import_module("benchmarks.solving")
    sys.path[:] = before
    return module


@pytest.mark.slow
def test_a_smoke_run_has_every_part(benchmark):
    record = benchmark.measured(smoke=True)
    assert {row["scheme"] for row in record["descent"]} == set(benchmark.SCHEMES)
    assert all(row["batched_reached"] == row["seeds"] for row in record["lbfgs"])
    assert len(record["sweep"]["widths"]) == 2
    json.dumps(record, allow_nan=False)


def test_every_scheme_takes_the_same_steps(benchmark):
    from caltrop.solve.landscape import landscape_of, starts
    from caltrop.theory import DeepUfmMse

    problem = DeepUfmMse(num_classes=4, dim=6, depth=4, weight_decay=4e-3, feature_decay=4e-3)
    ends = {}
    for name, make in benchmark.SCHEMES.items():
        run = make(problem, 2)
        run(20)
        kept = (
            dict(zip(run.__code__.co_freevars, run.__closure__ or (), strict=True)) if hasattr(run, "__code__") else {}
        )
        if "models" in kept:
            models = kept["models"].cell_contents
            params = models[-1][0] if isinstance(models[-1], tuple) else models[-1]
        elif "params" in kept:
            params = {key: value[-1] for key, value in kept["params"].cell_contents.items()}
        else:
            layout = landscape_of(problem).layout
            params = {key: value[-1] for key, value in layout.unpack(run.__self__.points()).items()}
        ends[name] = float(problem.class_means.loss({key: value.detach() for key, value in params.items()}))
    start = float(landscape_of(problem).slopes(starts(problem, (1,), 0.6))[0])
    assert len(ends) == 4
    assert all(value == pytest.approx(ends["loop, autograd"], rel=1e-12) for value in ends.values())
    assert ends["loop, autograd"] < start - 1e-3
    assert torch.get_num_threads() == 1


def test_the_committed_record_is_one_of_this_benchmark(benchmark):
    record = json.loads(benchmark.RESULTS.read_text(encoding="utf-8"))
    assert {row["seeds"] for row in record["descent"]} == set(benchmark.SEEDS)
    assert [row["dim"] for row in record["sweep"]["widths"]] == list(benchmark.WIDTHS)
    assert record["targets"] == benchmark.TARGETS
