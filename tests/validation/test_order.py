"""The same numbers whatever the batch size, the order of samples, or the number of merged shards."""

from __future__ import annotations

from functools import reduce
from itertools import pairwise

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as some

from caltrop.observe import evaluate
from caltrop.stats import ClassAccumulator, ClassMoments
from reference import RANK, VARIABILITY, make

approx = pytest.approx
K, D = 5, 9
# What sums of float32 products may lose; means are sums in float64.
VARIABILITIES = 1e-7
MEANS = 1e-12


def drawn(seed, offset=3.0, count=120):
    features, labels, *_ = make(count, D, K, seed=seed, offset=offset)
    return features, labels


def pieces(labels, cuts):
    """Index blocks between cuts; repeated cuts give empty shards."""
    edges = [0, *sorted(cuts), len(labels)]
    return [np.arange(a, b) for a, b in pairwise(edges)]


def moments(features, labels, rows):
    return ClassMoments.of(features[rows], labels[rows], K, scatter=True)


def same(left, right):
    """Two moments are equal to the stated tolerances: of the largest mean, and of the total spread."""
    assert left.counts.tolist() == right.counts.tolist()
    scale = float(right.means.abs().max())
    assert left.means.numpy() == approx(right.means.numpy(), rel=0, abs=MEANS * scale)
    total = float(right.spread.sum())
    assert float(left.spread.sum()) == approx(total, rel=VARIABILITIES)
    # a class of two dozen float32 squares, each off by up to 6e-8, doubled where the anchor is its first sample
    assert left.spread.numpy() == approx(right.spread.numpy(), rel=3 * VARIABILITIES, abs=1e-12 * total)
    assert left.scatter.numpy() == approx(right.scatter.numpy(), rel=0, abs=VARIABILITIES * total)


forty = settings(max_examples=40, deadline=None, derandomize=True, database=None)
twenty = settings(forty, max_examples=20)
seeds = some.integers(0, 2**16)
cuts = some.lists(some.integers(0, 120), min_size=1, max_size=6)
offsets = some.sampled_from([0.0, 3.0, 1000.0])


@forty
@given(seed=seeds, cut=cuts, offset=offsets, turn=some.randoms(use_true_random=False))
def test_shards_merge_in_any_order(seed, cut, offset, turn):
    features, labels = drawn(seed, offset)
    parts = [moments(features, labels, rows) for rows in pieces(labels, cut)]
    turn.shuffle(parts)
    whole = parts[0]
    for part in parts[1:]:
        whole = whole.merge(part)
    same(whole, moments(features, labels, np.arange(len(labels))))


@forty
@given(seed=seeds, cut=some.tuples(some.integers(0, 120), some.integers(0, 120)))
def test_merge_is_associative_and_commutative(seed, cut):
    a, b, c = (moments(*drawn(seed), rows) for rows in pieces(drawn(seed)[1], cut))
    same(a.merge(b).merge(c), a.merge(b.merge(c)))
    same(a.merge(b), b.merge(a))


@twenty
@given(seed=seeds)
def test_an_empty_shard_changes_nothing(seed):
    features, labels = drawn(seed)
    whole, nothing = moments(features, labels, np.arange(120)), moments(features, labels, np.arange(0))
    for merged in (whole.merge(nothing), nothing.merge(whole)):
        assert torch.equal(merged.means, whole.means)
        assert torch.equal(merged.spread, whole.spread)
        assert torch.equal(merged.scatter, whole.scatter)


@twenty
@given(seed=seeds, size=some.integers(1, 130), offset=offsets)
def test_the_batch_size_does_not_matter(seed, size, offset):
    features, labels = drawn(seed, offset)
    accumulator = ClassAccumulator(K, D, scatter=True)
    for start in range(0, 120, size):
        batch = slice(start, start + size)
        accumulator.update(torch.from_numpy(features[batch]), torch.from_numpy(labels[batch]))
    same(accumulator.close(), moments(features, labels, np.arange(120)))


@pytest.fixture(scope="module")
def whole():
    """A larger draw, a little collapsed and off the origin, and all its numbers from one shard."""
    features, labels, *_ = make(3000, 40, K, 0.05, seed=4, offset=2.0)
    return features, labels, evaluate([ClassMoments.of(features, labels, K, scatter=True)])


ORDERS = ["as drawn", "sorted by class", "reversed"]


SHARDINGS = [*((number, order) for number in (2, 7, 100) for order in ORDERS), (1000, "as drawn")]


@pytest.mark.parametrize(("number", "order"), SHARDINGS)
def test_every_number_survives_sharding(whole, number, order):
    features, labels, expected = whole
    turn = {"as drawn": np.arange(3000), "sorted by class": np.argsort(labels), "reversed": np.arange(3000)[::-1]}
    split = np.array_split(turn[order], number)
    shards = [ClassMoments.of(features[rows], labels[rows], K, scatter=True) for rows in split]
    seen = evaluate([reduce(ClassMoments.merge, shards)])
    found = {row.measure: row.value for row in seen.rows}
    wanted = {row.measure: row.value for row in expected.rows}
    assert found.keys() == wanted.keys()
    spread = wanted.keys() & {*VARIABILITY, *RANK}
    assert {name: found[name] for name in spread} == approx({n: wanted[n] for n in spread}, rel=VARIABILITIES)
    means = wanted.keys() - spread
    # the offset is 2·√40 times the class means, so 1e-12 of a mean is about 1e-11 of a difference
    assert {name: found[name] for name in means} == approx({n: wanted[n] for n in means}, rel=20 * MEANS)


def test_shards_given_one_by_one_are_merged(whole):
    features, labels, expected = whole
    shards = [ClassMoments.of(features[i::7], labels[i::7], K, scatter=True) for i in range(7)]
    seen = evaluate(shards)
    for name in VARIABILITY:
        assert seen["features", name] == approx(expected["features", name], rel=VARIABILITIES)
    assert seen.row("features", VARIABILITY[0]).half_width > 0
