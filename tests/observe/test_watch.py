"""Watching a model along training."""

from __future__ import annotations

import pytest
import torch

from caltrop.observe import Watch, observe
from observe.looking import LAYERS, Failing, loader


def test_a_watch_holds_every_step_and_returns_this_one(model):
    watch = Watch(model, {"train": loader(), "test": loader(seed=1)}, layers=LAYERS, progress=False)
    first = watch(step=0)
    with torch.no_grad():
        model[0].weight.mul_(3)
        model[4].weight.add_(1)
    second = watch(step=5)
    assert {row.step for row in first.rows} == {0}
    assert {row.step for row in second.rows} == {5}
    assert watch.seen.series("1", "variability_ratio", split="test") == [
        (0, first["1", "variability_ratio", "test"]),
        (5, second["1", "variability_ratio", "test"]),
    ]
    assert second["4:input", "minority_merge"] != first["4:input", "minority_merge"]
    assert watch.seen.splits == ["train", "test"]


def test_a_watch_gives_what_a_fresh_look_gives(model):
    watch = Watch(model, loader(), layers=LAYERS, progress=False)
    watch(step=0)
    with torch.no_grad():
        model[0].weight.mul_(3)
    again, fresh = watch(step=1), observe(model, loader(), layers=LAYERS, step=1, progress=False)
    assert again.rows == fresh.rows


def test_a_failed_step_leaves_no_half_of_it_behind(model):
    failing = Failing(OSError("the disk went away"), first=3)
    watch = Watch(model, {"train": loader(), "test": failing}, layers=["1"], progress=False)
    watch(step=0)
    with pytest.raises(OSError, match="the disk went away"):
        watch(step=1)
    assert {row.step for row in watch.seen.rows} == {0}


def test_a_watched_training_draws_the_same_numbers_as_an_unwatched_one(model):
    """Global random numbers, also through a shuffling loader, are as if nobody had looked."""

    def drawn(look):
        torch.manual_seed(3)
        shuffled = loader(shuffle=True)
        watch = Watch(model, shuffled, layers=["1"], progress=False)
        batches = []
        for step in range(2):
            batches += [labels for _, labels in shuffled]
            if look:
                watch(step=step)
        return torch.cat(batches)

    assert torch.equal(drawn(True), drawn(False))


def test_choices_are_noted_and_printed_on_stderr_only_when_wanted(model, capsys):
    seen = observe(model, loader())
    printed = capsys.readouterr()
    assert printed.out == ""
    assert all(note in printed.err for note in seen.notes)
    assert any("head" in note for note in seen.notes)
    observe(model, loader(), progress=False)
    assert capsys.readouterr().err == ""


def test_layers_and_splits_are_tagged(model):
    seen = observe(model, loader(), split="new", step=2.5, progress=False)
    assert seen.splits == ["new"]
    assert {row.step for row in seen.rows} == {2.5}
    assert "4:input" in seen.layers
