"""Accumulators: what a batch may look like, how they grow, and how they refuse."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from caltrop.stats import ClassAccumulator, ClassMoments, MeanAccumulator

approx = pytest.approx
K, D = 4, 6


def drawn(count=60, dtype=torch.float64, seed=0):
    draw = np.random.default_rng(seed)
    labels = torch.from_numpy(draw.integers(0, K, count))
    means = torch.from_numpy(draw.standard_normal((K, D)) * 3)
    return (means[labels] + torch.from_numpy(draw.standard_normal((count, D)))).to(dtype), labels


def by_definition(features, labels, number=K):
    """Counts, means, spreads and scatter, from the definitions."""
    rows, labels = features.double().numpy(), labels.numpy()
    counts = np.bincount(labels, minlength=number)
    means = np.array([rows[labels == k].mean(0) if counts[k] else np.zeros(rows.shape[1]) for k in range(number)])
    rest = rows - means[labels]
    spread = np.array([(rest[labels == k] ** 2).sum() for k in range(number)])
    return counts, means, spread, rest.T @ rest


def assert_moments(moments, expected, tolerance=1e-12):
    counts, means, spread, scatter = expected
    assert moments.counts.tolist() == counts.tolist()
    assert moments.means.numpy() == approx(means, rel=1e-12, abs=1e-12)
    assert moments.spread.numpy() == approx(spread, rel=tolerance, abs=tolerance)
    if moments.scatter is not None:
        assert moments.scatter.numpy() == approx(scatter, rel=tolerance, abs=tolerance * spread.sum())


# float32 products of residuals; half-precision features are exact in float32
FORMATS = [(torch.float64, 1e-12), (torch.float32, 1e-6), (torch.float16, 1e-6), (torch.bfloat16, 1e-6)]


@pytest.mark.parametrize(("dtype", "tolerance"), FORMATS)
def test_one_pass_closes_to_the_moments_of_the_stored_numbers(dtype, tolerance):
    features, labels = drawn(dtype=dtype)
    moments = ClassMoments.of(features, labels, K)
    assert moments.storage == dtype
    assert_moments(moments, by_definition(features, labels), tolerance)


@pytest.mark.parametrize("batch", [1, 2, 7, 59])
@pytest.mark.parametrize(("dtype", "tolerance"), FORMATS)
def test_batches_of_any_size_close_to_the_same_moments(dtype, tolerance, batch):
    features, labels = drawn(dtype=dtype)
    accumulator = ClassAccumulator(K, D, scatter=True)
    for rows, where in zip(torch.split(features, batch), torch.split(labels, batch), strict=True):
        accumulator.update(rows, where)
    assert_moments(accumulator.close(), by_definition(features, labels), tolerance)


@pytest.mark.parametrize("order", ["sorted", "backwards", "one class first"])
def test_a_class_may_come_late(order):
    features, labels = drawn()
    places = {"sorted": labels.argsort(), "backwards": labels.argsort(descending=True), "one class first": None}[order]
    places = (labels != 2).int().argsort() if places is None else places
    accumulator = ClassAccumulator(K, D, scatter=True)
    for part in torch.split(places, 5):
        accumulator.update(features[part], labels[part])
    assert_moments(accumulator.close(), by_definition(features, labels))


@pytest.mark.parametrize("values", [1, 7, 64])
def test_blocks_inside_a_batch_change_nothing(monkeypatch, values):
    monkeypatch.setattr("caltrop.stats.accumulator.BLOCK_VALUES", values)
    features, labels = drawn()
    assert_moments(ClassMoments.of(features, labels, K), by_definition(features, labels))


def test_buffered_rows_are_flushed_in_the_middle_and_at_the_end(monkeypatch):
    monkeypatch.setattr("caltrop.stats.accumulator.GRAM_ROWS", 16)
    features, labels = drawn()
    accumulator = ClassAccumulator(K, D, scatter=True)
    for part in torch.split(torch.arange(60), 7):
        accumulator.update(features[part], labels[part])
    assert_moments(accumulator.close(), by_definition(features, labels))


ORDERS = [(torch.float64, torch.float32), (torch.float32, torch.float64), (torch.float16, torch.float32)]


@pytest.mark.parametrize(("first", "second"), [*ORDERS, (torch.bfloat16, torch.float16), (torch.float64, torch.half)])
def test_batches_of_mixed_precision_are_one_sample(first, second):
    """The second batch brings a class that the first did not have."""
    features, labels = drawn()
    early, late = labels < 3, labels >= 1
    parts = [(features[early].to(first), labels[early]), (features[late].to(second), labels[late])]
    accumulator = ClassAccumulator(K, D, scatter=True)
    for rows, where in parts:
        accumulator.update(rows, where)
    stored = torch.cat([rows.double() for rows, _ in parts])
    assert_moments(accumulator.close(), by_definition(stored, torch.cat([where for _, where in parts])), 1e-6)
    assert accumulator.close().storage == max(first, second, key=lambda kind: torch.finfo(kind).eps)


@pytest.mark.parametrize("kind", [MeanAccumulator, ClassAccumulator])
def test_an_accumulator_grows_with_the_labels(kind):
    features, labels = drawn()
    order = labels.argsort()
    accumulator = kind(0, D)
    for part in torch.split(order, 4):
        accumulator.grow(int(labels[part].max()) + 1)
        accumulator.update(features[part], labels[part])
    if kind is MeanAccumulator:
        accumulator.trim()
    counts, means = accumulator.means() if kind is MeanAccumulator else accumulator.first.means()
    if kind is ClassAccumulator:
        assert_moments(accumulator.close(), by_definition(features, labels))
        return
    assert counts.tolist() == by_definition(features, labels)[0].tolist()
    assert means.numpy() == approx(by_definition(features, labels)[1], rel=1e-12)


def test_growing_doubles_the_room_and_closing_drops_the_spare():
    accumulator = ClassAccumulator(3, 2)
    accumulator.grow(4)
    accumulator.update(torch.ones(1, 2), torch.tensor([3]))
    assert accumulator.close().num_classes == 4


def test_growing_to_fewer_classes_loses_none():
    accumulator = ClassAccumulator(5, 2)
    accumulator.grow(2)
    assert accumulator.close().num_classes == 5


def test_an_accumulator_goes_on_after_it_was_closed():
    features, labels = drawn()
    accumulator = ClassAccumulator(K, D, scatter=True)
    accumulator.update(features[:30], labels[:30])
    assert_moments(accumulator.close(), by_definition(features[:30], labels[:30]))
    accumulator.update(features[30:], labels[30:])
    assert_moments(accumulator.close(), by_definition(features, labels))


def test_absent_classes_have_no_samples_no_mean_and_no_spread():
    features, labels = drawn()
    moments = ClassMoments.of(features, 2 * labels, 2 * K + 1)
    assert moments.classes.tolist() == [0, 2, 4, 6]
    assert moments.means[1].tolist() == [0] * D
    assert moments.spread[8] == 0
    assert_moments(moments.present, by_definition(features, labels))


def test_an_empty_batch_adds_nothing():
    accumulator = ClassAccumulator(K, D, scatter=True)
    accumulator.update(torch.zeros(0, D), torch.zeros(0, dtype=torch.long))
    assert accumulator.close().num_samples == 0


def test_the_callers_features_are_not_changed():
    features, labels = drawn(dtype=torch.float32)
    before = features.clone()
    ClassMoments.of(features, labels, K)
    assert torch.equal(features, before)


def test_a_spread_of_equal_samples_is_never_negative():
    features = torch.full((9, 3), 0.1)
    accumulator = ClassAccumulator(1, 3)
    for row in features.split([1, 3, 5]):
        accumulator.update(row, torch.zeros(len(row), dtype=torch.long))
    assert 0 <= float(accumulator.close().spread) < 1e-15


def test_an_offset_of_a_thousand_costs_no_digit_of_the_spread():
    draw = np.random.default_rng(0)
    labels = torch.arange(400) % 4
    features = torch.from_numpy(1000 + np.eye(4)[labels] + 1e-3 * draw.standard_normal((400, 4))).float()
    accumulator = ClassAccumulator(4, 4, scatter=True)
    for part in torch.split(torch.arange(400), 32):
        accumulator.update(features[part], labels[part])
    assert_moments(accumulator.close(), by_definition(features, labels), 1e-6)


@pytest.mark.parametrize("size", [1e-44, 1e-30, 1e-20, 1e15, 1e18])
def test_features_far_from_one_keep_their_spread(size):
    """Float32 squares of these are 0 or infinite."""
    features, labels = drawn()
    stored = (features * size).float()
    moments = ClassMoments.of(stored, labels, K)
    expected = by_definition(stored, labels)
    assert moments.spread.numpy() == approx(expected[2], rel=1e-6)
    assert moments.scatter.numpy() == approx(expected[3], rel=1e-6, abs=1e-6 * expected[2].sum())


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize("dtype", [torch.float64, torch.float32, torch.float16, torch.bfloat16])
@pytest.mark.parametrize("kind", [MeanAccumulator, ClassAccumulator])
def test_a_bad_number_is_named_by_layer_sample_and_coordinate(kind, dtype, bad):
    features, labels = drawn(dtype=dtype)
    features[37, 4] = bad
    accumulator = kind(K, D, layer="block.2")
    accumulator.update(features[:20], labels[:20])
    with pytest.raises(ValueError, match=rf"layer 'block\.2' are not finite: sample 37 has {bad} at coordinate 4\."):
        accumulator.update(features[20:], labels[20:])


def test_several_bad_samples_are_counted_and_the_first_is_named_by_its_given_place():
    features, labels = drawn()
    features[[3, 8], 0] = np.nan
    with pytest.raises(ValueError, match=r"sample 103 has nan at coordinate 0 \(2 such samples in this batch\)"):
        MeanAccumulator(K, D).update(features, labels, torch.arange(60) + 100)


def test_squares_that_overflow_are_said_to_and_not_called_infinite():
    with pytest.raises(ValueError, match=r"finite but so large that their squares overflow torch\.float32"):
        MeanAccumulator(2, 2).update(torch.full((3, 2), 3e19), torch.tensor([0, 1, 1]))


@pytest.mark.parametrize(
    ("rows", "labels", "said"),
    [
        (torch.zeros(2, D + 1), [0, 1], f"layer 'fc' had {D} features per sample before and has {D + 1} now"),
        (torch.zeros(2, D), [0, K], rf"labels span \[0, {K}\], but num_classes={K} allows only 0\.\.{K - 1}"),
        (torch.zeros(2, D), [-1, 1], r"labels span \[-1, 1\]"),
    ],
)
@pytest.mark.parametrize("kind", [MeanAccumulator, ClassAccumulator])
def test_a_batch_that_does_not_fit_is_refused(kind, rows, labels, said):
    with pytest.raises(ValueError, match=said):
        kind(K, D, layer="fc").update(rows, torch.tensor(labels))
