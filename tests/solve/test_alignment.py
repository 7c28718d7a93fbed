"""Balance, interfaces and alignment: zero at stationary points, and what one known change of a factor makes of them."""

from __future__ import annotations

import dataclasses
import math

import pytest
import torch

from caltrop.solve.alignment import alignment_gap, balance_gap, factor_rank, interface_gap
from solve.points import best_scale, chain, graph_point, logit_point, pairs_shape, simplex_shape


def linear(shape=simplex_shape, depth=3, dim=6, per_class=2, decays=(0.001, 0.002, 0.003, 0.004)):
    model = chain(4, depth, dim, None, per_class, decays=list(decays))
    return model, logit_point(model, best_scale(model, shape(4)) * shape(4))


def test_all_are_zero_at_a_stationary_point():
    model, params = linear()
    assert max(float(part.abs().max()) for part in model.value_and_gradient(params)[1].values()) < 1e-15
    assert balance_gap(model, params) < 1e-14
    assert interface_gap(model, params) < 1e-14
    assert alignment_gap(model, params) < 1e-14


def test_what_one_longer_factor_does():
    model, params = linear()
    params["weights_2"] = 2 * params["weights_2"]
    assert balance_gap(model, params) == pytest.approx(3 / 4, rel=1e-12)
    # Grams A and 4A
    assert interface_gap(model, params) == pytest.approx(3 / 4, rel=1e-12)
    assert alignment_gap(model, params) < 1e-14


def test_what_one_turned_factor_does():
    model, params = linear(pairs_shape)
    turn = torch.linalg.qr(torch.randn(6, 6, generator=torch.Generator().manual_seed(0), dtype=torch.float64)).Q
    both = {**params, "weights_1": turn @ params["weights_1"], "weights_2": params["weights_2"] @ turn.T}
    assert interface_gap(model, both) < 1e-14
    assert alignment_gap(model, both) < 1e-14
    one = {**params, "weights_1": turn @ params["weights_1"]}
    assert balance_gap(model, one) < 1e-14
    below = model.decays[1] * one["weights_1"] @ one["weights_1"].T
    above = model.decays[2] * one["weights_2"].T @ one["weights_2"]
    wanted = torch.linalg.matrix_norm(below - above) / torch.linalg.matrix_norm(above)
    assert interface_gap(model, one) == pytest.approx(float(wanted), rel=1e-12)
    wanted = torch.linalg.matrix_norm(below @ above - above @ below) / torch.linalg.matrix_norm(above) ** 2
    assert alignment_gap(model, one) == pytest.approx(float(wanted), rel=1e-12)
    assert 0 < float(wanted) <= math.sqrt(2)


def test_through_relu_units_are_balanced_and_vectors_need_not_agree():
    model, params = graph_point(10, 4, 0.004, 12, -1, per_class=3)
    assert balance_gap(model, params) < 1e-13
    assert interface_gap(model, params) < 1e-13
    assert alignment_gap(model, params) is None
    # the same factors without ReLU are not aligned: the test above sees units, not matrices
    straight = dataclasses.replace(model, relu=False)
    assert interface_gap(straight, params) > 0.1
    # a unit rescaled, up below it and down above
    params["weights_2"][0] *= 2
    params["weights_3"][:, 0] /= 2
    assert torch.equal(model.logits(params).isfinite(), torch.ones(10, 10, dtype=torch.bool))
    assert interface_gap(model, params) > 0.1


def test_zero_factors_have_nothing_to_balance_or_align():
    model, params = linear()
    zero = {name: torch.zeros_like(value) for name, value in params.items()}
    assert balance_gap(model, zero) == 0
    assert interface_gap(model, zero) == 0
    assert alignment_gap(model, zero) is None
    assert factor_rank(model, zero, 1e-6) == 0


@pytest.mark.parametrize(("shape", "rank"), [(simplex_shape, 3), (pairs_shape, 2)])
def test_rank_is_that_of_the_logits(shape, rank):
    model, params = linear(shape)
    assert factor_rank(model, params, 1e-6) == rank
