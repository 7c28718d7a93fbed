"""A measure, a problem and a paper out of a user's own package appear everywhere without a fork."""

from __future__ import annotations

import json
import os
import subprocess
import sys

import pytest

PACKAGE = '''
from dataclasses import dataclass

from caltrop.measures import measure
from caltrop.papers import Claim, Experiment, Outcome, at_least, register
from caltrop.rows import Chart, Row
from caltrop.stats import ClassMoments
from caltrop.theory import problem


@measure(symbol="X9", source="mine2026own", at_collapse=None, invariances="translation rotation")
def number_of_classes(moments: ClassMoments) -> float:
    """How many classes there are."""
    return float(len(moments.counts))


@problem("my-problem")
@dataclass(frozen=True)
class MyProblem:
    size: int = 3


@dataclass(frozen=True)
class Config:
    size: int = 3


def run(config, session):
    return Outcome([Row("", "number_of_classes", "X9", float(config.size), origin="solved", seed=session.seed)], {})


EXPERIMENT = register(Experiment(
    name="mine2026own", title="A study of my own", citation="Me (2026)",
    configs={scale: Config() for scale in ("smoke", "desk", "paper")},
    seeds={scale: (0, 1, 2) for scale in ("smoke", "desk", "paper")},
    cost={scale: "nothing" for scale in ("smoke", "desk", "paper")},
    run=run,
    claims=(Claim(id="mine2026own/three", says="There are three classes.", where="abstract",
                  quantity=lambda evidence: evidence.rows.values.mean(), computes="classes", expected=at_least(3),
                  threshold="mine", origin="solved", charts=(("", "number_of_classes"),)),),
    charts=(Chart("number_of_classes", "", says="Classes"),),
))
'''


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    """A folder that Python takes for installed packages, with one that names its module in the group `caltrop`."""
    site = tmp_path_factory.mktemp("site")
    (site / "mine.py").write_text(PACKAGE)
    info = site / "mine-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: mine\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text("[caltrop]\nmine = mine\n")
    return site


@pytest.fixture
def caltrop(site, tmp_path):
    def run(*argv: str) -> subprocess.CompletedProcess[str]:
        path = os.pathsep.join(filter(None, [str(site), os.environ.get("PYTHONPATH", "")]))
        return subprocess.run(
            [sys.executable, "-m", "caltrop", *argv],
            env={**os.environ, "PYTHONPATH": path},
            cwd=tmp_path,
            capture_output=True,
            text=True,
            timeout=200,
            check=False,
        )

    return run


@pytest.mark.slow
def test_a_users_measure_is_measured_by_the_command_line_and_stands_on_the_page(caltrop, tmp_path):
    import numpy as np

    features = np.random.default_rng(0).normal(size=(40, 5)).astype(np.float32)
    np.savez(tmp_path / "features.npz", features=features, labels=np.arange(40) % 4)
    ran = caltrop("measure", "features.npz", "--json", "--out", "here")
    assert ran.returncode == 0, ran.stderr
    (row,) = [row for row in json.loads(ran.stdout)["rows"] if row["measure"] == "number_of_classes"]
    assert (row["value"], row["symbol"]) == (4.0, "X9")
    page = (tmp_path / "here" / "page.html").read_text()
    assert "number_of_classes" in page
    assert '<p class="gloss">How many classes there are.</p>' in page


@pytest.mark.slow
def test_a_users_paper_is_listed_run_judged_and_drawn_by_the_command_line(caltrop, tmp_path):
    assert "mine2026own" in caltrop("papers").stdout
    ran = caltrop("run", "mine2026own", "--scale", "smoke", "--json")
    assert ran.returncode == 0, ran.stderr
    (verdict,) = json.loads(ran.stdout)["verdicts"]
    assert (verdict["claim"], verdict["outcome"], verdict["measured"]) == ("mine2026own/three", "reproduced", 3.0)
    assert "There are three classes." in (tmp_path / "results/mine2026own/smoke/page.html").read_text()
    assert caltrop("check", "results").returncode == 0


@pytest.mark.slow
def test_a_users_problem_is_registered(site):
    told = subprocess.run(
        [sys.executable, "-c", "import caltrop as ct; print(ct.theory.get('my-problem').__name__, ct.theory.names())"],
        env={**os.environ, "PYTHONPATH": os.pathsep.join([str(site), os.environ.get("PYTHONPATH", "")])},
        capture_output=True,
        text=True,
        timeout=200,
        check=True,
    ).stdout
    assert told.startswith("MyProblem")
    assert "ufm-cross-entropy" in told
