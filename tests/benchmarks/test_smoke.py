"""The benchmark runs, and its record says what it should."""

from __future__ import annotations

import importlib.util
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent.parent
pytestmark = pytest.mark.slow
OURS = ("two passes", "residual spool", "one pass", "in hand", "two passes, half-widths", "in hand, every measure")


@pytest.fixture(scope="module")
def record(tmp_path_factory):
    out = tmp_path_factory.mktemp("benchmarks") / "smoke.json"
    command = [sys.executable, "-m", "benchmarks", "--smoke", "--out", str(out)]
    done = subprocess.run(command, cwd=ROOT, env=dict(os.environ), capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return json.loads(out.read_text(encoding="utf-8"))


@pytest.fixture(scope="module")
def renderer():
    path = ROOT / "docs" / "_data" / "render_benchmarks.py"
    spec = importlib.util.spec_from_file_location("render_benchmarks", path)
    module = importlib.util.module_from_spec(spec)
    before = list(sys.path)
    spec.loader.exec_module(module)
    sys.path[:] = before
    return module


def test_a_smoke_run_has_every_part(record):
    parts = {"environment", "ceilings", "load", "rows", "accuracy", "memory", "in_situ", "large_classes", "seconds"}
    assert set(record) == parts


def test_every_scheme_is_measured_or_says_why_not(record):
    assert all((row["cpu_s"] is None) == (row["left_out"] is not None) for row in record["rows"])


@pytest.mark.parametrize("scheme", OURS)
def test_a_fast_scheme_is_as_exact_as_a_slow_one(record, scheme):
    (row,) = [row for row in record["rows"] if row["scheme"] == scheme]
    assert len(row["difference"]) >= 5
    # float32 products of residuals, summed in float64
    assert max(row["difference"].values()) < 1e-6


def test_the_textbook_agrees_with_the_reference(record):
    (row,) = [row for row in record["rows"] if row["scheme"] == "stored features"]
    assert max(row["difference"].values()) < 1e-9


def test_extrapolated_times_are_labelled(record):
    assert [row["scheme"] for row in record["rows"] if row["extrapolated_from"]] == ["outer products"]


def test_the_record_names_no_machine(record):
    text = json.dumps(record)
    assert str(ROOT) not in text
    assert os.uname().nodename not in text


def test_a_smoke_record_becomes_a_page(record, renderer):
    page = renderer.render(record)
    assert "2000 samples × 256 dimensions, 10 classes" in page
    assert "not measured" in page


def test_the_page_is_the_committed_record_as_it_is(renderer):
    record = json.loads(renderer.RECORD.read_text(encoding="utf-8"))
    assert renderer.PAGE.read_text(encoding="utf-8") == renderer.render(record), (
        "run: python docs/_data/render_benchmarks.py"
    )
