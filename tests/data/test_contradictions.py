"""Contradictory labels, against a dictionary."""

from __future__ import annotations

from collections import Counter, defaultdict

import numpy as np
import pytest
import torch

from caltrop.data import contradictions, load_images


def by_dictionary(inputs, labels):
    seen = defaultdict(Counter)
    for row, label in zip(inputs, labels, strict=True):
        seen[tuple(row)][label] += 1
    bad = sum(sum(found.values()) for found in seen.values() if len(found) > 1)
    return bad / len(labels), sum(max(found.values()) for found in seen.values()) / len(labels)


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize("levels", [2, 3, 9])
def test_share_and_best_accuracy_agree_with_a_dictionary(seed, levels):
    random = np.random.default_rng(seed)
    inputs = random.integers(-levels, levels, (200, 2)).astype(np.float32)
    labels = random.integers(0, 4, 200)
    assert contradictions(inputs, labels) == by_dictionary(inputs.tolist(), labels.tolist())


def test_inputs_without_repetition_contradict_nothing():
    assert contradictions(np.arange(12.0).reshape(4, 3), np.array([0, 1, 0, 1])) == (0.0, 1.0)


def test_the_sign_of_a_zero_makes_no_difference():
    inputs = torch.tensor([[0.0, 1.0], [-0.0, 1.0]])
    assert contradictions(inputs, torch.tensor([0, 1])) == (1.0, 0.5)


def test_bundled_digits_are_free_of_contradictions():
    images = load_images("digits")
    assert contradictions(images.train_inputs, images.train_labels) == (0.0, 1.0)


def test_lengths_that_differ_are_refused():
    with pytest.raises(ValueError, match="3 inputs come with 2 labels"):
        contradictions(np.zeros((3, 1)), np.zeros(2))
