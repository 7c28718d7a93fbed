"""Sweeps of whole scripts: what is interrupted, killed, unguarded, or runs beside another."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from record import sweep_tasks as tasks

pytestmark = pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="looks for processes in /proc")

TESTS = Path(__file__).parent.parent
# joined: Caltrop itself may be found through what is set already
PATH = os.pathsep.join(filter(None, [str(TESTS), os.environ.get("PYTHONPATH")]))
SWEEP = """
import sys
from record import sweep_tasks as tasks
from caltrop.record import run_many

if __name__ == "__main__":
    folder, gates = sys.argv[1], sys.argv[2:]
    configs = [{"log": folder + "/log", "index": index} for index in range(6)]
    for index in gates:
        configs[int(index)]["gate"] = folder + "/gate"
    cells = run_many(tasks.logged, configs, workers=2, out=folder + "/out")
    print([cell.value for cell in cells], [cell.error for cell in cells if cell.error])
"""


@pytest.fixture
def script(tmp_path):
    """Starts a script in a session of its own, so that signals can be sent to all of it."""
    started = []

    def start(text, *args):
        path = tmp_path / "a_script.py"
        path.write_text(text)
        process = subprocess.Popen(
            [sys.executable, str(path), *map(str, args)],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            start_new_session=True,
            env={**os.environ, "PYTHONPATH": PATH},
        )
        started.append(process)
        return process

    yield start
    for process in started:
        process.kill()
        process.communicate()


def results(folder):
    return sorted((folder / "out").glob("*.json"))


@pytest.mark.parametrize("send", [os.kill, os.killpg])
def test_ctrl_c_ends_all_workers_at_once(script, tmp_path, send):
    process = script(SWEEP, tmp_path, 2, 3)
    tasks.until(lambda: {2, 3} <= tasks.counted(tmp_path / "log").keys())
    start = time.monotonic()
    send(process.pid, signal.SIGINT)
    told = process.communicate(timeout=tasks.DEADLINE_SECONDS)[1]
    # computing cells would go on for a minute; the rest is the end of an interpreter on a busy machine
    assert time.monotonic() - start < 10
    assert process.returncode == -signal.SIGINT
    assert told.rstrip().endswith("KeyboardInterrupt")
    assert told.count("Traceback") == 1
    assert not any(tasks.is_running(pid) for pid in tasks.processes(tmp_path / "log"))
    assert tasks.counted(tmp_path / "log") == {0: 1, 1: 1, 2: 1, 3: 1}
    assert len(results(tmp_path)) == 2


STARTING = """
import os, sys
from pathlib import Path
from record import sweep_tasks as tasks
from caltrop.record import run_many

if __name__ == "__main__":
    print([cell.value for cell in run_many(tasks.square, range(2), workers=2)])
else:
    (Path(sys.argv[1]) / f"started-{os.getpid()}").touch()
    tasks.until((Path(sys.argv[1]) / "gate").exists)
