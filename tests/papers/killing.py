"""Runs of experiments in processes that are killed: at every file operation in turn, and at random moments.

A process of its own, because it forks: children must not inherit a test runner's threads. Prints JSON.
"""

from __future__ import annotations

import json
import os
import random
import shutil
import signal
import sys
import time
from pathlib import Path

from caltrop import papers
from caltrop.papers import registry
from caltrop.record import RunFolder
from papers import toy
from papers.toy import digits

# what changes a disk, and so where a run can be torn apart
OPERATIONS = ("open", "write", "fsync", "replace", "unlink", "mkdir")


def in_a_child(work, *, kill_after=None, die_at=None):
    """Fork, run `work`, and say whether it came to its end; it dies after some seconds, or at an operation's number."""
    child = os.fork()
    if child == 0:
        try:
            if die_at is not None:
                dying_at(die_at)
            work()
        except BaseException as error:
            sys.stderr.write(f"{type(error).__name__}: {error}\n")
            os._exit(1)
        os._exit(0)
    if kill_after is not None:
        time.sleep(kill_after)
        os.kill(child, signal.SIGKILL)
    _, status = os.waitpid(child, 0)
    if os.WIFEXITED(status) and os.WEXITSTATUS(status) == 1:
        raise SystemExit("a run failed where it should have gone on or been killed")
    return os.WIFEXITED(status)


def dying_at(number):
    """From now on, the process kills itself just before the `number`-th operation on files."""
    left = number

    def counted(operation):
        def call(*args, **kwargs):
            nonlocal left
            left -= 1
            if left == 0:
                os.kill(os.getpid(), signal.SIGKILL)
            return operation(*args, **kwargs)

        return call

    for name in OPERATIONS:
        setattr(os, name, counted(getattr(os, name)))


def progress(folder):
    """How many points are safe: those of finished cells and the last one of each other."""
    try:
        record = folder.read()
    except FileNotFoundError:
        return 0
    if record.damaged or record.failures:
        raise SystemExit(f"damaged by a kill: {record.damaged} {record.failures}")
    whole = 10**6 * len(record.cells)
    return whole + sum((folder.progress(cell.key) or (-1, 0))[0] + 1 for cell in record.missing)


def at_every_operation(work, folder, expected):
    """Kill a fresh run before its first, second, … operation, then let it finish; the number of kills."""
    number = 0
    while True:
        number += 1
        shutil.rmtree(folder.path, ignore_errors=True)
        ended = in_a_child(work, die_at=number)
        safe = progress(folder)
        if not in_a_child(work) or digits(folder.read()) != expected:
            raise SystemExit(f"killed at operation {number} with {safe} points safe: other rows, or no end")
        if ended:
            return number - 1


def at_random_moments(work, folder, expected, kills, seconds, seed):
    """Kill the same run again and again until it ends, then start anew, until it was killed often enough."""
    chance = random.Random(seed)
    killed = ends = 0
    while killed < kills:
        shutil.rmtree(folder.path, ignore_errors=True)
        before = 0
        while not in_a_child(work, kill_after=chance.uniform(0, seconds)):
            killed += 1
            after = progress(folder)
            if after < before:
                raise SystemExit(f"a kill lost points: {before} were safe, {after} are")
            before = after
        ends += 1
        if digits(folder.read()) != expected:
            raise SystemExit("a run that was killed ended with other rows")
    return killed, ends


def main(where):
    registry.experiments()
    registry.register(toy.experiment())
    tiny = {"per_class": 12, "test_per_class": 5, "widths": [12, 12], "points": 5, "epochs": 12, "batch_size": 32}
    runs = {
        "toy": lambda out: papers.run(toy.NAME, out=out),
        "papyan": lambda out: papers.run("papyan2020prevalence", out=out, fields=tiny),
    }
    told = {}
    for name, run in runs.items():
        started = time.monotonic()
        in_a_child(lambda run=run, name=name: run(where / f"{name}-whole"))
        seconds = time.monotonic() - started
        expected = digits(RunFolder(where / f"{name}-whole").read())
        folder = RunFolder(where / name)

        def work(run=run, folder=folder):
            run(folder.path)

        told[name] = {"rows": sum(json.loads(cell)["rows"]["count"] for cell in expected)}
        if name == "toy":
            told[name]["operations"] = at_every_operation(work, folder, expected)
        else:
            told[name]["killed"], told[name]["ends"] = at_random_moments(work, folder, expected, 50, 0.8 * seconds, 1)
    sys.stdout.write(json.dumps(told))


if __name__ == "__main__":
    main(Path(sys.argv[1]))
