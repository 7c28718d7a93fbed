"""Signs of Hessian eigenvalues: published integers, dense Hessians of finite differences, other widths, Lanczos."""

from __future__ import annotations

import dataclasses
import math

import pytest
import torch
from scipy.optimize import brentq

from caltrop.solve.curvature import (
    chain_curvature,
    expected_nullity,
    hessian,
    hessian_products,
    loss_curvature,
)
from caltrop.theory.chain import Chain
from caltrop.theory.fits import CrossEntropy, SquaredError
from solve.points import best_scale, chain, logit_point, orthogonal_point, pairs_shape, simplex_shape

SHAPES = {"simplex": simplex_shape, "pairs": pairs_shape}


def stationary(num_classes, depth, dim, shape, per_class=1, bias=False, decay=1e-3):
    model = chain(num_classes, depth, dim, decay, per_class, bias=bias)
    logits = SHAPES[shape](num_classes)
    params = logit_point(model, best_scale(model, logits) * logits)
    return model, params | ({"bias": torch.zeros(num_classes, dtype=torch.float64)} if bias else {})


def turned(model, params, seed=0):
    """The same logits in other coordinates at every interface."""
    random = torch.Generator().manual_seed(seed)
    params = dict(params)
    for place in range(model.depth):
        turn = torch.linalg.qr(torch.randn(model.dim, model.dim, generator=random, dtype=torch.float64)).Q
        below, above = model.factors[place], model.factors[place + 1]
        params[below] = params[below] @ turn.T if place == 0 else turn @ params[below]
        params[above] = params[above] @ turn.T
    return params


def residual(model, params):
    return max(float(part.abs().max()) for part in model.value_and_gradient(params)[1].values())


def unbalanced(seed=0, dim=6, rank=2, depth=3):
    """A point that is not stationary, of unequal classes, with a bias, inside subspaces of a rank."""
    counts = torch.tensor([2.0, 1.0, 3.0], dtype=torch.float64)
    model = Chain(
        fit_of=CrossEntropy(0.1),
        labels=torch.arange(3),
        shares=counts / 6,
        multiplicities=counts,
        num_classes=3,
        dim=dim,
        decays=torch.linspace(0.01, 0.03, depth + 1, dtype=torch.float64),
        depth=depth,
        bias=True,
    )
    random = torch.Generator().manual_seed(seed)
    params = {name: torch.zeros(shape, dtype=torch.float64) for name, shape in model.shapes.items()}
    for name in model.factors:
        rows = rank if name.startswith("weights_") else 3
        params[name][:rows, :rank] = torch.randn(rows, rank, generator=random, dtype=torch.float64)
    params["bias"] = torch.randn(3, generator=random, dtype=torch.float64)
    return model, turned(model, params)


# K, L, d, n: nullities of simplex and pairs, negative eigenvalues of pairs
@pytest.mark.parametrize(
    ("sizes", "nullities", "negative"),
    [
        ((4, 2, 4, 1), (12, 10), 0),
        ((4, 2, 5, 1), (18, 14), 0),
        ((4, 2, 6, 1), (24, 18), 0),
        ((4, 3, 5, 1), (27, 21), 0),
        ((6, 2, 7, 1), (40, 30), 0),
        ((4, 2, 5, 2), (18, 14), 0),
        ((4, 1, 5, 1), (9, 7), 3),
    ],
)
def test_counts_are_those_published(sizes, nullities, negative):
    num_classes, depth, dim, per_class = sizes
    for (shape, nullity), below in zip(zip(SHAPES, nullities, strict=True), (0, negative), strict=True):
        model, params = stationary(num_classes, depth, dim, shape, per_class)
        params = turned(model, params)
        reduced = chain_curvature(model, params, residual=residual(model, params))
        dense = loss_curvature(model.loss, params, residual=residual(model, params))
        assert (reduced.nullity, reduced.negative) == (nullity, below)
        assert (dense.nullity, dense.negative) == (nullity, below)
        assert reduced.expected_nullity == nullity
        # of all positive eigenvalues the least is the penalty, here of matrices; the features' is n times it
        assert reduced.least_positive == pytest.approx(1e-3, rel=1e-9)
        assert dense.least_positive == pytest.approx(1e-3, rel=1e-9)


