"""Several processes at work in one folder: nothing is corrupted, nothing is computed twice."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path

import pytest

from caltrop import papers
from caltrop.record import RunFolder
from papers.toy import NAME, digits

TESTS = Path(__file__).parent.parent
SCRIPT = """
import sys
from papers import toy
from caltrop import papers
from caltrop.papers import registry
from concurrent.futures import ThreadPoolExecutor

registry.experiments()
registry.register(toy.experiment())
out, log, *seeds = sys.argv[1:]
with ThreadPoolExecutor(1) as executor:
    papers.run(toy.NAME, out=out, seeds=[int(seed) for seed in seeds], executor=executor, progress=False,
               fields={"log": log, "steps": 6, "seconds": 0.02})
"""


def start(out, log, seeds):
    path = os.pathsep.join([str(TESTS), os.environ.get("PYTHONPATH", "")])
    return subprocess.Popen(
        [sys.executable, "-c", SCRIPT, str(out), str(log), *map(str, seeds)],
        env={**os.environ, "PYTHONPATH": path},
        stderr=subprocess.PIPE,
        text=True,
    )


def finished(processes):
    for process in processes:
        _, err = process.communicate(timeout=120)
        assert process.returncode == 0, err


def alone(toys, tmp_path, seeds):
    fields = {"log": str(tmp_path / "log"), "steps": 6, "seconds": 0.02}
    (tmp_path / "log").unlink(missing_ok=True)
    return papers.run(NAME, out=tmp_path / "alone", seeds=seeds, workers=1, fields=fields, progress=False).record


@pytest.mark.slow
def test_processes_in_one_folder_compute_each_step_of_each_cell_once(toys, tmp_path):
    log = tmp_path / "log"
    finished(
        [
            start(tmp_path / "run", log, (0, 1, 2)),
            start(tmp_path / "run", log, (2, 1, 0)),
        ]
    )
    counts = Counter(log.read_text().splitlines())
    assert set(counts.values()) == {1}
    assert len(counts) == 3 * 6
    record = RunFolder(tmp_path / "run").read()
    assert record.status == "complete"
    assert record.damaged == {}
    expected = dict.fromkeys(digits(alone(toys, tmp_path, (0, 1, 2))))
    # which process planned first decides the order, nothing else
    assert set(digits(record)) == set(expected)


@pytest.mark.slow
def test_a_process_goes_on_with_what_a_killed_one_left_though_it_held_the_lock(toys, tmp_path):
    log = tmp_path / "log"
    first = start(tmp_path / "run", log, (0,))
    while not log.exists() or log.read_text().count("\n") < 3:
        assert first.poll() is None, first.communicate()[1]
        time.sleep(0.01)
    second = start(tmp_path / "run", log, (0,))  # waits for the first one's lock
    first.send_signal(signal.SIGKILL)
    first.communicate()
    finished([second])
    counts = Counter(log.read_text().splitlines())
    assert len(counts) == 6
    # only the step that was cut off by the kill may have been begun twice
    assert sum(counts.values()) <= 7
    assert digits(RunFolder(tmp_path / "run").read()) == digits(alone(toys, tmp_path, (0,)))
