"""Losses of one row: by their definition in plain floats, by autograd, and conjugates by searching the supremum."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from scipy.optimize import minimize

from caltrop.theory.fits import (
    BinaryCrossEntropy,
    Conjugate,
    CrossEntropy,
    Curved,
    Fit,
    PseudoHuber,
    SquaredError,
    SquaredHinge,
)

FITS = [
    CrossEntropy(),
    CrossEntropy(0.2),
    SquaredError(),
    BinaryCrossEntropy(),
    SquaredHinge(),
    PseudoHuber(),
    PseudoHuber(0.3),
]
every = pytest.mark.parametrize("fit", FITS, ids=str)
LABELS = torch.tensor([0, 2, 1, 2])


def drawn(seed, *leading, size=3.0):
    return size * torch.randn(*leading, 4, 3, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def slow(fit, row, label):
    """Straight from the formula, in Python's floats."""
    signs = [1 if k == label else -1 for k in range(len(row))]
    hot = [float(k == label) for k in range(len(row))]
    match fit:
        case CrossEntropy():
            total = math.log(sum(map(math.exp, row)))
            targets = [(1 - fit.smoothing) * t + fit.smoothing / len(row) for t in hot]
            return -sum(t * (z - total) for t, z in zip(targets, row, strict=True))
        case SquaredError():
            return sum((z - t) ** 2 for z, t in zip(row, hot, strict=True)) / 2
        case BinaryCrossEntropy():
            return sum(math.log(1 + math.exp(-s * z)) for s, z in zip(signs, row, strict=True))
        case SquaredHinge():
            return sum(max(0.0, 1 - s * z) ** 2 for s, z in zip(signs, row, strict=True)) / 2
        case PseudoHuber():
            parts = (math.sqrt(1 + ((z - t) / fit.width) ** 2) - 1 for z, t in zip(row, hot, strict=True))
            return fit.width**2 * sum(parts)


@every
def test_values_are_those_of_the_definition_and_broadcast(fit):
    logits = drawn(0, 2, 5)
    found = fit.values(logits, LABELS)
    assert found.shape == (2, 5, 4)
    expected = [slow(fit, logits[1, 3, row].tolist(), int(LABELS[row])) for row in range(4)]
    assert found[1, 3].tolist() == pytest.approx(expected, rel=1e-12)


@every
def test_gradients_and_curvatures_are_those_of_autograd(fit):
    logits = drawn(1).requires_grad_()
    slopes = torch.autograd.grad(fit.values(logits, LABELS).sum(), logits)[0]
    assert torch.allclose(fit.gradients(logits, LABELS), slopes, rtol=1e-12, atol=1e-15)
    full = torch.autograd.functional.hessian(lambda z: fit.values(z, LABELS).sum(), logits.detach())
    rows = torch.stack([full[row, :, row] for row in range(4)])
    assert torch.allclose(fit.curvatures(logits.detach(), LABELS), rows, rtol=1e-11, atol=1e-14)


@every
def test_fits_say_what_they_know(fit):
    assert isinstance(fit, Fit)
    assert isinstance(fit, Curved)
    assert isinstance(fit, Conjugate)


@every
def test_a_loss_and_its_conjugate_touch_at_the_gradient_and_nowhere_cross(fit):
    logits, others = drawn(2), drawn(3)
    slopes = fit.gradients(logits, LABELS)
    products = (slopes * logits).sum(dim=-1)
    sums = fit.values(logits, LABELS) + fit.conjugates(slopes, LABELS)
    assert torch.allclose(sums, products, rtol=1e-12, atol=1e-12)
    elsewhere = fit.values(others, LABELS) + fit.conjugates(slopes, LABELS) - (slopes * others).sum(dim=-1)
    assert (elsewhere > -1e-12).all()
    assert (elsewhere > 1e-3).any()


@every
def test_the_conjugate_is_the_supremum_that_a_search_finds(fit):
    slopes = fit.gradients(drawn(4, size=1.0), LABELS) * 0.7
    for row, label in enumerate(LABELS.tolist()):
        linear = slopes[row].numpy()

        def gap(z, linear=linear, label=label):
            return slow(fit, list(z), label) - linear @ z

        found = minimize(gap, np.zeros(3), method="BFGS", tol=1e-9)
        # the search ends where differences of its values no longer tell
        assert float(fit.conjugates(slopes, LABELS)[row]) == pytest.approx(-found.fun, abs=1e-8)


@every
def test_the_conjugate_at_zero_is_minus_the_infimum(fit):
    found = fit.conjugates(torch.zeros(4, 3, dtype=torch.float64), LABELS)
    assert found.tolist() == pytest.approx([-fit.infimum(3)] * 4, abs=1e-15)


@pytest.mark.parametrize(
    ("fit", "slopes"),
    [
        (CrossEntropy(), [-0.2, -0.1, 0.3]),  # a negative probability
        (CrossEntropy(), [-0.2, 0.1, 0.2]),  # probabilities of sum 1.1
        (CrossEntropy(), [-1.2, 0.6, 0.6]),
        (BinaryCrossEntropy(), [0.1, 0.1, 0.1]),
        (BinaryCrossEntropy(), [-0.5, 1.1, 0.1]),
        (SquaredHinge(), [-0.5, -0.1, 0.1]),
        (PseudoHuber(0.3), [0.0, 0.31, 0.0]),
    ],
)
def test_slopes_that_no_logits_have_are_infinitely_dear(fit, slopes):
    found = fit.conjugates(torch.tensor([slopes], dtype=torch.float64), torch.tensor([0]))
    assert found.tolist() == [math.inf]


@every
def test_balanced_slopes_sum_to_zero_and_stay_possible(fit):
    shares = torch.tensor([0.1, 0.2, 0.3, 0.4], dtype=torch.float64)
    slopes = fit.gradients(drawn(5), LABELS)
    found = fit.balanced(slopes, LABELS, shares)
    assert float((shares @ slopes).abs().max()) > 1e-2
    assert float((shares @ found).abs().max()) < 1e-16
    assert torch.isfinite(fit.conjugates(found, LABELS)).all()
    # what sums to zero already is left alone
    assert torch.allclose(fit.balanced(found, LABELS, shares), found, rtol=1e-14, atol=1e-17)


@pytest.mark.parametrize("lead", [5.0, 40.0, 300.0])
def test_small_cross_entropies_keep_their_digits(lead):
    logits = torch.tensor([[lead, 0.0, -1.0]], dtype=torch.float64)
    first = torch.tensor([0])
    others = math.exp(-lead) + math.exp(-lead - 1)
    fit = CrossEntropy()
    # an exponential has the rounding of its exponent as a relative one
    digits = 1e-15 * (4 + lead)
    assert float(fit.values(logits, first)) == pytest.approx(math.log1p(others), rel=digits, abs=0)
    slopes = fit.gradients(logits, first)
    assert float(slopes[0, 0]) == pytest.approx(-others / (1 + others), rel=digits, abs=0)
    touching = float((slopes * logits).sum() - fit.conjugates(slopes, first))
    # a difference of terms `lead` times as large
    assert touching == pytest.approx(math.log1p(others), rel=digits * lead, abs=0)


def test_an_impossible_width_is_refused():
    with pytest.raises(ValueError, match=r"width=0\.0 must be positive and finite"):
        PseudoHuber(0.0)
