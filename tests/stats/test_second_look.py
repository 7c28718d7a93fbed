"""The second look: the same samples in any order, decisions with ties, and data that changed."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from caltrop.stats import ClassAccumulator, ClassMoments, SecondLook
from caltrop.stats.second_look import jackknife_blocks
from reference import unequal

approx = pytest.approx


def drawn(sizes=(30, 0, 12, 1, 9), dim=6, dtype=np.float64, offset=3.0):
    features, labels, weights, bias = unequal(list(sizes), dim, dtype=dtype, offset=offset, sigma=1.5)
    scores = features @ weights.T + bias
    return torch.from_numpy(features), torch.from_numpy(labels), torch.from_numpy(scores.argmax(1))


def look_of(features, labels, number=5, **more):
    return SecondLook(ClassMoments.of(features, labels, number, scatter=False), dtype=features.dtype, **more)


def seen_by(look, features, labels, said=None, parts=1, order=None):
    places = torch.arange(len(labels)) if order is None else order
    for rows in torch.tensor_split(places, parts):
        look.update(features[rows], labels[rows], None if said is None else said[rows])
    return look.close()


def by_definition(features, labels, said):
    """Per present class: nearest centre right, head right, head among the nearest."""
    rows, labels, said = features.double().numpy(), labels.numpy(), said.numpy()
    classes = np.unique(labels)
    means = np.array([rows[labels == k].mean(0) for k in classes])
    distances = np.linalg.norm(rows[:, None] - means[None], axis=2)
    near = [set(classes[row <= row.min() * (1 + 1e-9)].tolist()) for row in distances]
    own, right, agree = ([0] * len(classes) for _ in range(3))
    for label, head, nearest in zip(labels.tolist(), said.tolist(), near, strict=True):
        place = classes.tolist().index(label)
        own[place] += label in nearest
        right[place] += head == label
        agree[place] += head in nearest
    return own, right, agree


@pytest.mark.parametrize("parts", [1, 4, 52])
@pytest.mark.parametrize("dtype", [np.float64, np.float32])
@pytest.mark.parametrize(("sizes", "dim"), [((30, 0, 12, 1, 9), 6), ((30, 0, 12, 1, 9), 2), ((20, 20, 4, 4, 4), 40)])
def test_decisions_are_those_of_all_distances(sizes, dim, dtype, parts):
    features, labels, said = drawn(sizes, dim, dtype)
    seen = seen_by(look_of(features, labels), features, labels, said, parts)
    own, right, agree = by_definition(features, labels, said)
    assert seen.centre.hits.tolist() == own
    assert seen.head.hits.tolist() == right
    assert seen.head.agreements.tolist() == agree


def test_without_predictions_nothing_is_said_of_the_head():
    features, labels, _ = drawn()
    assert seen_by(look_of(features, labels), features, labels).head is None


@pytest.mark.parametrize(("said", "agrees"), [(0, True), (1, True), (2, False)])
def test_a_tie_between_two_centres_agrees_with_either(said, agrees):
    """Class means at −1, 1 and 4: the sample at 0 is as near to the first as to the second."""
    features = torch.tensor([[-1.0], [-1], [1], [1], [0], [8]], dtype=torch.float64)
    labels = torch.tensor([0, 0, 1, 1, 2, 2])
    predictions = torch.tensor([0, 0, 1, 1, said, 2])
    seen = seen_by(look_of(features, labels, 3), features, labels, predictions)
    assert seen.head.agreements.tolist() == [2, 2, 1 + agrees]
    assert seen.centre.hits.tolist() == [2, 2, 1]


@pytest.mark.parametrize("said", [1, 5, 99, -1])
def test_a_prediction_of_an_absent_or_unknown_class_is_never_right(said):
    features, labels, _ = drawn()
    seen = seen_by(look_of(features, labels), features, labels, torch.full_like(labels, said))
    assert seen.head.hits.sum() == seen.head.agreements.sum() == 0


@pytest.mark.parametrize("shards", [2, 3])
def test_decisions_of_shards_add(shards):
    features, labels, said = drawn()
    whole = seen_by(look_of(features, labels), features, labels, said)
    doubled = whole.head.merge(whole.head), whole.centre.merge(whole.centre)
    assert doubled[0].hits.tolist() == (2 * whole.head.hits).tolist()
    assert doubled[0].agreements.tolist() == (2 * whole.head.agreements).tolist()
    assert doubled[1].counts.tolist() == (2 * whole.centre.counts).tolist()


@pytest.mark.parametrize("parts", [1, 3, 10])
@pytest.mark.parametrize(("dtype", "tolerance"), [(np.float64, 1e-12), (np.float32, 1e-7)])
def test_order_and_batching_change_nothing(dtype, tolerance, parts):
    features, labels, said = drawn(dtype=dtype)
    order = torch.from_numpy(np.random.default_rng(0).permutation(len(labels)))
    first = seen_by(look_of(features, labels), features, labels, said)
    second = seen_by(look_of(features, labels), features, labels, said, parts, order)
    assert second.span.squares.numpy() == approx(first.span.squares.numpy(), rel=tolerance, abs=tolerance)
    size = float(first.span.scatter.diagonal().max())
    assert second.span.scatter.numpy() == approx(first.span.scatter.numpy(), rel=0, abs=tolerance * size)
    assert second.head.agreements.tolist() == first.head.agreements.tolist()


def test_residuals_to_anchors_are_looked_at_like_the_features():
    features, labels, said = drawn(dtype=np.float32, offset=100.0)
    accumulator = ClassAccumulator(5, 6)
    residuals = torch.cat([rows for rows, _ in accumulator.residuals(features, labels)])
    look = SecondLook(accumulator.close(), origin=accumulator.anchors.double())
    spooled = seen_by(look, residuals, labels, said)
    direct = seen_by(look_of(features, labels), features, labels, said)
    # residuals of float32 features at an offset of 100 are exact, centres are not: 1e-7
    assert spooled.span.squares.numpy() == approx(direct.span.squares.numpy(), rel=3e-7, abs=1e-9)
    assert spooled.head.agreements.tolist() == direct.head.agreements.tolist()


@pytest.mark.parametrize("size", [1e-30, 1e-20, 1e15, 1e18])
def test_features_far_from_one_keep_their_variability(size):
    features, labels, _ = drawn()
    far = (features * size).float()
    seen = seen_by(look_of(far, labels), far, labels).span
    exact = seen_by(look_of(far.double(), labels), far.double(), labels).span
    assert seen.quotient(3) == approx(exact.quotient(3), rel=1e-6)


def test_the_scatter_is_that_of_the_moments_when_asked_for():
    features, labels, _ = drawn()
    seen = seen_by(look_of(features, labels, scatter=True), features, labels, parts=4)
    expected = ClassMoments.of(features, labels, 5).scatter
    assert seen.moments.scatter.numpy() == approx(expected.numpy(), rel=1e-9, abs=1e-9)


# changed data


@pytest.mark.parametrize("kept", [slice(0, -1), slice(1, None)])
def test_fewer_samples_than_in_the_first_look_are_refused(kept):
    features, labels, _ = drawn()
    with pytest.raises(ValueError, match="second look saw 51 samples where the first saw 52"):
        seen_by(look_of(features, labels), features[kept], labels[kept])


def test_as_many_samples_with_other_labels_are_refused():
    features, labels, _ = drawn()
    other = torch.where(labels == 0, 2, labels)
    with pytest.raises(ValueError, match="or other labels; the data must not change"):
        seen_by(look_of(features, labels), features, other)


# jackknife blocks


def test_blocks_are_disjoint_and_add_up_to_the_whole():
    features, labels, _ = drawn()
    seen = seen_by(look_of(features, labels), features, labels, parts=3)
    assert len(seen.blocks) == 20
    assert sum(block.counts for block in seen.blocks).tolist() == [30, 12, 0, 9]
    assert float(sum(block.squares for block in seen.blocks)[0]) == approx(float(seen.span.squares[0]), rel=1e-12)


def test_every_class_is_dealt_evenly():
    features, labels, _ = drawn((41, 0, 12, 1, 20))
    counts = torch.stack([block.counts for block in seen_by(look_of(features, labels), features, labels).blocks])
    assert (counts.max(0).values - counts.min(0).values).tolist() == [1, 1, 0, 0]


def test_dealing_does_not_depend_on_batches(monkeypatch):
    monkeypatch.setattr("caltrop.stats.second_look.GRAM_ROWS", 2)  # so that every batch is dealt by itself
    features, labels, _ = drawn()
    whole = seen_by(look_of(features, labels), features, labels)
    parts = seen_by(look_of(features, labels), features, labels, parts=9)
    assert [block.counts.tolist() for block in whole.blocks] == [block.counts.tolist() for block in parts.blocks]


def test_blocks_without_samples_are_left_out():
    """Ten samples cannot fill twenty blocks; empty ones would count as replicates that never change."""
    features, labels, _ = drawn((5, 5), 3)
    blocks = seen_by(look_of(features, labels, 2), features, labels).blocks
    assert len(blocks) == 6
    assert all(block.counts.any() for block in blocks)


def test_too_few_samples_for_five_blocks_give_none():
    features, labels, _ = drawn((3, 3), 3)
    assert seen_by(look_of(features, labels, 2), features, labels).blocks == ()


@pytest.mark.parametrize(
    ("classes", "width", "count"), [(10, 9, 20), (100, 99, 20), (1000, 999, 5), (30_000, 1024, 0), (300, 299, 20)]
)
def test_the_number_of_blocks_follows_the_memory_they_take(classes, width, count):
    assert jackknife_blocks(classes, width) == count


# samples for pictures


def test_the_sample_for_pictures_is_bounded_and_lies_where_the_samples_lie():
    features, labels, _ = drawn((60, 25, 3), 5)
    look = look_of(features, labels, 3)
    seen = seen_by(look, features, labels, parts=5)
    where, places = seen.sample
    assert torch.bincount(where).tolist() == [20, 20, 3]
    moments = ClassMoments.of(features, labels, 3)
    expected = (features - moments.grand_mean) @ look.span.axes
    chosen = torch.cat([(labels == k).nonzero().flatten()[:20] for k in range(3)]).sort().values
    assert where.tolist() == labels[chosen].tolist()
    assert places.numpy() == approx(expected[chosen].numpy(), abs=1e-12)
