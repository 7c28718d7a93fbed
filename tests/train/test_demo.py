"""The demonstration, in its quick form: complete, repeatable and honest."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch

from caltrop.data import load_images
from caltrop.train import TrainConfig, demo, run_demo

SHORT = {
    name: replace(recipe, widths=recipe.widths[:2], config=replace(recipe.config, epochs=2))
    for name, recipe in demo.QUICK_RECIPES.items()
}


@pytest.fixture
def short(monkeypatch):
    monkeypatch.setattr(demo, "QUICK_RECIPES", SHORT)


def measured(study, measure="within_class_variability"):
    return [row for row in study.rows if row.measure == measure]


@pytest.mark.usefixtures("short")
@pytest.mark.parametrize(
    ("network", "layers"),
    [("mlp", ["blocks.0", "head:input"]), ("resnet", ["stem", "stages.0", "head:input"])],
)
def test_every_layer_is_measured_on_both_splits_at_every_measuring_epoch(network, layers):
    study = run_demo(network=network, quick=True, per_class=20, progress=False)
    found = {(row.layer, row.split, row.step) for row in measured(study)}
    assert found == {(a, b, c) for a in layers for b in ("train", "test") for c in (0, 1, 2)}
    assert {(row.split, row.step) for row in measured(study, "loss")} == {(b, c) for _, b, c in found}
    assert study.clock == "epoch"


@pytest.mark.usefixtures("short")
def test_the_same_seed_gives_the_same_rows_and_leaves_the_random_state_alone():
    before = torch.get_rng_state()
    first = run_demo(quick=True, per_class=20, seed=3, out_epochs=[2], progress=False)
    torch.rand(5)
    second = run_demo(quick=True, per_class=20, seed=3, out_epochs=[2], progress=False)
    other = run_demo(quick=True, per_class=20, seed=4, out_epochs=[2], progress=False)
    # the repr of a row holds every digit, and two NaNs read the same
    assert [repr(row) for row in first.rows] == [repr(row) for row in second.rows]
    assert measured(first) != measured(other)
    assert {row.seed for row in first.rows} == {3}
    torch.set_rng_state(before)


@pytest.mark.usefixtures("short")
def test_a_few_digits_are_relabelled_and_named():
    study = run_demo(quick=True, per_class=20, classes=(9, 1, 4, 7), out_epochs=[0, 1, 2], progress=False)
    assert study.provenance["classes"] == "9, 1, 4, 7"
    assert study.provenance["dataset"].startswith("digits: 80 training")
    assert all(len(picture.labels) == 4 for picture in study.pictures)


@pytest.mark.usefixtures("short")
def test_the_notes_begin_with_the_terminal_phase_and_the_verdict():
    notes = run_demo(quick=True, per_class=20, progress=False).notes
    assert notes[0].startswith("Training error")
    assert "DID NOT happen" in notes[1]


@pytest.mark.usefixtures("short")
def test_a_set_that_is_too_small_is_used_whole_with_a_note():
    study = run_demo(quick=True, per_class=10_000, out_epochs=[1], progress=False)
    fewest = int(load_images("digits").train_labels.bincount().min())
    assert f"Only {fewest} training images per class are used" in " ".join(study.notes)
    assert study.provenance["dataset"].startswith(f"digits: {10 * fewest} training")


@pytest.mark.usefixtures("short")
def test_provenance_names_what_a_reader_needs_and_no_place_on_this_machine():
    provenance = run_demo(quick=True, per_class=20, out_epochs=[1], progress=False).provenance
    assert list(provenance) == [
        "dataset",
        "classes",
        "source",
        "network",
        "recipe",
        "seed",
        "duration",
    ]
    assert "/" not in "".join(str(entry) for entry in provenance.values())


@pytest.mark.usefixtures("short")
def test_an_interruption_in_the_middle_passes_through(monkeypatch):
    class Interrupted(demo.Watch):
        def __call__(self, step=None):
            raise KeyboardInterrupt

    monkeypatch.setattr(demo, "Watch", Interrupted)
    with pytest.raises(KeyboardInterrupt):
        run_demo(quick=True, per_class=20, progress=False)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"network": "vgg"}, "network='vgg' is unknown; choose one of mlp, resnet"),
        ({"classes": (3,)}, r"classes=\(3,\) leaves nothing to tell apart"),
        ({"classes": (3, 12)}, r"must name different labels of 0\.\.9"),
        ({"per_class": 0}, "0 train images per class is impossible"),
        ({"out_epochs": [0, 5000]}, r"measuring epochs \[5000\] lie outside"),
    ],
)
def test_requests_that_make_no_sense_are_refused_before_training(arguments, message):
    with pytest.raises(ValueError, match=message):
        run_demo(quick=True, progress=False, **arguments)


def test_the_quick_demo_reaches_zero_training_error():
    study = run_demo(quick=True, out_epochs=[1, 12], progress=False)
    assert study.notes[0].startswith("Training error is truly zero")
    accuracy = {row.step: row.value for row in measured(study, "accuracy") if row.split == "train"}
    assert accuracy[12] == 1.0


def test_the_recipes_are_within_reach_of_weight_decay():
    """Weight decay must have had its time, 1/(η λ) steps, several times over at the highest rate."""
    config: TrainConfig = demo.RECIPES["mlp"].config
    steps = config.cuts[0] * config.epochs * 5000 / config.batch_size
    assert steps * config.learning_rate / (1 - config.momentum) * config.weight_decay > 2