def test_pairs_at_depth_1_are_a_saddle_of_the_curvature_published():
    model, params = stationary(4, 1, 5, "pairs")
    assert chain_curvature(model, params, residual=0.0).smallest[0] == pytest.approx(-9.96e-4, abs=5e-7)


# just inside and beyond α = K(L−1)/(L+1) there are 0 and K(K−3)/2 negative directions
@pytest.mark.parametrize(("num_classes", "depth"), [(4, 2), (4, 3), (5, 2), (6, 3)])
def test_the_simplex_loses_stability_at_the_threshold(num_classes, depth):
    edge = num_classes * (depth - 1) / (depth + 1)
    for factor, below in ((1.01, 0), (0.99, num_classes * (num_classes - 3) // 2)):
        alpha = edge * factor
        decay = alpha ** ((depth - 1) / (depth + 1)) / (math.exp(alpha) + num_classes - 1)
        model = chain(num_classes, depth, num_classes + 1, decay)
        params = logit_point(model, alpha * simplex_shape(num_classes))
        assert residual(model, params) < 1e-15
        assert chain_curvature(model, params, residual=1e-15).negative == below


def test_counts_of_a_bias_include_the_common_shift():
    model, params = stationary(4, 2, 6, "pairs", bias=True)
    params = turned(model, params)
    found = chain_curvature(model, params, residual=residual(model, params))
    assert found.method == "reduced"
    assert (found.nullity, found.expected_nullity) == (19, 19)
    assert loss_curvature(model.loss, params, residual=1e-15).nullity == 19


def test_squared_error_has_the_same_symmetries():
    model, params = orthogonal_point(3, 3, 0.004, 6)
    linear = dataclasses.replace(model, relu=False)
    found = chain_curvature(linear, turned(linear, params), residual=1e-16)
    assert (found.negative, found.nullity, found.expected_nullity) == (0, 3 * (3 * 6 - 6), 3 * (3 * 6 - 6))


@pytest.mark.parametrize("depth", [1, 2, 3])
@pytest.mark.parametrize("seed", range(2))
def test_width_is_reduced_exactly_away_from_stationary_points_too(seed, depth):
    model, params = unbalanced(seed, depth=depth)
    found = chain_curvature(model, params, residual=0.0)
    values = torch.linalg.eigvalsh(hessian(model.loss, params))
    assert found.method == "reduced"
    assert found.negative == int((values < -found.cut).sum()) > 0
    assert found.nullity == int((values.abs() <= found.cut).sum())
    assert found.smallest[0] == pytest.approx(float(values[0]), rel=1e-9)
    assert found.least_positive == pytest.approx(float(values[values > found.cut].min()), rel=1e-7)


@pytest.mark.parametrize("depth", [1, 3])
def test_zero_has_no_flat_directions_but_that_of_its_bias(depth):
    model, params = unbalanced(depth=depth)
    zero = {name: torch.zeros_like(value) for name, value in params.items()}
    found = chain_curvature(model, zero, residual=0.0)
    values = torch.linalg.eigvalsh(hessian(model.loss, zero))
    assert found.method == "reduced"
    assert (found.nullity, found.expected_nullity) == (1, 1)
    assert found.negative == int((values < -1e-12).sum()) == (0 if depth > 1 else found.negative)


def test_factors_without_common_subspaces_are_not_reduced():
    model = chain(3, 2, 5, 0.01)
    found = chain_curvature(model, model.init(0), residual=0.0)
    assert found.method == "dense"
    assert found.parameters == 15 + 25 + 15


@pytest.mark.parametrize("relu", [False, True])
def test_the_hessian_is_that_of_finite_differences(relu):
    model = chain(3, 3, 4, 0.01, relu=relu)
    params = model.init(1)
    exact = hessian(model.loss, params)
    sizes = [part.numel() for part in params.values()]
    flat = torch.cat([part.flatten() for part in params.values()])

    def gradient(point):
        pieces = zip(params.items(), torch.split(point, sizes), strict=True)
        at = {name: piece.reshape(part.shape) for (name, part), piece in pieces}
        return torch.cat([model.value_and_gradient(at)[1][name].flatten() for name in params])

    step = 1e-6
    eye = torch.eye(len(flat), dtype=torch.float64)
    rows = [(gradient(flat + step * axis) - gradient(flat - step * axis)) / (2 * step) for axis in eye]
    # central differences of step h are off by h² and rounding/h
    assert torch.allclose(exact, torch.stack(rows), rtol=0, atol=1e-8)
    random = torch.randn(5, len(flat), generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    assert torch.allclose(hessian_products(model.loss, params, random), random @ exact, rtol=0, atol=1e-13)


@pytest.mark.parametrize("sizes", [(4, 1, 12, "pairs"), (6, 2, 9, "simplex"), (6, 3, 7, "pairs")])
def test_lanczos_finds_the_lowest_eigenvalue_of_the_dense_hessian(sizes):
    model, params = stationary(*sizes)
    params = turned(model, params)
    values = torch.linalg.eigvalsh(hessian(model.loss, params))
    found = loss_curvature(model.loss, params, residual=1e-15, dense=1)
    assert found.method == "lanczos"
    assert found.cut < 1e-6
    assert found.smallest[0] == pytest.approx(float(values[0]), abs=1e-7 * float(values[-1]))
    assert (found.negative > 0) == (int((values < -1e-8).sum()) > 0)
    assert found.negative <= int((values < -found.cut).sum())
    assert found.nullity is None


def test_lanczos_stops_when_the_space_is_whole():
    model = chain(2, 1, 2, 0.01)
    params = model.init(0)
    values = torch.linalg.eigvalsh(hessian(model.loss, params))
    found = loss_curvature(model.loss, params, residual=0.0, dense=1)
    assert found.smallest[:2] == pytest.approx(values[:2].tolist(), abs=1e-12)


def test_a_large_point_is_still_exact():
    model, params = stationary(10, 4, 64, "simplex")
    found = chain_curvature(model, params, residual=residual(model, params))
    assert found.parameters == 3 * 64 * 64 + 2 * 640
    assert (found.negative, found.nullity) == (0, 4 * (9 * 64 - 45))
    assert expected_nullity(model, params, 1e-6) == found.nullity


def relu_point(features, hidden, head, decay=0.05):
    """Two classes, two layers with ReLU and no kinks, squared error."""
    model = chain(2, 2, 2, decay, fit=SquaredError(), relu=True)
    rows = {"features": features, "weights_1": hidden, "weights": head}
    return model, {name: torch.tensor(value, dtype=torch.float64) for name, value in rows.items()}


def root(function, low=0.7, high=1.2):
    return brentq(function, low, high, xtol=1e-16, rtol=1e-15)


def test_units_of_one_pattern_turn_together():
    """Two rows of one class through two equal units: a turn of the features, and one of the units."""
    # all of squared norm ρ², the logit is ρ³/√2
    scale = root(lambda rho: rho * (1 - rho**3 / math.sqrt(2)) / math.sqrt(2) - 0.05)
    one = scale / math.sqrt(2)
    model, params = relu_point([[one, 0], [one, 0]], [[one, 0], [one, 0]], [[one, one], [0, 0]])
    model = dataclasses.replace(model, labels=torch.tensor([0, 0]))
    assert residual(model, params) < 1e-15
    found = chain_curvature(model, params, residual=1e-15)
    assert found.method == "dense"
    assert (found.negative, found.nullity, found.expected_nullity) == (0, 2, 2)


def test_a_flat_direction_that_no_symmetry_makes_is_seen():
    """Opposite features through units of different patterns: the angle between features is free while it is obtuse."""
    scale = root(lambda rho: rho * (1 - rho**3) - 0.1)
    model, params = relu_point([[scale, 0], [-scale, 0]], [[scale, 0], [-scale, 0]], [[scale, 0], [0, scale]])
    assert residual(model, params) < 1e-15
    found = chain_curvature(model, params, residual=1e-15)
    assert (found.negative, found.nullity, found.expected_nullity) == (0, 2, 1)
    for angle in (2.0, 2.5, 3.0):
        pair = torch.tensor([[1, 0], [math.cos(angle), math.sin(angle)]], dtype=torch.float64) * scale
        same = {**params, "features": pair, "weights_1": pair}
        assert float(model.loss(same)) == pytest.approx(float(model.loss(params)), rel=1e-14)
