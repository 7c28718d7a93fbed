"""The smallest gradient over slopes at kinks, against autograd, SciPy, and explicit points."""

from __future__ import annotations

import math

import pytest
import torch
from scipy.optimize import least_squares

from caltrop.solve.kinks import _System, kink_residual
from caltrop.theory.chain import Chain
from caltrop.theory.fits import CrossEntropy, SquaredError
from solve.points import chain, graph_point, orthogonal_point


def slow_gradient(chain, params, slopes):
    """Autograd through values that are ReLU's and slopes that are chosen."""
    leaves = {name: value.clone().requires_grad_() for name, value in params.items()}
    passed = leaves["features"]
    for name, slope in zip(chain.factors[1:-1], slopes, strict=True):
        before = passed @ leaves[name].T
        passed = before.relu().detach() + slope * (before - before.detach())
    logits = passed @ leaves["weights"].T + (leaves["bias"] if chain.bias else 0)
    loss = (chain.fit_of.values(logits, chain.labels) * chain.shares).sum() + chain.penalty(leaves)
    gradients = torch.autograd.grad(loss, list(leaves.values()))
    return dict(zip(leaves, gradients, strict=True))


def kinked(depth=4, bias=True, seed=0, fit=None):
    """A random point with exact kinks everywhere: integers, of which many products cancel."""
    random = torch.Generator().manual_seed(seed)
    counts = torch.tensor([2.0, 1.0, 3.0], dtype=torch.float64)
    model = Chain(
        fit_of=fit or CrossEntropy(0.1),
        labels=torch.arange(3),
        shares=counts / 6,
        multiplicities=counts,
        num_classes=3,
        dim=4,
        decays=torch.linspace(0.1, 0.3, depth + 1, dtype=torch.float64),
        depth=depth,
        relu=True,
        bias=bias,
    )
    params = {name: torch.randint(-1, 2, shape, generator=random).double() for name, shape in model.shapes.items()}
    return model, params


@pytest.mark.parametrize(("depth", "bias"), [(2, False), (3, True), (5, True)])
def test_the_gradient_for_given_slopes_is_that_of_autograd(depth, bias):
    model, params = kinked(depth, bias)
    found = kink_residual(model, params)
    assert found.kinks > 0
    wanted = slow_gradient(model, params, list(found.slopes.values()))
    assert found.residual == pytest.approx(max(float(part.abs().max()) for part in wanted.values()), rel=1e-12)
    assert found.norm == pytest.approx(
        math.sqrt(sum(float(part.square().sum()) for part in wanted.values())), rel=1e-12
    )


@pytest.mark.parametrize("seed", range(3))
def test_normal_equations_are_those_of_the_whole_jacobian(seed):
    model, params = kinked(4, seed=seed)
    system = _System(model, params, 0.0)
    slopes = system.random(seed)

    def residuals(values):
        return torch.cat([part.flatten() for part in system.backward(values)[1]])

    jacobian = torch.autograd.functional.jacobian(residuals, slopes)
    gram, pull = system.normal_equations(slopes)
    assert torch.allclose(gram, jacobian.T @ jacobian, rtol=0, atol=1e-12 * float(gram.abs().max()))
    assert torch.allclose(pull, jacobian.T @ residuals(slopes), rtol=0, atol=1e-12 * float(pull.abs().max()))


@pytest.mark.parametrize("seed", range(3))
def test_the_least_norm_is_that_of_a_bounded_solver_of_nonlinear_least_squares(seed):
    model, params = kinked(3, bias=False, seed=seed, fit=SquaredError())
    found = kink_residual(model, params)
    places = _System(model, params, 0.0).kinks
    layers = [values for name, values in model.layers(params).items() if name.endswith("pre")]

    def residuals(values):
        slopes, start = [], 0
        for kink, before in zip(places, layers, strict=True):
            slope = (before > 0).double()
            slope[kink] = torch.from_numpy(values[start : start + int(kink.sum())])
            start += int(kink.sum())
            slopes.append(slope)
        return torch.cat([part.flatten() for part in slow_gradient(model, params, slopes).values()]).numpy()

    count = sum(int(kink.sum()) for kink in places)
    starts = [torch.full((count,), 0.5, dtype=torch.float64).numpy()]
    starts += [torch.rand(count, generator=torch.Generator().manual_seed(s)).double().numpy() for s in range(4)]
    best = min(least_squares(residuals, start, bounds=(0, 1), xtol=1e-14, ftol=1e-14).cost for start in starts)
    # descent stops where the squared norm falls by less than 1e-6 of itself
    assert found.norm == pytest.approx(math.sqrt(2 * best), rel=1e-5)


@pytest.mark.parametrize("seed", range(4))
def test_no_slopes_leave_less_than_the_floor(seed):
    model, params = kinked(3, seed=seed)
    found = kink_residual(model, params)
    system = _System(model, params, 0.0)
    tried = [system.random(number) for number in range(200)] + [system.random(number).round() for number in range(200)]
    assert 0 < found.floor <= min(system.largest(slopes) for slopes in tried)
    assert found.floor <= found.residual


