"""Synthetic clusters repeat published draws and have the structure asked for."""

from __future__ import annotations

import numpy as np
import pytest

import reference
from caltrop.data import clusters


@pytest.mark.parametrize(
    "options", [{}, {"rank": 4, "sigma": 0.01}, {"offset": 100.0, "seed": 3}, {"dtype": np.float64}]
)
def test_draws_are_those_of_the_published_validation_numbers(options):
    published = reference.make(2000, 128, 10, **options)
    ours = clusters(2000, 128, 10, **options)
    for expected, drawn in zip(published, ours, strict=True):
        assert drawn.dtype == expected.dtype
        np.testing.assert_array_equal(drawn, expected)


def test_the_first_draws_are_pinned_to_numbers():
    drawn = clusters(2000, 128, 10)
    assert drawn.labels[:6].tolist() == [0, 8, 7, 7, 5, 8]
    # float32 values: seven digits
    assert drawn.bias[:2].tolist() == pytest.approx([0.03190137, 0.10940199], rel=1e-6)


def test_rank_bounds_the_span_of_the_class_means():
    drawn = clusters(60, 20, 6, rank=2, sigma=0.0, dtype=np.float64)
    means = np.stack([drawn.features[drawn.labels == label].mean(axis=0) for label in range(6)])
    assert np.linalg.matrix_rank(means) == 2


def test_zero_sigma_puts_every_sample_on_its_class_mean():
    drawn = clusters(40, 5, 4, sigma=0.0)
    for label in range(4):
        of_class = drawn.features[drawn.labels == label]
        np.testing.assert_array_equal(of_class, np.broadcast_to(of_class[0], of_class.shape))


def test_offset_moves_every_coordinate_alike():
    near, far = (clusters(40, 5, 4, offset=offset, dtype=np.float64) for offset in (0.0, 1000.0))
    # 1000 ± 1 in float64 rounds to about 1e-13
    np.testing.assert_allclose(far.features - near.features, 1000.0, atol=1e-12, rtol=0)


def test_counts_set_the_samples_per_class():
    drawn = clusters(10, 3, 4, counts=(1, 2, 3, 4))
    assert np.bincount(drawn.labels).tolist() == [1, 2, 3, 4]


def test_equal_counts_change_nothing():
    np.testing.assert_array_equal(clusters(12, 3, 4, counts=(3, 3, 3, 3)).features, clusters(12, 3, 4).features)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"num_samples": 10}, "10 samples cannot be shared equally by 4 classes"),
        ({"counts": (3, 3, 3, 4)}, "add up to 12"),
        ({"counts": (6, 6)}, "must hold 4 sizes"),
        ({"counts": (-1, 5, 4, 4)}, "0 or more"),
        ({"rank": 0}, "rank=0 is impossible"),
        ({"rank": 4}, "rank=4 is impossible in dim=3"),
    ],
)
def test_sizes_that_do_not_fit_are_refused(arguments, message):
    with pytest.raises(ValueError, match=message):
        clusters(**{"num_samples": 12, "dim": 3, "num_classes": 4, **arguments})
