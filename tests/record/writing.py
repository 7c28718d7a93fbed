"""What other processes do to a run at the same time; `python writing.py WORK FOLDER …`."""

from __future__ import annotations

import os
import sys
import time
from dataclasses import replace
from pathlib import Path

from caltrop.files import write_bytes
from caltrop.record import Planned, RunFolder
from caltrop.rows import Row, Rows
from record.runs import RUN, cell

BLOCK = 50_000


def tell(word):
    sys.stdout.write(word + "\n")
    sys.stdout.flush()


def rows(value, count):
    return Rows.of(Row("", "loss", "L", value, seed=0, split="train", step=step) for step in range(count))


def cells(folder, writer, rounds):
    """Plan another seed and write its cell, and a cell that all writers share, again and again."""
    run = RunFolder(folder)
    tell("ready")
    sys.stdin.readline()
    for number in range(int(rounds)):
        seed = seed_of(int(writer), number)
        run.begin(replace(RUN, planned=(*RUN.planned, Planned(f"key{seed}", None, seed, RUN.config))))
        run.write_cell(cell(seed))
        # every row of one file is one writer's: a mixture would show
        run.write_cell(cell(0, rows=rows(float(writer), 20 + number)))
        run.note_failure("key1", f"by {writer}")
        run.checkpoint(f"key{seed}").save({"writer": writer}, done=1, total=2)


def seed_of(writer, number):
    return 100 * (writer + 1) + number


def files(path):
    """Replace one file for ever: each content is one byte repeated."""
    tell("ready")
    number = 0
    while True:
        number += 1
        write_bytes(path, bytes([65 + number % 26]) * BLOCK)


def hold(folder, key):
    """Hold a cell's lock until killed."""
    with RunFolder(folder).cell_lock(key) as held:
        tell("held" if held else "refused")
        time.sleep(600)


def hold_and_fork(folder, key):
    """Hold a cell's lock, with a child that lives on like a loader's worker."""
    with RunFolder(folder).cell_lock(key):
        read, write = os.pipe()
        child = os.fork()
        if child == 0:
            os.write(write, b"forked")  # only now has it let go of what it inherited
            sys.stdout.close()
            sys.stderr.close()
            time.sleep(600)
        os.read(read, 6)
        tell(str(child))
        time.sleep(600)


def stuck(path):
    """Stop in the middle of a write until killed."""
    write = os.write

    def slow(handle, content):
        write(handle, bytes(content)[: len(content) // 2])
        tell("ready")
        time.sleep(600)

    os.write = slow
    write_bytes(Path(path), b"new" * 100)


if __name__ == "__main__":
    work = {"cells": cells, "files": files, "hold": hold, "hold_and_fork": hold_and_fork, "stuck": stuck}
    work[sys.argv[1]](*sys.argv[2:])