# K and L of the exact critical points, and slopes of the three hidden layers of K=10, L=4
@pytest.mark.parametrize(("num_classes", "depth"), [(10, 3), (10, 4), (10, 5), (15, 3), (15, 4), (21, 3)])
def test_the_kneser_point_is_stationary_for_one_choice_of_slopes(num_classes, depth):
    model, params = graph_point(num_classes, depth, 0.004, num_classes + 1, -1)
    found = kink_residual(model, params, tolerance=1e-12, target=1e-12)
    assert found.residual < 1e-12
    # for each edge: the corners it does not have, in all hidden layers but the last; its neighbours in the last
    corners = round((1 + math.sqrt(1 + 8 * num_classes)) / 2)
    assert found.active == num_classes * ((depth - 2) * (corners - 2) + 2 * (corners - 2))
    assert found.reach < 1e-14
    assert found.clearance > 0.9
    plain = model.value_and_gradient(params)[1]
    assert max(float(part.abs().max()) for part in plain.values()) > 1e-3


def test_slopes_of_the_kneser_point_are_those_known():
    model, params = graph_point(10, 4, 0.004, 12, -1)
    found = kink_residual(model, params, tolerance=1e-12, target=1e-12)
    inner = [slope[(slope > 0) & (slope < 1)] for slope in found.slopes.values()]
    assert [len(values) for values in inner] == [30, 30, 60]
    means = [float(values.mean()) for values in inner]
    assert means == pytest.approx([0.551, 0.556, 0.482], abs=5e-4)  # digits of the source
    assert all(float(values.max() - values.min()) < 1e-9 for values in inner)


def test_the_kneser_point_of_21_classes_and_4_layers_would_need_a_slope_above_1():
    model, params = graph_point(21, 4, 0.001, 21, -1)
    found = kink_residual(model, params, tolerance=1e-12, target=1e-12)
    assert 1e-5 < found.residual < 1e-4
    layers = [values for name, values in model.layers(params).items() if name.endswith("pre")]
    kinks = [(values.abs() < 1e-10) for values in layers]

    def residuals(slopes):
        chosen = [
            torch.where(kink, torch.full_like(values, slope), (values > 0).double())
            for kink, values, slope in zip(kinks, layers, slopes, strict=True)
        ]
        return torch.cat([part.flatten() for part in slow_gradient(model, params, chosen).values()]).numpy()

    free = least_squares(residuals, [0.5, 0.5, 0.5], xtol=1e-15, ftol=1e-15, gtol=1e-15)
    assert abs(residuals(free.x)).max() < 1e-10
    assert free.x[1] == pytest.approx(1.4, abs=0.05)


@pytest.mark.parametrize(("num_classes", "depth"), [(10, 3), (10, 4), (10, 5), (15, 4)])
def test_the_graph_point_is_no_critical_point_and_that_is_certain(num_classes, depth):
    model, params = graph_point(num_classes, depth, 0.004, num_classes, 1)
    found = kink_residual(model, params, tolerance=1e-12)
    assert found.floor > 1e-3
    assert found.residual == pytest.approx(found.floor, rel=1e-2)


def test_the_graph_point_misses_by_the_number_known():
    model, params = graph_point(10, 4, 0.004, 12, 1)
    assert kink_residual(model, params, tolerance=1e-12).residual == pytest.approx(2.5e-3, abs=5e-5)  # two digits known


@pytest.mark.parametrize("per_class", [1, 5])
def test_orthogonal_collapse_is_stationary_whatever_the_slopes(per_class):
    model, params = orthogonal_point(10, 4, 0.002, 12, per_class)
    found = kink_residual(model, params)
    assert found.residual < 1e-16
    assert found.active == 0
    assert found.kinks == 3 * (10 * 12 - 10)
    assert found.reach == 0


def test_kinks_are_counted_up_to_the_tolerance():
    model, params = graph_point(10, 4, 0.004, 12, -1)
    random = torch.Generator().manual_seed(0)
    near = {
        name: value + 1e-7 * torch.randn(value.shape, generator=random, dtype=torch.float64)
        for name, value in params.items()
    }
    exact = kink_residual(model, near, tolerance=1e-12)
    loose = kink_residual(model, near, tolerance=1e-4)
    assert exact.residual > 1e-3
    assert loose.residual < 1e-6  # the gradient moves as far as the point
    assert 0 < loose.reach < 1e-4
    assert loose.kinks == 3 * 120 - 80


@pytest.mark.parametrize("relu", [False, True])
def test_without_kinks_it_is_the_plain_gradient(relu):
    model = chain(4, 3, 6, 0.01, relu=relu)
    params = model.init(0)
    found = kink_residual(model, params)
    plain = max(float(part.abs().max()) for part in model.value_and_gradient(params)[1].values())
    assert found.residual == found.floor == pytest.approx(plain, rel=1e-13)
    assert found.kinks == found.active == 0
    assert len(found.slopes) == (2 if relu else 0)


def test_zero_is_stationary_with_every_unit_at_its_kink():
    model = chain(3, 3, 4, 0.01, relu=True)
    params = {name: torch.zeros(shape, dtype=torch.float64) for name, shape in model.shapes.items()}
    found = kink_residual(model, params)
    assert found.residual == 0
    assert (found.kinks, found.active) == (24, 0)
    assert found.clearance == math.inf
