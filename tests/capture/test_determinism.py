"""What changes between two readings is named, and what is harmless is let through."""

from __future__ import annotations

import pytest
import torch
from torch import nn
from torch.nn import functional
from torch.utils.data import DataLoader, Dataset, IterableDataset, RandomSampler, TensorDataset, WeightedRandomSampler

from caltrop.capture import NotDeterministic, Probe
from capture.networks import CLASSES, Returning, perceptron


class Augmented(Dataset):
    """Adds noise to each item each time."""

    def __len__(self):
        return 12

    def __getitem__(self, index):
        return torch.full((12,), float(index)) + torch.randn(12), index % CLASSES


class Streamed(IterableDataset):
    """Items in random order, without an index."""

    def __iter__(self):
        yield from ((torch.randn(12), i % CLASSES) for i in range(12))


class Restless(Returning):
    """Does something between body and head that eval mode does not stop."""

    def __init__(self, disturb):
        super().__init__()
        self.disturb = disturb

    def forward(self, x):
        return self.head(self.disturb(self.body(x)))


@pytest.fixture
def dataset():
    return TensorDataset(torch.randn(12, 12), torch.arange(12) % CLASSES)


@pytest.fixture
def check(dataset):
    def checked(loader, model=None):
        first = (torch.randn(6, 12), torch.arange(6) % CLASSES)
        probe = Probe(model or perceptron(), first)
        return probe, probe.check_deterministic(loader)

    return checked


def test_a_fixed_order_passes_without_a_note(check, dataset):
    assert check(DataLoader(dataset, 4))[1] == ()


def test_shuffling_is_accepted_with_a_note(check, dataset):
    probe, notes = check(DataLoader(dataset, 4, shuffle=True))
    assert len(notes) == 1
    assert "shuffles" in notes[0]
    assert notes[0] in probe.notes


def test_samples_dropped_at_the_end_of_a_shuffle_are_counted(check, dataset):
    _, notes = check(DataLoader(dataset, 5, shuffle=True, drop_last=True))
    assert any("drops its last 2 samples" in note for note in notes)


@pytest.mark.parametrize("shuffle", [True, False])
def test_augmentation_is_named_with_its_remedy(shuffle, check):
    with pytest.raises(NotDeterministic, match=r"item 0 of the dataset changes .* evaluation transform"):
        check(DataLoader(Augmented(), 4, shuffle=shuffle))


@pytest.mark.parametrize("sampler", [RandomSampler, WeightedRandomSampler])
def test_drawing_with_replacement_is_refused(sampler, check, dataset):
    drawn = (
        RandomSampler(dataset, replacement=True)
        if sampler is RandomSampler
        else WeightedRandomSampler(torch.ones(12), 12)
    )
    with pytest.raises(NotDeterministic, match=f"{sampler.__name__} draws with replacement"):
        check(DataLoader(dataset, 4, sampler=drawn))


def test_a_random_collate_function_is_named(check, dataset):
    def collate(items):
        return torch.stack([x for x, _ in items]) + torch.randn(()), torch.stack([y for _, y in items])

    with pytest.raises(NotDeterministic, match="collate function"):
        check(DataLoader(dataset, 4, collate_fn=collate))


def test_a_random_stream_cannot_be_told_from_augmentation(check):
    with pytest.raises(NotDeterministic, match="cannot be told shuffling from augmentation"):
        check(DataLoader(Streamed(), 4))


@pytest.mark.parametrize("make", [iter, lambda batches: (b for b in batches)])
def test_an_iterator_can_be_read_only_once(make, check, dataset):
    with pytest.raises(ValueError, match=r"can be read only once .* pass a DataLoader or a list of batches"):
        check(make(list(DataLoader(dataset, 4))))


def test_a_loader_that_is_empty_on_its_second_pass_is_named(check, dataset):
    class Once:
        def __init__(self, batches):
            self.batches = iter(batches)

        def __iter__(self):
            yield from self.batches

    with pytest.raises(ValueError, match="can be read only once"):
        check(Once(list(DataLoader(dataset, 12))))


@pytest.mark.parametrize(
    "disturb",
    [
        lambda h: functional.dropout(h, 0.5),
        lambda h: h + 0.1 * torch.randn_like(h),
        lambda h: h if torch.rand(()) < 0 else h * torch.rand(()),
    ],
)
def test_randomness_in_the_model_is_named_at_the_first_layer_that_shows_it(disturb, check, dataset):
    with pytest.raises(NotDeterministic, match=r"first at layer 'head:input'.* training=True .*stochastic depth"):
        check(DataLoader(dataset, 4), Restless(disturb))


def test_modules_that_may_be_to_blame_are_named(check, dataset):
    class DropPath(nn.Module):
        def forward(self, x):
            return x * (torch.rand(len(x), 1) > 0.5)

    with pytest.raises(NotDeterministic, match=r"look at disturb"):
        check(DataLoader(dataset, 12), Restless(DropPath()))


@pytest.mark.parametrize(
    "disturb",
    [nn.BatchNorm1d(8, track_running_stats=False), lambda h: functional.batch_norm(h, None, None, training=True)],
)
def test_features_that_depend_on_the_rest_of_the_batch_are_named(disturb, check, dataset):
    with pytest.raises(NotDeterministic, match="depend on the other samples in its batch, first at layer 'head:input'"):
        check(DataLoader(dataset, 4), Restless(disturb))


def test_a_model_made_for_one_batch_size_is_not_blamed(check, dataset):
    def fixed(h):
        return h.view(6, 8)

    assert check(DataLoader(dataset, 6), Restless(fixed))[1] == ()


def test_a_loader_that_refills_one_tensor_with_noise_is_noticed(check):
    class Refilling:
        def __init__(self):
            self.buffer, self.labels = torch.zeros(6, 12), torch.arange(6) % CLASSES

        def __iter__(self):
            yield self.buffer.normal_(), self.labels

    with pytest.raises(NotDeterministic, match="first batch changed on the second pass"):
        check(Refilling())


def test_the_check_does_not_move_the_callers_random_numbers():
    probe = Probe(perceptron(), (torch.randn(6, 12), torch.arange(6) % CLASSES))
    state = torch.get_rng_state()
    with pytest.raises(NotDeterministic, match="item 0"):
        probe.check_deterministic(DataLoader(Augmented(), 4, shuffle=True))
    assert torch.equal(torch.get_rng_state(), state)
