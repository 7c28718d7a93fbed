"""A chain's loss against a plain loop over samples, its gradient by hand against autograd, rows against class means."""

from __future__ import annotations

import math

import pytest
import torch

from caltrop.theory.chain import Chain
from caltrop.theory.fits import CrossEntropy, SquaredError

COUNTS = (2, 1, 3)


def chain(fit=None, depth=3, relu=True, bias=True, by_class=False, decays=None):
    counts = torch.tensor(COUNTS, dtype=torch.float64)
    labels = torch.repeat_interleave(torch.arange(3), torch.tensor(COUNTS))
    return Chain(
        fit_of=fit or CrossEntropy(0.1),
        labels=torch.arange(3) if by_class else labels,
        shares=counts / 6 if by_class else torch.full((6,), 1 / 6, dtype=torch.float64),
        multiplicities=counts if by_class else torch.ones(6, dtype=torch.float64),
        num_classes=3,
        dim=4,
        decays=torch.linspace(0.1, 0.3, depth + 1, dtype=torch.float64) if decays is None else decays,
        depth=depth,
        relu=relu,
        bias=bias,
    )


def slow_loss(chain, params, smoothing):
    """Written from the definition, one sample at a time, in Python's floats."""
    total = 0.0
    for row, label in zip(params["features"].tolist(), chain.labels.tolist(), strict=True):
        values = row
        for layer in range(1, chain.depth):
            values = [
                sum(w * v for w, v in zip(line, values, strict=True)) for line in params[f"weights_{layer}"].tolist()
            ]
            values = [max(0.0, value) for value in values] if chain.relu else values
        scores = [sum(w * v for w, v in zip(line, values, strict=True)) for line in params["weights"].tolist()]
        scores = [score + b for score, b in zip(scores, params["bias"].tolist(), strict=True)]
        if smoothing is None:
            total += sum((score - (k == label)) ** 2 for k, score in enumerate(scores)) / 2 / 6
        else:
            log_sum = math.log(sum(map(math.exp, scores)))
            targets = [(1 - smoothing) * (k == label) + smoothing / 3 for k in range(3)]
            total -= sum(t * (score - log_sum) for t, score in zip(targets, scores, strict=True)) / 6
    decays = dict(zip(chain.factors, chain.decays.tolist(), strict=True))
    return total + sum(
        decay / 2 * sum(x * x for x in params[name].flatten().tolist()) for name, decay in decays.items()
    )


@pytest.mark.parametrize("smoothing", [0.0, 0.2, None])
@pytest.mark.parametrize("relu", [False, True])
@pytest.mark.parametrize("depth", [1, 2, 4])
def test_the_loss_is_that_of_the_definition(depth, relu, smoothing):
    fit = SquaredError() if smoothing is None else CrossEntropy(smoothing)
    model = chain(fit, depth, relu)
    params = model.init(3)
    params["bias"] += torch.tensor([0.3, -0.2, 0.7], dtype=torch.float64)
    assert float(model.loss(params)) == pytest.approx(slow_loss(model, params, smoothing), rel=1e-13)


@pytest.mark.parametrize("bias", [False, True])
@pytest.mark.parametrize("fit", [CrossEntropy(), CrossEntropy(0.3), SquaredError()])
@pytest.mark.parametrize("relu", [False, True])
@pytest.mark.parametrize("depth", [1, 2, 4])
@pytest.mark.parametrize("by_class", [False, True])
def test_the_gradient_by_hand_is_autograd_s(by_class, depth, relu, fit, bias):
    model = chain(fit, depth, relu, bias, by_class)
    params = {name: torch.stack([model.init(s)[name] for s in range(3)]).requires_grad_() for name in model.shapes}
    values = model.loss(params)
    expected = torch.autograd.grad(values.sum(), list(params.values()))
    found, gradient = model.value_and_gradient({name: value.detach() for name, value in params.items()})
    assert torch.allclose(found, values.detach(), rtol=1e-14, atol=0)
    for name, slope in zip(params, expected, strict=True):
        assert torch.allclose(gradient[name], slope, rtol=1e-12, atol=1e-15), name


def test_class_means_are_the_same_model_where_classes_have_equal_features():
    full, means = chain(), chain(by_class=True)
    params = means.init(0)
    lifted = {**params, "features": params["features"][full.labels]}
    assert float(full.loss(lifted)) == pytest.approx(float(means.loss(params)), rel=1e-14)


def test_decays_with_leading_axes_are_a_grid():
    grid = torch.rand(5, 1, 4, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    model = chain(decays=grid)
    params = {name: torch.stack([model.init(s)[name] for s in range(2)]) for name in model.shapes}
    values, gradient = model.value_and_gradient(params)
    assert values.shape == (5, 2)
    one = chain(decays=grid[3, 0])
    value, slope = one.value_and_gradient({name: entry[1] for name, entry in params.items()})
    assert float(values[3, 1]) == pytest.approx(float(value), rel=1e-14)
    assert all(torch.allclose(gradient[name][3, 1], slope[name], rtol=1e-13, atol=1e-16) for name in slope)


def test_balance_is_the_penalty_of_each_factor():
    model = chain()
    params = model.init(1)
    assert float(model.balance(params).sum() / 2) == pytest.approx(float(model.penalty(params)), rel=1e-14)
    weighted = 0.1 * params["features"].square().sum()
    assert float(model.balance(params)[0]) == pytest.approx(float(weighted), rel=1e-14)