"""


def test_workers_leave_ctrl_c_to_their_parent_while_they_import_the_script(script, tmp_path):
    # a terminal sends it to all, and a worker that imports torch would die telling about it at length
    process = script(STARTING, tmp_path)
    tasks.until(lambda: len(list(tmp_path.glob("started-*"))) == 2)
    for path in tmp_path.glob("started-*"):
        os.kill(int(path.name.split("-")[1]), signal.SIGINT)
    (tmp_path / "gate").touch()
    out, told = process.communicate(timeout=tasks.DEADLINE_SECONDS)
    assert out == "[0, 1]\n", told
    assert "Traceback" not in told


def test_ctrl_c_ends_workers_that_still_import_the_script(script, tmp_path):
    process = script(STARTING, tmp_path)
    tasks.until(lambda: len(list(tmp_path.glob("started-*"))) == 2)
    os.killpg(process.pid, signal.SIGINT)
    process.communicate(timeout=tasks.DEADLINE_SECONDS)
    assert process.returncode == -signal.SIGINT
    assert not any(tasks.is_running(int(path.name.split("-")[1])) for path in tmp_path.glob("started-*"))


@pytest.mark.parametrize("send", [os.kill, os.killpg])
def test_a_sweep_that_was_killed_goes_on_where_it_was(script, tmp_path, send):
    process = script(SWEEP, tmp_path, 2, 3)
    tasks.until(lambda: {2, 3} <= tasks.counted(tmp_path / "log").keys())
    assert len(results(tmp_path)) == 2
    send(process.pid, signal.SIGKILL)
    process.wait()
    tasks.until(lambda: not any(tasks.is_running(pid) for pid in tasks.processes(tmp_path / "log")))
    (tmp_path / "gate").touch()
    told = script(SWEEP, tmp_path, 2, 3).communicate(timeout=tasks.DEADLINE_SECONDS)
    assert told[0] == "[0, 1, 2, 3, 4, 5] []\n", told[1]
    assert "cells to compute: 4, 2 found in the folder" in told[1]
    assert tasks.counted(tmp_path / "log") == {0: 1, 1: 1, 2: 2, 3: 2, 4: 1, 5: 1}


def test_two_sweeps_that_share_a_folder_compute_each_cell_once(script, tmp_path):
    both = [script(SWEEP, tmp_path, 0, 1, 2, 3) for _ in range(2)]
    # four workers stand in four different cells: none has taken another's
    tasks.until(lambda: len(tasks.processes(tmp_path / "log")) == 4)
    (tmp_path / "gate").touch()
    told = [process.communicate(timeout=tasks.DEADLINE_SECONDS) for process in both]
    assert [out for out, _ in told] == ["[0, 1, 2, 3, 4, 5] []\n"] * 2, told
    assert tasks.counted(tmp_path / "log") == dict.fromkeys(range(6), 1)


UNGUARDED = """
from record import sweep_tasks as tasks
from caltrop.record import run_many

for cell in run_many(tasks.square, range(5), workers=2, progress=False):
    print(cell.error)
"""


def test_a_script_without_a_guard_is_told_so_in_each_cell(script):
    out, told = script(UNGUARDED).communicate(timeout=tasks.DEADLINE_SECONDS)
    lines = out.splitlines()
    assert len(lines) == 5
    assert all('must stand under `if __name__ == "__main__":`' in line for line in lines)
    # after the first workers it is clear that others would fail, too
    assert 1 <= told.count("Traceback") <= 2


INTERACTIVE = """
from dataclasses import dataclass
from caltrop.record import run_many
from record.sweep_tasks import name_of

def square(number): return number ** 2

@dataclass
class Config: rate: float

for fn, config in ((square, 2), (name_of, Config(0.1))):
    try: run_many(fn, [config])
    except TypeError as error: print(error)
"""


def test_what_an_interactive_session_defined_is_refused_up_front():
    done = subprocess.run(
        [sys.executable, "-c", INTERACTIVE],
        capture_output=True,
        text=True,
        timeout=tasks.DEADLINE_SECONDS,
        env={**os.environ, "PYTHONPATH": PATH},
    )
    lines = done.stdout.splitlines()
    assert [line.partition(" where")[0] for line in lines] == [
        "square was defined in an interactive session,",
        "Config was defined in an interactive session,",
    ], done.stderr
    assert all("Put it into a module" in line for line in lines)


def test_sweeps_need_no_torch_in_the_parent():
    code = "import sys, caltrop.record; from caltrop import run_many; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], timeout=tasks.DEADLINE_SECONDS).returncode == 0


NAMED = """
import json, sys
from pathlib import Path
from caltrop.record import run_many

def double(number): return 2 * number

if __name__ == "__main__":
    run_many(double, [1], workers=1, out=sys.argv[1])
    print([json.loads(path.read_text())["function"] for path in Path(sys.argv[1]).glob("*.json")])
"""


def test_a_function_of_a_script_is_named_by_its_file(script, tmp_path):
    out, told = script(NAMED, tmp_path / "out").communicate(timeout=tasks.DEADLINE_SECONDS)
    assert out == "['a_script.double']\n", told
