"""Thresholds of the simplex: against scans of the scalar problem, and Hessians on both sides."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch

from caltrop.theory import DeepUfmCrossEntropy
from caltrop.theory.fibres import fibre_dimension, published_fibre_dimensions
from caltrop.theory.logit_factors import linear_factors
from caltrop.theory.logit_families import simplex
from caltrop.theory.thresholds import CollapseThresholds, collapse_thresholds, simplex_coupling, stable_scale

sizes = pytest.mark.parametrize(("classes", "depth"), [(2, 2), (3, 5), (4, 2), (10, 3), (10, 12), (100, 4)])


def loss_along(classes, depth, coupling, scales):
    fit = np.log1p((classes - 1) * np.exp(-scales))
    return fit + (depth + 1) / 2 * coupling * (classes - 1) * scales ** (2 / (depth + 1))


@sizes
def test_beside_zero_there_is_a_minimum_up_to_the_first_threshold(classes, depth):
    scales = np.linspace(0.01, 60, 400_000)
    exists = collapse_thresholds(classes, depth).exists
    for factor, expected in ((0.9999, True), (1.0001, False)):
        values = loss_along(classes, depth, factor * exists, scales)
        assert bool(np.any((values[1:-1] < values[:-2]) & (values[1:-1] < values[2:]))) == expected


@sizes
def test_that_minimum_is_below_zero_s_up_to_the_tie(classes, depth):
    scales = np.linspace(0.01, 60, 400_000)
    ties = collapse_thresholds(classes, depth).ties
    for factor, expected in ((0.9999, True), (1.0001, False)):
        assert bool(loss_along(classes, depth, factor * ties, scales).min() < math.log(classes)) == expected


@pytest.mark.parametrize(("classes", "depth"), [(4, 2), (4, 3), (5, 2), (6, 2)])
def test_the_simplex_is_stable_up_to_its_threshold_and_then_turns_down_in_k_k_minus_3_half_directions(classes, depth):
    limit = stable_scale(classes, depth)
    for scale, expected in ((limit * 1.001, 0), (limit * 0.999, classes * (classes - 3) // 2)):
        decay = simplex_coupling(scale, classes, depth)
        below = decay < collapse_thresholds(classes, depth).stable
        assert below == (scale > limit)
        problem = DeepUfmCrossEntropy(
            num_classes=classes, depth=depth, dim=classes - 1, weight_decay=decay, feature_decay=decay
        )
        params = linear_factors(simplex(classes), scale, problem.class_means, problem.class_coupling)
        values = spectrum(problem, params)
        # the slope at a stationary scale is rounding, the eigenvalues that turn are a thousandth of the others
        assert int((values < -1e-9).sum()) == expected
        assert int((values.abs() <= 1e-9).sum()) == fibre_dimension(classes - 1, classes - 1, depth)


def spectrum(problem, params):
    names = list(params)
    split = [params[name].numel() for name in names]

    def loss(flat):
        pieces = zip(names, flat.split(split), strict=True)
        return problem.loss({name: piece.reshape(params[name].shape) for name, piece in pieces})

    flat = torch.cat([params[name].reshape(-1) for name in names])
    slope = torch.autograd.functional.jacobian(loss, flat)
    assert float(slope.abs().max()) < 1e-13
    return torch.linalg.eigvalsh(torch.autograd.functional.hessian(loss, flat))


@pytest.mark.parametrize("classes", [2, 5, 40])
def test_at_depth_one_all_thresholds_are_one_over_the_classes(classes):
    assert collapse_thresholds(classes, 1) == CollapseThresholds(1 / classes, 1 / classes, 1 / classes)


def test_equal_penalties_undo_the_root_of_the_samples():
    found = collapse_thresholds(10, 3)
    decay = found.equal_penalties(3, per_class=7).ties
    problem = DeepUfmCrossEntropy(num_classes=10, depth=3, dim=10, weight_decay=decay, feature_decay=decay, per_class=7)
    assert problem.class_coupling == pytest.approx(found.ties, rel=1e-14)
    assert problem.thresholds == found


def test_the_family_becomes_zero_at_the_tie():
    ties = collapse_thresholds(10, 3).ties
    for factor, expected in ((0.999, False), (1.001, True)):
        decay = factor * ties
        problem = DeepUfmCrossEntropy(num_classes=10, depth=3, dim=10, weight_decay=decay, feature_decay=decay)
        assert problem.family("simplex").is_zero == expected


@pytest.mark.parametrize("more", [{"relu": True}, {"label_smoothing": 0.1}, {"counts": (1, 2, 3)}])
def test_thresholds_are_stated_only_where_they_hold(more):
    problem = DeepUfmCrossEntropy(num_classes=3, depth=2, dim=3, weight_decay=0.1, feature_decay=0.1, **more)
    assert problem.thresholds is None


@pytest.mark.parametrize(("classes", "depth", "name"), [(1, 2, "num_classes"), (3, 0, "depth")])
def test_impossible_sizes_are_refused(classes, depth, name):
    with pytest.raises(ValueError, match=name):
        collapse_thresholds(classes, depth)


@pytest.mark.parametrize(("rank", "dim", "depth", "exact"), [(3, 4, 2, 12), (2, 5, 2, 14), (0, 3, 4, 0), (3, 5, 3, 27)])
def test_fibres_are_stiefel_manifolds(rank, dim, depth, exact):
    assert fibre_dimension(rank, dim, depth) == exact
    # tangents of frames of r orthonormal vectors: d r entries under r(r+1)/2 conditions, counted by a rank
    frame = torch.eye(dim, rank, dtype=torch.float64)
    conditions = []
    for place in range(dim * rank):
        moved = torch.zeros(dim * rank, dtype=torch.float64)
        moved[place] = 1
        moved = moved.reshape(dim, rank)
        conditions.append((frame.T @ moved + moved.T @ frame).reshape(-1))
    free = dim * rank - int(torch.linalg.matrix_rank(torch.stack(conditions))) if rank else 0
    assert exact == depth * free


def test_the_published_count_is_another():
    assert published_fibre_dimensions(9, 10, 2, is_simplex=True) == (18, 18)
    assert published_fibre_dimensions(5, 10, 2, is_simplex=False) == (50, 70)
    assert (fibre_dimension(9, 10, 2), fibre_dimension(5, 10, 2)) == (90, 70)


@pytest.mark.parametrize("call", [lambda: fibre_dimension(4, 3, 2), lambda: fibre_dimension(-1, 3, 2)])
def test_a_fibre_needs_room(call):
    with pytest.raises(ValueError, match=r"dim=3 must be an integer of 4|rank=-1 must be"):
        call()
