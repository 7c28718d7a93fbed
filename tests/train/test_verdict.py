"""The demonstration's own judgement: tenfold, less, not at all, or unknown."""

from __future__ import annotations

import math

import pytest

from caltrop.rows import Row
from caltrop.train.verdict import collapse_sentences


def rows(*values: float, layer: str = "head:input", split: str = "train", first_step: int = 0) -> list[Row]:
    return [
        Row(layer, "within_class_variability", "NC1", value, split=split, step=step)
        for step, value in enumerate(values, start=first_step)
    ]


@pytest.mark.parametrize(
    ("values", "sentence"),
    [
        ((9.0, 0.5, 0.05), "down 10-fold: collapse by at least tenfold happened."),
        ((9.0, 0.5, 0.1), "down 5-fold only: collapse by at least tenfold DID NOT happen."),
        ((9.0, 0.5, 0.6), "it did not fall: collapse DID NOT happen."),
        ((9.0, 0.5, math.nan), "no ratio can be formed, and collapse is not shown."),
        ((9.0, math.inf, 0.1), "no ratio can be formed, and collapse is not shown."),
        ((9.0, 0.5), "measured at fewer than two epochs: whether it fell is unknown."),
        ((), "measured at fewer than two epochs: whether it fell is unknown."),
    ],
)
def test_the_sentence_follows_the_ratio_of_the_first_epoch_to_the_last(values, sentence):
    assert collapse_sentences(rows(*values))[0].endswith(sentence)


def test_only_training_images_at_the_heads_input_count():
    distraction = rows(1.0, 1.0, 1e-9, split="test") + rows(1.0, 1.0, 1e-9, layer="blocks.0")
    assert collapse_sentences(distraction + rows(9.0, 0.5, 0.4)) == collapse_sentences(rows(9.0, 0.5, 0.4))


def test_the_numbers_and_epochs_are_named():
    sentence = collapse_sentences(rows(0.5, 0.25, 0.01, first_step=1))[0]
    assert "from 0.5 after epoch 1 to 0.01 after epoch 3" in sentence
