"""A disk that fills up: at every operation in turn, and in the middle of a write."""

from __future__ import annotations

import errno
import os
import subprocess
import sys

import pytest
import torch

from caltrop.record import CellRecord, Planned, Record, RunFolder, write_study, write_text
from caltrop.rows import Row, Rows, Study

PLANNED = (Planned("key0", None, 0, {"depth": 3}), Planned("key1", None, 1, {"depth": 3}))
RUN = Record("author2020word", "desk", "A title", {"depth": 3}, PLANNED)


def cell(value):
    rows = Rows.of([Row("", "loss", "L", value, seed=0, step=1)])
    return CellRecord("author2020word", "desk", "key0", None, 0, {"depth": 3}, rows)


class Disk:
    """Has room for some operations; at the next one it is full, and stays so. A write that no longer fits is cut."""

    def __init__(self, monkeypatch, room):
        self.room, self.was_full = room, False
        for name in ("open", "write", "fsync", "replace", "mkdir"):
            monkeypatch.setattr(os, name, getattr(self, name)(getattr(os, name)))

    def take(self):
        self.room -= 1
        if self.room < 0:
            self.was_full = True
            raise OSError(errno.ENOSPC, "No space left on device")

    def open(self, real):
        def call(path, flags, *args, **kwargs):
            if flags & os.O_CREAT and not os.path.exists(path):
                self.take()
            return real(path, flags, *args, **kwargs)

        return call

    def write(self, real):
        def call(handle, content):
            if self.room == 1 and len(content) > 1:
                content = content[: len(content) // 2]
            self.take()
            return real(handle, content)

        return call

    def _counted(self, real):
        def call(*args, **kwargs):
            self.take()
            return real(*args, **kwargs)

        return call

    fsync = replace = mkdir = _counted


def held(folder):
    """Every file with its content, without the locks, which are empty."""
    files = {path.relative_to(folder): path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file()}
    return {path: content for path, content in files.items() if path.suffix != ".lock"}


def state(value):
    return {"weights": torch.full((3,), value)}


# what was there before, what is done on a disk that fills up, and whether that is there
DEEDS = {
    "begin": (lambda run: None, lambda run: run.begin(RUN), lambda run: run.read().title == "A title"),
    "begin again": (
        lambda run: run.begin(RUN),
        lambda run: run.begin(Record(**{**vars(RUN), "title": "Another"})),
        lambda run: run.read().title == "Another",
    ),
    "write a cell": (
        lambda run: run.begin(RUN),
        lambda run: run.write_cell(cell(1.0)),
        lambda run: run.read().rows.last() == 1.0,
    ),
    "write a cell again": (
        lambda run: (run.begin(RUN), run.write_cell(cell(1.0))),
        lambda run: run.write_cell(cell(2.0)),
        lambda run: run.read().rows.last() == 2.0,
    ),
    "save a checkpoint": (
        lambda run: (run.begin(RUN), run.checkpoint("key0").save(state(1.0), done=1, total=3)),
        lambda run: run.checkpoint("key0").save(state(2.0), done=2, total=3),
        lambda run: run.checkpoint("key0").load()["weights"][0] == 2.0,
    ),
    "note a failure": (
        lambda run: run.begin(RUN),
        lambda run: run.note_failure("key0", "it diverged"),
        lambda run: run.read().failures == {"key0": "it diverged"},
    ),
    "write a study": (
        lambda run: None,
        lambda run: write_study(Study(()), run.path),
        lambda run: (run.path / "record.json").is_file(),
    ),
}


@pytest.mark.parametrize("name", DEEDS)
def test_at_whatever_operation_the_disk_is_full_what_was_there_is_whole_and_nothing_stray_is_left(
    name, tmp_path, monkeypatch
):
    before, deed, is_done = DEEDS[name]
    room, refused = 0, 0
    while True:
        run = RunFolder(tmp_path / str(room))
        before(run)
        old = held(run.path)
        with monkeypatch.context() as patch:
            disk = Disk(patch, room)
            try:
                deed(run)
                raised = None
            except OSError as error:
                raised = error
        if raised is None:
            # what may be lost without being told: a progress bar's file, the durability of a rename
            assert is_done(run)
        else:
            refused += 1
            assert raised.errno == errno.ENOSPC
            assert held(run.path) == old
            deed(run)
            assert is_done(run)
        assert not list(run.path.rglob("*.part"))
        if not disk.was_full:
            break
        room += 1
    # a file is made, written, synced, renamed at least
    assert refused >= 4


REAL = """
import resource, sys
from caltrop.record import write_text

resource.setrlimit(resource.RLIMIT_FSIZE, (1000, 1000))
try:
    write_text(sys.argv[1], "new" * 10_000)
except OSError as error:
    print(error)
"""


@pytest.mark.skipif(sys.platform == "win32", reason="a limit on file sizes is POSIX")
def test_a_limit_that_the_system_sets_in_the_middle_of_a_write_leaves_the_old_file(tmp_path):
    path = write_text(tmp_path / "file.json", "old")
    done = subprocess.run([sys.executable, "-c", REAL, str(path)], capture_output=True, text=True, timeout=60)
    assert "File too large" in done.stdout, done.stderr
    assert path.read_text() == "old"
    assert [entry.name for entry in tmp_path.iterdir()] == ["file.json"]


def test_a_damaged_cell_is_still_there_when_there_is_no_room_to_keep_a_copy(tmp_path, monkeypatch):
    run = RunFolder(tmp_path)
    run.begin(RUN)
    path = run.write_cell(cell(1.0))
    path.write_text("rubbish")
    with monkeypatch.context() as patch:
        Disk(patch, 0)
        with pytest.raises(OSError, match="No space"):
            run.write_cell(cell(2.0))
    assert path.read_text() == "rubbish"
