"""A run that is killed at any moment goes on from its last complete point and ends with the same rows."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

TESTS = Path(__file__).parent.parent


@pytest.mark.slow
@pytest.mark.skipif(not hasattr(os, "fork"), reason="processes are forked, so that a kill costs milliseconds")
def test_nothing_is_lost_wherever_a_run_is_killed(tmp_path):
    done = subprocess.run(
        [sys.executable, str(TESTS / "papers" / "killing.py"), str(tmp_path)],
        env={**os.environ, "PYTHONPATH": os.pathsep.join([str(TESTS), os.environ.get("PYTHONPATH", "")])},
        capture_output=True,
        text=True,
        timeout=280,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-2000:]
    told = json.loads(done.stdout)
    # every file operation of a whole run in turn, and a trained network at 50 random moments or more
    assert told["toy"]["operations"] > 30
    assert told["papyan"]["killed"] >= 50
    assert told["papyan"]["ends"] >= 1
    assert told["papyan"]["rows"] > 100
