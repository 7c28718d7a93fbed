"""The scan over pairs against brute force, over several tiles and at cancelling distances."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from caltrop.stats import Pairs

approx = pytest.approx


def brute_force(rows, variances):
    """Every statistic from the full matrices of differences and cosines, in extended precision."""
    rows = rows.numpy().astype(np.longdouble)
    count = len(rows)
    unit = rows / np.sqrt((rows**2).sum(1))[:, None]
    cosines, off = unit @ unit.T, ~np.eye(count, dtype=bool)
    squares = ((rows[:, None] - rows[None]) ** 2).sum(2)
    apart = ((unit[:, None] - unit[None]) ** 2).sum(2)
    spread = variances.numpy()[:, None] + variances.numpy()[None]
    others = count - 1

    def mean(values):
        return np.where(off, values, 0).sum(1) / others

    with np.errstate(divide="ignore", invalid="ignore"):
        return {
            "angle": mean(np.abs(cosines + 1 / others)),
            "largest": np.where(off, cosines, -np.inf).max(1),
            "largest_abs": np.where(off, np.abs(cosines), -np.inf).max(1),
            "cdnv": mean(np.where(off, spread / (2 * squares), 0)),
            "log_inverse": mean(np.where(off, -0.5 * np.log(apart), 0)),
            "nearest": np.sqrt(np.where(off, squares, np.inf).min(1)),
            "partner": np.where(off, squares, np.inf).argmin(1),
        }


def drawn(count, dim=5, seed=0):
    draw = np.random.default_rng(seed)
    rows = torch.from_numpy(draw.standard_normal((count, dim)))
    return rows - rows.mean(0), torch.from_numpy(draw.random(count))


def assert_brute(rows, variances, tolerance=1e-11):
    found, expected = Pairs.of(rows, variances), brute_force(rows, variances)
    assert found.partner.tolist() == expected.pop("partner").tolist()
    for name, values in expected.items():
        assert getattr(found, name).numpy() == approx(values.astype(float), rel=tolerance, abs=tolerance), name


@pytest.mark.parametrize("tile", [1, 2, 5, 1024])
@pytest.mark.parametrize("count", [2, 3, 10, 41])
def test_the_scan_is_that_of_all_pairs(monkeypatch, count, tile):
    monkeypatch.setattr("caltrop.stats.pairs.TILE", tile)
    assert_brute(*drawn(count))


def test_rows_beyond_one_tile_are_all_scanned():
    assert_brute(*drawn(1300, dim=3))


@pytest.mark.parametrize("gap", [1e-3, 1e-7, 1e-11])
def test_rows_that_nearly_coincide_keep_their_distance(gap):
    """‖a‖²+‖b‖²−2ab has lost every digit of a gap of 1e-11."""
    rows, variances = drawn(12)
    rows[7] = rows[2] + gap * torch.tensor([1.0, -2, 0, 0, 2])
    # the gap itself is stored with an error of 1e-16
    assert_brute(rows, variances, tolerance=1e-11 + 1e-14 / gap)
    assert float(Pairs.of(rows, variances).nearest[7]) == approx(3 * gap, rel=1e-3)


def test_a_wide_scan_in_float32_does_close_pairs_again_in_float64(monkeypatch):
    monkeypatch.setattr("caltrop.stats.pairs.WIDE_SCAN", 10)
    rows, variances = drawn(40, dim=4)
    rows[7] = rows[2] + 1e-6
    # cosines and far distances are float32 products
    assert_brute(rows, variances, tolerance=2e-5)
    assert float(Pairs.of(rows, variances).nearest[7]) == approx(2e-6, rel=1e-6)


@pytest.mark.parametrize("scale", [1.0, 1e8])
def test_differences_below_rounding_are_no_differences(scale):
    rows, variances = drawn(6)
    rows[4] = rows[1] + 1e-15
    found = Pairs.of(rows, variances, scale)
    assert found.nearest[[1, 4]].tolist() == [0, 0]
    assert found.partner[[1, 4]].tolist() == [4, 1]
    assert found.cdnv[[1, 4]].isinf().all()
    assert found.cdnv[[0, 2, 3, 5]].isfinite().all()


def test_the_scale_of_uncentred_means_decides_what_rounding_is():
    rows, variances = drawn(6)
    rows[4] = rows[1] + 1e-9
    assert float(Pairs.of(rows, variances, 1.0).nearest[4]) > 0
    assert float(Pairs.of(rows, variances, 1e5).nearest[4]) == 0


def test_coinciding_rows_without_spread_are_undefined_and_not_infinite():
    rows, variances = drawn(6)
    rows[4], variances[[1, 4]] = rows[1], 0
    assert Pairs.of(rows, variances).cdnv[[1, 4]].isnan().all()


def test_a_row_of_zeros_has_no_direction_but_a_distance():
    rows, variances = drawn(6)
    rows[3] = 0
    found = Pairs.of(rows, variances)
    assert found.angle[3].isnan()
    assert found.largest[3].isnan()
    assert found.nearest.isfinite().all()
    assert found.cdnv.isfinite().all()


def test_parallel_rows_are_infinitely_close_on_the_sphere_only():
    rows, variances = drawn(6)
    rows[3] = 2 * rows[0]
    found = Pairs.of(rows, variances)
    assert found.log_inverse[[0, 3]].isinf().all()
    assert found.cdnv.isfinite().all()
    assert float(found.largest[3]) == approx(1, abs=1e-15)


def test_opposite_rows_are_the_largest_in_size_and_the_smallest_in_sign():
    rows = torch.tensor([[1.0, 0], [-2, 0], [0, 1], [0.1, 2]], dtype=torch.float64)
    found = Pairs.of(rows, torch.ones(4, dtype=torch.float64))
    assert float(found.largest_abs[1]) == 1
    assert float(found.largest[1]) == approx(0, abs=1e-15)
