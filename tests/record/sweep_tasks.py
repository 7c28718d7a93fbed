"""What the cells of the sweeps under test do: functions that other processes import by name."""

from __future__ import annotations

import ctypes
import os
import signal
import sys
import time
from dataclasses import dataclass
from pathlib import Path

THREADS_AT_IMPORT = os.environ.get("OMP_NUM_THREADS")
DEADLINE_SECONDS = 60


@dataclass(frozen=True)
class Sgd:
    rate: float


@dataclass(frozen=True)
class Adam:
    rate: float


class Stubborn(Exception):  # noqa: N818 - named for what it does
    """Can be pickled, but not unpickled."""

    def __init__(self, first, second):
        super().__init__(f"{first} {second}")


def until(condition):
    """Wait for something that another process does."""
    end = time.monotonic() + DEADLINE_SECONDS
    while not condition():
        assert time.monotonic() < end, "the other process did not do it"
        time.sleep(0.005)


def is_running(pid):
    try:
        # a zombie that nobody has buried yet is no orphan
        return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] != "Z"
    except (FileNotFoundError, ProcessLookupError):
        return False


def square(number):
    return number**2


def cube(number):
    return number**3


def power(exponent, number):
    return number**exponent


def name_of(optimizer):
    return type(optimizer).__name__


def fail_in_all_ways(way):
    if way == "exit":
        os._exit(3)
    elif way == "kill":
        os.kill(os.getpid(), signal.SIGKILL)
    elif way == "segfault":
        ctypes.string_at(0)
    elif way == "leave":
        sys.exit(4)
    elif way == "raise":
        raise ValueError("a sentence\nover two lines")
    elif way == "stubborn":
        raise Stubborn(1, 2)
    elif way == "unpicklable":
        return lambda: None
    elif way == "orphan":
        # a child that holds all that its parent had open, for longer than anybody waits
        if os.fork() == 0:
            time.sleep(5)
            os._exit(0)
        os._exit(5)
    return way


def threads(_):
    return THREADS_AT_IMPORT


def process(_):
    return os.getpid()


def wait_for_the_next(config):
    """Cell k is done after cell k + 1."""
    folder, index, last = Path(config["folder"]), config["index"], config["last"]
    if index < last:
        until((folder / str(index + 1)).exists)
    (folder / str(index)).touch()
    return index


def logged(config):
    """Adds a line to a log, then waits for a file if `config` names one; its path is the value."""
    log = Path(config["log"])
    with log.open("a") as lines:
        lines.write(f"{config['index']} {os.getpid()}\n")
    if "gate" in config:
        until(Path(config["gate"]).exists)
    return config["index"]


def counted(log):
    """How often each cell was computed."""
    lines = Path(log).read_text().splitlines() if Path(log).exists() else []
    indices = [int(line.split()[0]) for line in lines]
    return {index: indices.count(index) for index in sorted(set(indices))}


def processes(log):
    return [int(line.split()[1]) for line in Path(log).read_text().splitlines()] if Path(log).exists() else []


def killed_once(config):
    """Is killed in the middle the first time."""
    tried = Path(config["folder"]) / "tried"
    if not tried.exists():
        tried.touch()
        os.kill(os.getpid(), signal.SIGKILL)
    return "survived"
