"""The batch loader: complete, re-iterable, and shuffled from its own seed only."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from caltrop.data import Batches


def numbered(count: int) -> tuple[torch.Tensor, torch.Tensor]:
    return torch.arange(count, dtype=torch.float32)[:, None], torch.arange(count)


def seen_in(batches: Batches) -> list[int]:
    return [int(label) for _, labels in batches for label in labels]


@pytest.mark.parametrize(("count", "size", "sizes"), [(7, 3, [3, 3, 1]), (6, 3, [3, 3]), (2, 5, [2])])
def test_the_last_batch_holds_the_rest(count, size, sizes):
    batches = Batches(*numbered(count), size)
    assert [len(labels) for _, labels in batches] == sizes
    assert len(batches) == len(sizes)


def test_without_a_seed_every_pass_is_in_order():
    batches = Batches(*numbered(5), 2)
    assert [seen_in(batches), seen_in(batches)] == [[0, 1, 2, 3, 4]] * 2


def test_shuffled_passes_differ_and_each_is_complete():
    batches = Batches(*numbered(50), 8, shuffle_seed=0)
    first, second = seen_in(batches), seen_in(batches)
    assert first != second
    assert sorted(first) == sorted(second) == list(range(50))


def test_inputs_stay_with_their_labels():
    for inputs, labels in Batches(*numbered(50), 8, shuffle_seed=0):
        assert torch.equal(inputs[:, 0].long(), labels)


def test_the_order_depends_on_seed_and_pass_alone():
    batches = Batches(*numbered(50), 8, shuffle_seed=3)
    torch.manual_seed(1)
    np.random.seed(1)  # noqa: NPY002  the legacy global state is what must not matter
    orders = [seen_in(batches), seen_in(batches)]
    again = Batches(*numbered(50), 16, shuffle_seed=3)
    assert [seen_in(again), seen_in(again)] == orders
    assert seen_in(Batches(*numbered(50), 8, shuffle_seed=4)) != orders[0]


def test_an_abandoned_pass_still_counts():
    batches = Batches(*numbered(50), 8, shuffle_seed=0)
    next(iter(batches))
    whole = Batches(*numbered(50), 8, shuffle_seed=0)
    seen_in(whole)
    assert seen_in(batches) == seen_in(whole)


def test_shuffling_leaves_the_global_random_states_alone():
    torch_before, numpy_before = torch.get_rng_state(), np.random.get_state()  # noqa: NPY002
    seen_in(Batches(*numbered(50), 8, shuffle_seed=0))
    assert torch.equal(torch.get_rng_state(), torch_before)
    np.testing.assert_array_equal(np.random.get_state()[1], numpy_before[1])  # noqa: NPY002


@pytest.mark.parametrize(
    ("inputs", "labels", "size", "message"),
    [
        (3, 2, 1, "3 inputs come with 2 labels"),
        (0, 0, 1, "no samples"),
        (3, 3, 0, "batch_size=0 is impossible"),
    ],
)
def test_impossible_batches_are_refused(inputs, labels, size, message):
    with pytest.raises(ValueError, match=message):
        Batches(numbered(inputs)[0], numbered(labels)[1], size)
