from __future__ import annotations

import sys
from typing import NamedTuple

import numpy as np
import pytest

from caltrop.cli import main


class Ran(NamedTuple):
    code: int
    out: str
    err: str


@pytest.fixture(autouse=True)
def workplace(tmp_path, monkeypatch):
    """A working folder of its own; what a command puts on the import path or imports is taken back."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("CALTROP_TRACEBACK", raising=False)
    monkeypatch.setattr(sys, "path", list(sys.path))
    before = set(sys.modules)
    yield tmp_path
    for name in set(sys.modules) - before:
        # only modules of this folder: libraries that loaded late must not load twice
        if str(getattr(sys.modules[name], "__file__", None) or "").startswith(str(tmp_path)):
            del sys.modules[name]


@pytest.fixture
def run(capsys):
    def run_command(*argv: object) -> Ran:
        capsys.readouterr()
        code = main([str(argument) for argument in argv])
        out, err = capsys.readouterr()
        return Ran(code, out, err)

    return run_command


@pytest.fixture
def refuses(run, workplace):
    """Run a command that must be refused: exit code 2, one line on stderr, nothing on stdout, nothing written."""

    def refuse(*argv: object) -> str:
        before = sorted(workplace.rglob("*"))
        ran = run(*argv)
        assert ran.code == 2, ran.err
        assert ran.out == ""
        assert ran.err.startswith("caltrop: ")
        assert ran.err.count("\n") == 1, ran.err
        assert "Traceback" not in ran.err
        left = [path for path in sorted(workplace.rglob("*")) if "__pycache__" not in path.parts]
        assert left == before
        return ran.err

    return refuse


@pytest.fixture
def arrays():
    """Four clusters in 6 dimensions with the head that points at them."""
    draw = np.random.default_rng(0)
    labels = np.repeat(np.arange(4), 12)
    centres = 3 * draw.normal(size=(4, 6))
    features = (centres[labels] + draw.normal(size=(48, 6))).astype(np.float32)
    return {
        "features": features,
        "labels": labels,
        "weights": centres.astype(np.float32),
        "bias": np.zeros(4, np.float32),
    }


@pytest.fixture
def features(workplace, arrays):
    """features.npz with the arrays above, some replaced or (None) left out."""

    def write(name: str = "features.npz", **changes: object) -> str:
        kept = {key: value for key, value in {**arrays, **changes}.items() if value is not None}
        np.savez(workplace / name, **kept)
        return name

    return write
