"""Span moments: shards add, subtract, and give what recomputation from the samples gives."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch

from caltrop.stats import ClassMoments, SecondLook, Span, SpanMoments
from reference import unequal

approx = pytest.approx
SHAPES = [([12, 9, 7], 6), ([12, 9, 7, 5, 8], 3), ([30, 1, 7], 1), ([6, 6], 9)]


def drawn(sizes, dim, seed=1):
    features, labels, *_ = unequal(sizes, dim, dtype=np.float64, offset=3.0, seed=seed)
    return torch.from_numpy(features), torch.from_numpy(labels)


def looked(features, labels, number, parts=1):
    """The second look, with the features in several batches."""
    look = SecondLook(ClassMoments.of(features, labels, number, scatter=False), dtype=torch.float64)
    for rows in torch.tensor_split(torch.arange(len(labels)), parts):
        look.update(features[rows], labels[rows])
    return look.close()


def assert_alike(left, right, span=True):
    """Equal to rounding in everything that measures read."""
    assert left.counts.tolist() == right.counts.tolist()
    assert left.spread.numpy() == approx(right.spread.numpy(), rel=1e-10, abs=1e-12)
    assert left.between.numpy() == approx(right.between.numpy(), rel=1e-10, abs=1e-14)
    assert left.rank == right.rank
    assert left.quotient(left.rank) == approx(right.quotient(right.rank), rel=1e-9)
    if span:
        assert left.scatter.numpy() == approx(right.scatter.numpy(), rel=1e-9, abs=1e-11)


@pytest.mark.parametrize(("sizes", "dim"), SHAPES)
def test_the_scatter_gives_what_a_second_look_gives(sizes, dim):
    features, labels = drawn(sizes, dim)
    known = SpanMoments.of(ClassMoments.of(features, labels, len(sizes)))
    assert_alike(known, looked(features, labels, len(sizes)).span, span=False)
    assert known.within.trace() == approx(float(looked(features, labels, len(sizes)).span.within.trace()), rel=1e-10)


def shards(features, labels, number, cut):
    whole = ClassMoments.of(features, labels, number)
    span = Span.of(whole)
    parts = [slice(0, cut), slice(cut, None)]
    return [SpanMoments.of(ClassMoments.of(features[part], labels[part], number), span, whole.means) for part in parts]


@pytest.mark.parametrize("cut", [0, 1, 10, 20])
@pytest.mark.parametrize(("sizes", "dim"), SHAPES)
def test_shards_seen_in_one_span_add_up_to_the_whole(sizes, dim, cut):
    features, labels = drawn(sizes, dim)
    first, second = shards(features, labels, len(sizes), cut)
    assert_alike(first.merge(second), SpanMoments.of(ClassMoments.of(features, labels, len(sizes))))
    assert_alike(second.merge(first), first.merge(second))


@pytest.mark.parametrize(("sizes", "dim"), SHAPES)
def test_taking_a_shard_out_undoes_the_merge(sizes, dim):
    features, labels = drawn(sizes, dim)
    first, second = shards(features, labels, len(sizes), len(labels) - 4)
    left = first.merge(second).without(second)
    assert left.counts.tolist() == first.counts.tolist()
    assert left.sums.numpy() == approx(first.sums.numpy(), abs=1e-12)
    assert left.squares.numpy() == approx(first.squares.numpy(), abs=1e-12)
    assert left.scatter.numpy() == approx(first.scatter.numpy(), abs=1e-12)


@pytest.mark.parametrize(("sizes", "dim"), [([12, 9, 7, 5, 8], 3), ([30, 7, 9], 2), ([9, 9], 1)])
def test_without_a_shard_the_rest_is_what_its_own_samples_give(sizes, dim):
    """Where the span is the whole space, leaving samples out is exact: means, spread and quotient all move."""
    features, labels = drawn(sizes, dim)
    kept = len(labels) - 6
    first, second = shards(features, labels, len(sizes), kept)
    left = first.merge(second).without(second)
    assert left.shift is not None
    again = SpanMoments.of(ClassMoments.of(features[:kept], labels[:kept], len(sizes)))
    assert_alike(left, again, span=False)
    assert left.noise_trace == approx(again.noise_trace, rel=1e-10)


def test_moments_about_their_own_means_have_no_shift():
    features, labels = drawn([12, 9, 7], 6)
    assert SpanMoments.of(ClassMoments.of(features, labels, 3)).shift is None


@pytest.mark.parametrize("dim", [1, 2, 6])
def test_moments_of_different_spans_do_not_merge(dim):
    """In one dimension, and often in two, both spans have the same axes."""
    first, second = (SpanMoments.of(ClassMoments.of(*drawn([5, 6, 7], dim, seed=s), 3)) for s in (1, 2))
    with pytest.raises(ValueError, match="different spans and do not merge"):
        first.merge(second)


def test_moments_of_equal_spans_merge_though_the_spans_are_two_objects():
    features, labels = drawn([5, 6, 7], 4)
    first, second = (SpanMoments.of(ClassMoments.of(features, labels, 3)) for _ in range(2))
    assert first.merge(second).num_samples == 36


def test_without_scatter_nothing_is_known_in_the_span():
    features, labels = drawn([5, 6, 7], 4)
    with pytest.raises(ValueError, match=r"kept no scatter.*second time"):
        SpanMoments.of(ClassMoments.of(features, labels, 3, scatter=False))


def test_per_axis_squares_merge_only_where_both_kept_them():
    features, labels = drawn([12, 9, 7], 6)
    kept = looked(features, labels, 3).span
    plain = SpanMoments(kept.span, kept.counts, kept.sums, kept.squares, kept.scatter)
    assert torch.equal(kept.merge(kept).axis_squares, 2 * kept.axis_squares)
    assert kept.merge(plain).axis_squares is None
    assert kept.axis_squares.sum(0).numpy() == approx(kept.scatter.diagonal().numpy(), rel=1e-10)


def test_equal_features_far_from_the_origin_have_no_between_class_spread():
    features = torch.full((15, 4), 1e5 / 3, dtype=torch.float64)
    moments = SpanMoments.of(ClassMoments.of(features, torch.arange(15) % 4, 4))
    assert moments.between_trace == 0
    assert moments.rank == 0


def test_one_sample_classes_borrow_the_pooled_noise_and_alone_have_none():
    features, labels = drawn([30, 1, 7], 4)
    moments = SpanMoments.of(ClassMoments.of(features, labels, 3))
    rest = float(moments.spread.sum()) / (30 + 7 - 2)
    own = moments.spread / (moments.counts - 1)
    expected = (float(own[0]) / 30 + rest / 1 + float(own[2]) / 7) / 3 * (2 / 3)
    assert moments.noise_trace == approx(expected, rel=1e-10)
    alone = SpanMoments.of(ClassMoments.of(features[:3], torch.arange(3), 3))
    assert math.isnan(alone.noise_trace)
    assert alone.resolved_rank == -1


@pytest.mark.parametrize(
    ("storage", "kind"), [(torch.float16, np.float16), (torch.bfloat16, None), (torch.float32, np.float32)]
)
def test_rounding_to_a_format_adds_about_its_resolution(storage, kind):
    """Deviations as wide as the spacing of the format: rounding then adds u²/12 a coordinate, independently."""
    draw = np.random.default_rng(0)
    means = draw.standard_normal((5, 20))
    labels = torch.arange(2000) % 5
    width = torch.finfo(storage).eps
    exact = torch.from_numpy(means[labels] + width * draw.standard_normal((2000, 20)))
    stored = exact.to(storage)
    before, after = (SpanMoments.of(ClassMoments.of(rows, labels, 5)) for rows in (exact, stored.double()))
    said = SpanMoments.of_format(ClassMoments.of(stored, labels, 5), after.span)
    added = after.quotient(4) - before.quotient(4)
    assert 1 / 3 < added / said.quotient(4) < 3
    assert 1 / 3 < (after.within_trace - before.within_trace) / said.within_trace < 3
