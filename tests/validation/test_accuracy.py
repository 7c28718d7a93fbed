"""What the instrument promises: 1e-6 of a float64 reference on the same float32 features, however collapsed.

5000 samples, 256 dimensions, 10 classes on a simplex of norm 1; the offset is the norm of a common vector.
"""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch

from caltrop.measures import get
from caltrop.observe import evaluate, measure
from caltrop.observe.reading import LayerReading, Source
from caltrop.stats import ClassMoments, Way
from reference import twin

approx = pytest.approx
N, D, K = 5000, 256, 10
NAME = "within_class_variability"
LEVELS = [1e-2, 1e-4, 1e-6, 1e-8, 1e-10]
OFFSETS = [0.0, 10.0, 1000.0]
CELLS = [(level, offset) for level in LEVELS for offset in OFFSETS]


def collapsed(level, offset, dtype=np.float32):
    """Isotropic noise on simplex means such that tr(Σ_W Σ_B⁺)/K is `level`: Σ_B has K−1 eigenvalues 1/(K−1)."""
    draw = np.random.default_rng(11)
    turn = np.linalg.qr(draw.standard_normal((D, K)))[0].T
    means = (turn - turn.mean(0)) * math.sqrt(K / (K - 1))
    labels = draw.permutation(np.arange(N) % K)
    away = offset * turn.sum(0) / math.sqrt(K)
    noise = math.sqrt(level * K) / (K - 1) * draw.standard_normal((N, D))
    return (means[labels] + noise + away).astype(dtype), labels


@pytest.fixture(scope="module", params=CELLS, ids=lambda cell: f"{cell[0]:g} offset {cell[1]:g}")
def cell(request):
    """Features, labels, and the float64 reference on these very features."""
    features, labels = collapsed(*request.param)
    return features, labels, twin(NAME)(features, labels)


def in_hand(features, labels):
    return measure(features, labels, measures=[NAME])["features", NAME]


def shards(features, labels):
    parts = [ClassMoments.of(features[i::7], labels[i::7], K, scatter=True) for i in range(7)]
    return evaluate(parts, names=[NAME])["features", NAME]


def stream(way, names, source):
    """A stream of batches of 256 read in the way that the rule chooses for these measures."""

    def read(features, labels):
        reading = LayerReading("features", [get(name) for name in names], source, num_classes=K)
        batches = [slice(start, start + 256) for start in range(0, N, 256)]
        tensors = torch.as_tensor(features), torch.from_numpy(labels)
        for batch in batches:
            reading.first(tensors[0][batch], tensors[1][batch])
        reading.finish_first()
        assert reading.way is way
        for batch in batches if reading.needs_replay else ():
            reading.second(tensors[0][batch], tensors[1][batch])
        context = reading.close(None)
        return get(NAME)(*(context.get(kind) for kind in get(NAME).needs))

    return read


WAYS = {
    "in hand": in_hand,
    "merged shards": shards,
    "one pass": stream(Way.ONE_PASS, [NAME], Source()),
    "spool": stream(Way.SPOOL, [NAME, "nearest_centre_accuracy"], Source(num_samples=N)),
    "replay": stream(Way.TWO_PASSES, [NAME, "nearest_centre_accuracy"], Source()),
}


@pytest.mark.parametrize("way", WAYS)
def test_the_variability_is_right_to_a_millionth(cell, way):
    features, labels, expected = cell
    assert WAYS[way](features, labels) == approx(expected, rel=1e-6)


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float64], ids=str)
@pytest.mark.parametrize("way", WAYS)
def test_the_variability_of_other_formats_is_right_to_a_millionth(way, dtype):
    """Of the features as stored: rounding to half precision is in the features, not in what is done with them."""
    features, labels = collapsed(1e-2, 1.0, np.float64)
    stored = torch.from_numpy(features).to(dtype)
    assert WAYS[way](stored, labels) == approx(twin(NAME)(stored.double().numpy(), labels), rel=1e-6)


def test_the_cells_really_lie_at_their_levels():
    features, labels = collapsed(1e-6, 10.0)
    # 450 000 squared normals: a relative deviation of 1 % is seven of their standard deviations
    assert twin(NAME)(features, labels) == approx(1e-6, rel=1e-2)


@pytest.mark.parametrize("away", [10.0, 100.0, 1000.0])
@pytest.mark.parametrize("way", WAYS)
def test_outliers_at_the_head_of_every_class_cost_at_most_one_digit(way, away):
    """The first sample of each class moved by many standard deviations, sorted first: the worst of anchors."""
    features, labels = collapsed(1e-6, 0.0)
    order = np.argsort([np.flatnonzero(labels == labels[i])[0] != i for i in range(N)], kind="stable")
    features, labels = features[order].copy(), labels[order].copy()
    sigma = math.sqrt(1e-6 * K) / (K - 1)
    features[:K] += (away * sigma * np.random.default_rng(1).standard_normal((K, D))).astype(np.float32)
    assert WAYS[way](features, labels) == approx(twin(NAME)(features, labels), rel=1e-5)


@pytest.mark.parametrize(
    ("dtype", "floor"),
    [(torch.float16, 1e-9), (torch.bfloat16, 5e-8), (torch.float32, 2e-17)],
    ids=str,
)
def test_the_resolution_is_the_floor_that_was_noted_for_the_format(dtype, floor):
    features, labels = collapsed(1e-2, 0.0)
    row = measure(torch.from_numpy(features).to(dtype), labels, measures=[NAME]).row("features", NAME)
    # the floor was noted to one digit, for another random rotation of the same simplex
    assert floor / 3 < row.resolution < 3 * floor


@pytest.mark.parametrize("offset", [0.0, 10.0])
@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16], ids=str)
def test_the_resolution_is_what_rounding_to_the_format_adds(dtype, offset):
    """At three times the resolution the reading exceeds that of the unrounded features by about the resolution."""
    still, labels = collapsed(1e-30, offset, np.float64)
    floor = measure(torch.from_numpy(still).to(dtype), labels, measures=[NAME]).row("features", NAME).resolution
    features, _ = collapsed(3 * floor, offset, np.float64)
    row = measure(torch.from_numpy(features).to(dtype), labels, measures=[NAME]).row("features", NAME)
    # rounding is uniform noise only where the true noise is well above the spacing; here it is about once
    assert row.value - twin(NAME)(features, labels) == approx(row.resolution, rel=0.15)


def test_a_reading_below_the_resolution_says_so():
    features, labels = collapsed(1e-10, 0.0)
    fine = measure(features, labels, measures=[NAME]).row("features", NAME)
    coarse = measure(torch.from_numpy(features).bfloat16(), labels, measures=[NAME]).row("features", NAME)
    assert "below" not in (fine.note or "")
    assert coarse.value < coarse.resolution
    assert "below what bfloat16 features resolve" in coarse.note
