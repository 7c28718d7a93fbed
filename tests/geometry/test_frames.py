"""Ideal configurations by their defining properties, and distances to them by definition."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch

from caltrop.geometry import flatness, flatness_floor, orthogonal_frame, simplex_etf, welch_bound

approx = pytest.approx


@pytest.mark.parametrize(("number", "dim"), [(2, 1), (2, 5), (3, 2), (4, 3), (10, 9), (10, 40), (300, 299)])
def test_a_simplex_has_unit_rows_equal_angles_and_no_centre(number, dim):
    rows = simplex_etf(number, dim)
    cosines = np.full((number, number), -1 / (number - 1)) + np.eye(number) * number / (number - 1)
    assert (rows @ rows.T).numpy() == approx(cosines, abs=1e-13)
    assert rows.sum(0).numpy() == approx(np.zeros(dim), abs=1e-13)
    assert rows[:, number - 1 :].abs().sum() == 0


@pytest.mark.parametrize(("number", "dim"), [(1, 3), (0, 3), (5, 3), (2, 0)])
def test_a_simplex_without_room_is_refused(number, dim):
    with pytest.raises(ValueError, match=f"{number} classes form a simplex in .* not in {dim}"):
        simplex_etf(number, dim)


def test_a_frame_is_orthonormal():
    assert torch.equal(orthogonal_frame(4, 6) @ orthogonal_frame(4, 6).T, torch.eye(4, dtype=torch.float64))


def test_a_frame_without_room_is_refused():
    with pytest.raises(ValueError, match="4 orthogonal vectors need 4 dimensions, not 3"):
        orthogonal_frame(4, 3)


def distance_by_definition(rows, rank):
    """‖G/‖G‖ − P/√r‖ with P the projection on the leading eigenvectors of G."""
    products = rows @ rows.T
    _, vectors = np.linalg.eigh(products)
    leading = vectors[:, ::-1][:, :rank]
    return np.linalg.norm(products / np.linalg.norm(products) - leading @ leading.T / math.sqrt(rank))


@pytest.mark.parametrize(("number", "dim", "rank"), [(5, 8, 4), (5, 8, 5), (4, 3, 3)])
def test_flatness_is_the_distance_of_the_gram_to_a_projection(number, dim, rank):
    rows = np.random.default_rng(0).standard_normal((number, dim))
    if rank == number - 1:
        rows = rows - rows.mean(0)
    squares = torch.from_numpy(np.linalg.svd(rows, compute_uv=False) ** 2)
    assert flatness(squares, rank) == approx(distance_by_definition(rows, rank), rel=1e-10)


def test_flatness_of_equal_values_is_zero_and_survives_a_billionth():
    values = torch.ones(4, dtype=torch.float64)
    assert flatness(values, 4) == 0
    values[0] += 1e-9
    # one of four shares moved by 1e-9: √(3/4)/2 of it is the distance; √(2−2ρ) would see nothing
    assert flatness(values, 4) == approx(1e-9 * math.sqrt(3) / 4, rel=1e-6)


@pytest.mark.parametrize(("rank", "dim"), [(9, 2), (9, 8), (4, 1)])
def test_the_floor_is_the_flatness_of_equal_values_in_too_few_dimensions(rank, dim):
    assert flatness_floor(rank, dim) == approx(flatness(torch.ones(dim, dtype=torch.float64), rank), rel=1e-12)


@pytest.mark.parametrize("dim", [9, 10, 100])
def test_with_room_there_is_no_floor(dim):
    assert flatness_floor(9, dim) == 0


def test_missing_eigenvalues_count_as_zeros():
    short, full = torch.tensor([3.0, 1.0]).double(), torch.tensor([3.0, 1.0, 0.0, 0.0]).double()
    assert flatness(short, 4) == approx(flatness(full, 4), rel=1e-15)


@pytest.mark.parametrize("number", [3, 7, 50])
def test_a_simplex_meets_the_welch_bound(number):
    assert welch_bound(number, number - 1) == approx(1 / (number - 1), rel=1e-15)


def test_three_lines_in_the_plane_meet_the_welch_bound():
    assert welch_bound(3, 2) == approx(0.5, rel=1e-15)


def test_no_set_of_lines_beats_the_welch_bound():
    rows = np.random.default_rng(0).standard_normal((200, 12, 4))
    rows /= np.linalg.norm(rows, axis=2, keepdims=True)
    largest = (np.abs(rows @ rows.transpose(0, 2, 1)) - np.eye(12)).max((1, 2))
    assert largest.min() > welch_bound(12, 4)


def test_with_room_for_orthogonal_lines_the_bound_is_zero():
    assert welch_bound(4, 4) == welch_bound(4, 9) == 0
