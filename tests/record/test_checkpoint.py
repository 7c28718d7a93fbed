"""Points of unfinished cells: whole, of this cell, and harmless, or as good as none."""

from __future__ import annotations

import os

import pytest
import torch

from caltrop.record import Checkpoint

STATE = {"weights": torch.arange(3.0), "nested": {"list": [1, 2.5, "a", None, True]}}


@pytest.fixture
def checkpoint(tmp_path):
    return Checkpoint(tmp_path / "key0.partial")


def test_a_checkpoint_keeps_tensors_and_plain_values(checkpoint):
    assert (checkpoint.load(), checkpoint.progress()) == (None, None)
    checkpoint.save(STATE, done=3, total=10)
    again = Checkpoint(checkpoint.path).load()
    assert torch.equal(again["weights"], STATE["weights"])
    assert again["nested"] == STATE["nested"]
    assert checkpoint.progress() == (3, 10)
    assert checkpoint.note is None


def test_a_checkpoint_that_is_cleared_leaves_nothing(checkpoint):
    checkpoint.save(STATE, done=3, total=10)
    checkpoint.clear()
    checkpoint.clear()
    assert (checkpoint.load(), checkpoint.progress()) == (None, None)
    assert list(checkpoint.path.parent.iterdir()) == []


def test_saving_clears_what_killed_writers_left(checkpoint):
    strays = [checkpoint.path.with_name(f".key0.{ending}.0.part") for ending in ("partial", "progress")]
    for stray in strays:
        stray.write_text("half")
    checkpoint.save(STATE, done=1, total=2)
    assert not any(stray.exists() for stray in strays)


def test_progress_without_its_point_is_none(checkpoint):
    checkpoint.save(STATE, done=3, total=10)
    checkpoint.path.unlink()
    assert checkpoint.progress() is None


@pytest.mark.parametrize("text", ["", "3", "3 of 10", "\x00"])
def test_a_damaged_progress_is_none(checkpoint, text):
    checkpoint.save(STATE, done=3, total=10)
    checkpoint.path.with_suffix(".progress").write_text(text)
    assert checkpoint.progress() is None
    assert checkpoint.load() is not None


@pytest.mark.parametrize("content", [b"", b"rubbish", b"PK\x03\x04 cut short"])
def test_a_damaged_checkpoint_is_as_good_as_none_and_says_so(checkpoint, content):
    checkpoint.path.write_bytes(content)
    assert checkpoint.load() is None
    assert "is damaged" in checkpoint.note
    assert "begins anew" in checkpoint.note


def test_a_checkpoint_cut_short_anywhere_is_as_good_as_none(checkpoint):
    checkpoint.save(STATE, done=3, total=10)
    whole = checkpoint.path.read_bytes()
    for length in range(0, len(whole), 37):
        checkpoint.path.write_bytes(whole[:length])
        assert checkpoint.load() is None


def test_a_point_of_another_cell_is_not_taken_up(checkpoint, tmp_path):
    checkpoint.save(STATE, done=3, total=10)
    other = Checkpoint(tmp_path / "key1.partial")
    os.replace(checkpoint.path, other.path)
    assert other.load() is None
    assert "a point of key0: it was copied or renamed" in other.note


@pytest.mark.parametrize(
    ("held", "why"),
    [
        ({"format": 99, "key": "key0", "state": {}}, "format 99, and this version of Caltrop reads format 1"),
        ({"state": {}}, "is damaged"),
        ([1, 2], "is damaged"),
        ({"format": 1, "key": "key0", "state": 3}, "copied or renamed"),
    ],
)
def test_what_this_version_cannot_use_is_as_good_as_none(checkpoint, held, why):
    torch.save(held, checkpoint.path)
    assert checkpoint.load() is None
    assert why in checkpoint.note


def test_a_folder_in_its_place_is_named(checkpoint):
    checkpoint.path.mkdir()
    assert checkpoint.load() is None
    assert "cannot be read" in checkpoint.note


def test_a_checkpoint_that_would_run_code_is_not_loaded(checkpoint, tmp_path):
    class Evil:
        def __reduce__(self):
            return (os.mkdir, (str(tmp_path / "owned"),))

    torch.save({"format": 1, "key": "key0", "state": Evil()}, checkpoint.path)
    assert checkpoint.load() is None
    assert not (tmp_path / "owned").exists()
