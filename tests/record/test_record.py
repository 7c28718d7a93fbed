"""A record: what a page and a data frame show of its cells."""

from __future__ import annotations

import math
from dataclasses import replace

import pytest

from record.runs import RUN, cell

SEEDS = replace(RUN, cells=tuple(cell(seed) for seed in (0, 1, 2)))


def test_a_study_shows_each_note_with_the_seeds_that_say_it():
    study = SEEDS.study()
    assert study.notes[:3] == ("The same.", "seed 0: Only of 0.", "seed 1: Only of 1.")
    assert len(study.pictures) == 1
    assert "Class means and values of single classes are those of seed 0." in study.notes
    assert study.provenance["torch"] == "2"
    assert study.provenance["runs"]["seed 2"] == "seconds 5.0"
    assert study.clock == "epoch"


def test_the_data_frame_has_training_error_and_weight_decay_time_as_columns():
    pytest.importorskip("pandas")
    frame = replace(RUN, cells=(cell(),)).to_pandas()
    assert list(frame["training_error"][:2]) == pytest.approx([0.25, math.nan], nan_ok=True)
    assert frame["weight_decay_time"].isna().all()
    assert list(frame["measure"]) == ["loss", "loss", "loss", "training_error"]
