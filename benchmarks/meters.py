"""Seconds and bytes of one piece of work in this process."""

from __future__ import annotations

import resource
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from threading import Event, Thread

MIB = 2**20
STATUS = Path("/proc/self/status")


@dataclass(frozen=True)
class Cost:
    """CPU and wall seconds, and the peak of resident memory above the start, in MiB (None where unknown)."""

    cpu_s: float
    wall_s: float
    extra_mib: float | None


def cost(work: Callable[[], object]) -> Cost:
    """Run `work` once and say what it took."""
    start = resident()
    reset_peak()
    wall, cpu = time.perf_counter(), time.process_time()
    work()
    cpu, wall = time.process_time() - cpu, time.perf_counter() - wall
    top = peak()
    extra = None if start is None or top is None else max(0.0, top - start) / MIB
    return Cost(cpu, wall, extra)


def resident(field: str = "VmRSS") -> int | None:
    """Bytes of a memory field of this process, or None where the system does not say."""
    try:
        lines = STATUS.read_text(encoding="ascii").splitlines()
    except OSError:
        return None
    found = [line.split() for line in lines if line.startswith(f"{field}:")]
    return int(found[0][1]) * 1024 if found else None


def peak() -> int | None:
    """Highest resident memory so far, by the kernel's own mark: a child inherits its parent's `ru_maxrss`."""
    marked = resident("VmHWM")
    if marked is not None:
        return marked
    unit = 1 if sys.platform == "darwin" else 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit


def reset_peak() -> None:
    """Lower the mark to what is resident now, where the kernel allows it."""
    try:
        Path("/proc/self/clear_refs").write_text("5", encoding="ascii")
    except OSError:
        return


def private_peak(work: Callable[[], object], every_s: float = 0.002) -> float | None:
    """Peak of private memory above the start in MiB, sampled: pages of a mapped file belong to the system's cache."""
    start = resident("RssAnon")
    if start is None:
        return None
    done, highest = Event(), [start]

    def sample() -> None:
        while not done.wait(every_s):
            highest[0] = max(highest[0], resident("RssAnon") or 0)

    sampler = Thread(target=sample)
    sampler.start()
    try:
        work()
    finally:
        done.set()
        sampler.join()
    return (highest[0] - start) / MIB
