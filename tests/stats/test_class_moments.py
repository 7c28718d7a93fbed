"""Class moments as a value: doors, merging, selecting, and what is derived."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from caltrop.stats import ClassAccumulator, ClassMoments, TotalSpectrum
from reference import unequal

approx = pytest.approx


def drawn(sizes=(9, 5, 7), dim=4, **more):
    features, labels, *_ = unequal(list(sizes), dim, dtype=np.float64, offset=2.0, **more)
    return features, labels


@pytest.mark.parametrize(
    "form",
    [
        lambda labels: labels.tolist(),
        lambda labels: labels[:, None],
        lambda labels: np.eye(3)[labels],
        lambda labels: labels.astype(">i2"),
        lambda labels: torch.from_numpy(labels).to(torch.uint8),
    ],
)
def test_labels_are_read_as_the_contract_says(form):
    features, labels = drawn()
    assert ClassMoments.of(features, form(labels), 3).counts.tolist() == [9, 5, 7]


@pytest.mark.parametrize("labels", [[0, 1, 0.5], [0, 1, np.nan]])
def test_labels_that_are_no_classes_are_not_rounded(labels):
    with pytest.raises((TypeError, ValueError), match="label 2 is"):
        ClassMoments.of(np.zeros((3, 2)), labels, 2)


def test_minus_one_is_no_class_here():
    with pytest.raises(ValueError, match="-1"):
        ClassMoments.of(np.zeros((3, 2)), [0, 1, -1], 2)


@pytest.mark.parametrize("shape", [(3,), (3, 2, 2)])
def test_features_of_another_shape_are_refused(shape):
    with pytest.raises(ValueError, match=r"expected \[samples, dim\]"):
        ClassMoments.of(np.zeros(shape), [0, 1, 1], 2)


def test_integer_features_are_refused():
    with pytest.raises(TypeError, match=r"features of layer 'features' are torch\.int64"):
        ClassMoments.of(np.zeros((3, 2), dtype=int), [0, 1, 1], 2)


@pytest.mark.parametrize(("dim", "asked", "kept"), [(3, None, True), (3, False, False), (513, None, False)])
def test_the_scatter_is_kept_up_to_512_dimensions_or_as_asked(dim, asked, kept):
    assert (ClassMoments.of(np.zeros((3, dim)), [0, 1, 1], 2, scatter=asked).scatter is not None) == kept


def test_merging_different_shapes_is_refused():
    with pytest.raises(ValueError, match=r"shards of \[2, 3\] and \[2, 4\] \[classes, dim\] do not merge"):
        ClassMoments.of(np.zeros((3, 3)), [0, 1, 1], 2).merge(ClassMoments.of(np.zeros((3, 4)), [0, 1, 1], 2))


def test_a_shard_without_scatter_leaves_none():
    features, labels = drawn()
    with_scatter = ClassMoments.of(features, labels, 3)
    assert with_scatter.merge(ClassMoments.of(features, labels, 3, scatter=False)).scatter is None


def test_the_coarser_format_bounds_a_merged_sum():
    half, full = (ClassMoments.of(torch.ones(2, 2).to(kind), [0, 1], 2) for kind in (torch.float16, torch.float32))
    assert half.merge(full).storage == full.merge(half).storage == torch.float16


def test_merging_an_empty_shard_of_its_kind_is_exact():
    features, labels = drawn()
    whole = ClassMoments.of(features, labels, 3)
    empty = ClassMoments.of(features[:0], labels[:0], 3)
    merged = empty.merge(whole).merge(empty)
    assert torch.equal(merged.means, whole.means)
    assert torch.equal(merged.spread, whole.spread)
    assert torch.equal(merged.scatter, whole.scatter)


def test_a_worker_that_saw_nothing_does_not_coarsen_the_format():
    features, labels = drawn()
    idle = ClassAccumulator(3, 4, scatter=True).close()
    assert idle.merge(ClassMoments.of(features, labels, 3)).storage == torch.float64


def test_centred_means_see_present_classes_only():
    features, labels = drawn((9, 0, 5, 7, 0))
    moments = ClassMoments.of(features, labels, 5)
    assert torch.equal(moments.centred_means[[0, 2, 3]], moments.present.centred_means)
    assert moments.centred_means[[1, 4]].abs().sum() == 0
    assert moments.grand_mean.numpy() == approx(moments.present.grand_mean.numpy(), rel=1e-15)


def test_the_two_centres_differ_exactly_by_imbalance():
    features, labels = drawn((9, 0, 5, 7))
    moments = ClassMoments.of(features, labels, 4)
    means = [features[labels == k].mean(0) for k in (0, 2, 3)]
    assert moments.grand_mean.numpy() == approx(np.mean(means, 0), rel=1e-12)
    assert moments.sample_mean.numpy() == approx(features.mean(0), rel=1e-12)


def test_centred_means_sum_to_zero_under_a_large_offset():
    features, labels = drawn()
    rows = ClassMoments.of(features + 1e6, labels, 3).centred_means
    assert float(rows.sum(0).abs().max()) < 1e-15


def test_selecting_all_classes_with_samples_keeps_the_scatter_and_fewer_lose_it():
    features, labels = drawn((9, 0, 5, 7))
    moments = ClassMoments.of(features, labels, 4)
    assert moments.select(torch.tensor([3, 0, 2])).scatter is not None
    assert moments.select(torch.tensor([3, 0])).scatter is None
    assert moments.select(torch.tensor([3, 0])).counts.tolist() == [7, 9]


def test_variances_are_mean_squared_distances_and_undefined_without_samples():
    features, labels = drawn((9, 0, 5))
    moments = ClassMoments.of(features, labels, 3)
    assert float(moments.variances[2]) == approx(features[labels == 2].var(0).sum(), rel=1e-12)
    assert moments.variances[1].isnan()
    weights = moments.counts[[0, 2]] / moments.num_samples
    assert moments.within_trace == approx(float((weights * moments.variances[[0, 2]]).sum()), rel=1e-12)


def test_the_total_spectrum_is_that_of_the_covariance():
    features, labels = drawn()
    spectrum = TotalSpectrum.of(ClassMoments.of(features, labels, 3))
    expected = np.linalg.eigvalsh(np.cov(features.T, bias=True))[::-1]
    assert spectrum.values.numpy() == approx(expected, rel=1e-10)


def test_the_total_spectrum_needs_the_scatter():
    features, labels = drawn()
    with pytest.raises(ValueError, match="pass scatter=True"):
        TotalSpectrum.of(ClassMoments.of(features, labels, 3, scatter=False))
