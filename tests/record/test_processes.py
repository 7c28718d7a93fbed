"""Processes that write to one folder together, and that are killed."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from caltrop.files import remove_parts, write_bytes
from caltrop.record import RunFolder
from record import writing
from record.runs import RUN, cell

TESTS = Path(__file__).parent.parent
DEADLINE_SECONDS = 120


@pytest.fixture
def start():
    """Starts `writing.py`; whatever still runs at the end is killed."""
    started = []

    path = os.pathsep.join([str(TESTS), os.environ.get("PYTHONPATH", "")])

    def begin(*args):
        process = subprocess.Popen(
            [sys.executable, str(Path(__file__).parent / "writing.py"), *map(str, args)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            env={**os.environ, "PYTHONPATH": path, "OMP_NUM_THREADS": "1"},
        )
        started.append(process)
        return process

    yield begin
    for process in started:
        process.kill()
        process.communicate()


def parts(folder):
    return list(folder.rglob("*.part"))


@pytest.mark.slow
def test_processes_that_write_the_same_and_different_cells_and_the_plan_corrupt_nothing(start, tmp_path):
    run = RunFolder(tmp_path / "run")
    run.begin(RUN)
    rounds = 8
    writers = [start("cells", run.path, number, rounds) for number in range(3)]
    seeds = {writing.seed_of(number, place) for number in range(3) for place in range(rounds)}
    # all at once, or they would hardly meet
    assert [writer.stdout.readline() for writer in writers] == ["ready\n"] * 3
    for writer in writers:
        writer.stdin.write("go\n")
        writer.stdin.flush()
    looks = 0
    while any(writer.poll() is None for writer in writers):
        record = run.read()
        looks += 1
        assert record.damaged == {}
        for one in record.cells:
            assert len(set(one.rows.values)) == 1 or one.seed != 0
    for writer in writers:
        out, err = writer.communicate(timeout=DEADLINE_SECONDS)
        assert writer.returncode == 0, out + err
    record = run.read()
    assert looks > 1
    assert record.damaged == {}
    assert {planned.seed for planned in record.planned} == {0, 1, 2} | seeds
    assert {one.seed for one in record.cells} == {0} | seeds
    assert record.failures["key1"] in {f"by {number}" for number in range(3)}
    assert {run.progress(f"key{seed}") for seed in seeds} == {(1, 2)}
    assert parts(run.path) == []


@pytest.mark.slow
def test_a_writer_that_is_killed_at_any_moment_leaves_a_whole_file(start, tmp_path):
    chance = random.Random(0)
    path = tmp_path / "file.json"
    for _ in range(8):
        writer = start("files", path)
        assert writer.stdout.readline() == "ready\n", writer.stderr.read()
        time.sleep(chance.uniform(0.0, 0.1))
        writer.kill()
        writer.wait()
        if path.exists():
            content = path.read_bytes()
            assert (len(content), len(set(content))) == (writing.BLOCK, 1)
    remove_parts(path)
    assert parts(tmp_path) == []


@pytest.mark.skipif(sys.platform == "win32", reason="SIGSTOP is POSIX")
def test_only_what_dead_writers_left_is_removed(start, tmp_path):
    path = write_bytes(tmp_path / "file.json", b"old")
    writer = start("stuck", path)
    assert writer.stdout.readline() == "ready\n", writer.stderr.read()
    (part,) = parts(tmp_path)
    remove_parts(path)
    assert parts(tmp_path) == [part]
    write_bytes(path, b"another's")
    assert parts(tmp_path) == [part]
    writer.kill()
    writer.wait()
    assert path.read_bytes() == b"another's"
    remove_parts(path)
    assert parts(tmp_path) == []


@pytest.mark.parametrize("end", [signal.SIGKILL, signal.SIGTERM])
def test_a_lock_is_free_when_its_holder_is_dead(start, tmp_path, end):
    run = RunFolder(tmp_path)
    run.begin(RUN)
    holder = start("hold", tmp_path, "key0")
    assert holder.stdout.readline() == "held\n", holder.stderr.read()
    with run.cell_lock("key0", wait=False) as held:
        assert not held
    with run.cell_lock("key1", wait=False) as held:
        assert held
    holder.send_signal(end)
    holder.wait()
    with run.cell_lock("key0", wait=False) as held:
        assert held


def test_who_waits_for_a_lock_gets_it_when_its_holder_is_killed(start, tmp_path):
    run = RunFolder(tmp_path)
    run.begin(RUN)
    holder = start("hold", tmp_path, "key0")
    assert holder.stdout.readline() == "held\n", holder.stderr.read()
    waiting = start("hold", tmp_path, "key0")
    holder.kill()
    assert waiting.stdout.readline() == "held\n", waiting.stderr.read()


@pytest.mark.skipif(not hasattr(os, "fork"), reason="forks")
def test_a_child_that_outlives_its_parent_does_not_hold_its_lock(start, tmp_path):
    run = RunFolder(tmp_path)
    run.begin(RUN)
    holder = start("hold_and_fork", tmp_path, "key0")
    child = int(holder.stdout.readline())
    try:
        holder.kill()
        holder.wait()
        with run.cell_lock("key0", wait=False) as held:
            assert held
    finally:
        os.kill(child, signal.SIGKILL)


def test_a_lock_is_free_again_after_an_error_inside(tmp_path):
    run = RunFolder(tmp_path)
    with pytest.raises(ZeroDivisionError), run.cell_lock("key0"):
        raise ZeroDivisionError
    with run.cell_lock("key0", wait=False) as held:
        assert held


def test_a_record_can_be_read_where_nothing_can_be_written(tmp_path):
    run = RunFolder(tmp_path / "run")
    run.begin(RUN)
    run.write_cell(cell(0))
    before = sorted(run.path.rglob("*"))
    for folder in (run.path / "cells", run.path):
        folder.chmod(0o555)
    try:
        assert [one.seed for one in run.read().cells] == [0]
        assert run.progress("key0") is None
    finally:
        for folder in (run.path, run.path / "cells"):
            folder.chmod(0o755)
    assert sorted(run.path.rglob("*")) == before
