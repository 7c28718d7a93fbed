"""Leaving out what a point does not use: the loss stays, and the way back gives the point."""

from __future__ import annotations

import dataclasses

import pytest
import torch

from caltrop.solve.reduction import Reduction
from caltrop.theory import DeepUfmMse
from caltrop.theory.chain import FEATURES


def chain(**more):
    size = {"num_classes": 4, "dim": 3, "depth": 3, "weight_decay": 4e-3, "feature_decay": 2e-3, "per_class": 2}
    return DeepUfmMse(**{**size, **more}).class_means


def widened(small, params, width, units):
    """The point in a wider chain: features turned, hidden units at the places `units`, all others zero."""
    wide = dataclasses.replace(small, dim=width)
    random = torch.randn(width, width, dtype=torch.float64, generator=torch.Generator().manual_seed(5))
    frame = torch.linalg.qr(random).Q[:, : small.dim]
    full = {name: torch.zeros(shape, dtype=torch.float64) for name, shape in wide.shapes.items()}
    full[FEATURES] = params[FEATURES] @ frame.T
    full["weights_1"][units[0]] = params["weights_1"] @ frame.T
    full["weights_2"][units[1][:, None], units[0]] = params["weights_2"]
    full["weights"][:, units[1]] = params["weights"]
    return wide, full | ({"bias": params["bias"]} if small.bias else {})


@pytest.mark.parametrize("bias", [False, True])
def test_a_point_that_was_widened_is_found_again(bias):
    small = chain(bias=bias)
    params = small.init(3)
    units = (torch.tensor([1, 4, 6]), torch.tensor([0, 2, 5]))
    wide, full = widened(small, params, 8, units)
    assert float(wide.loss(full)) == pytest.approx(float(small.loss(params)), rel=1e-14)
    found = Reduction.of(wide, full, 1e-9)
    assert found.chain.dim == 3
    assert float(found.chain.loss(found.params)) == pytest.approx(float(small.loss(params)), rel=1e-14)
    back = found.whole(found.params)
    assert all(torch.allclose(back[name], full[name], rtol=0, atol=1e-14) for name in full)


def test_copies_of_a_unit_are_one_and_come_back_as_they_were():
    small = chain()
    params = small.init(3)
    wide = dataclasses.replace(small, dim=6)
    full = {name: torch.zeros(shape, dtype=torch.float64) for name, shape in wide.shapes.items()}
    # unit 0 of the first hidden layer is three, of shares 1/9, 4/9, 4/9
    copies = torch.zeros(6, 3, dtype=torch.float64)
    copies[[0, 1, 3], 0] = torch.tensor([1 / 3, 2 / 3, 2 / 3], dtype=torch.float64)
    copies[2, 1] = copies[5, 2] = 1
    full[FEATURES][:, :3] = params[FEATURES]
    full["weights_1"][:, :3] = copies @ params["weights_1"]
    full["weights_2"][:3] = params["weights_2"] @ copies.T
    full["weights"][:, :3] = params["weights"]
    assert float(wide.loss(full)) == pytest.approx(float(small.loss(params)), rel=1e-14)
    found = Reduction.of(wide, full, 1e-9)
    assert found.chain.dim == 3
    assert float(found.chain.loss(found.params)) == pytest.approx(float(small.loss(params)), rel=1e-14)
    back = found.whole(found.params)
    assert all(torch.allclose(back[name], full[name], rtol=0, atol=1e-14) for name in full)


def test_units_with_parallel_rows_and_other_columns_are_two():
    small = chain()
    params = small.init(3)
    params["weights_1"][1] = 2 * params["weights_1"][0]
    assert int(Reduction.of(small, params, 1e-9).is_free["weights_2"].sum()) == 3 * 3


def test_entries_beyond_a_narrow_layer_do_not_move():
    small = chain()
    params = small.init(3)
    params["weights_1"][1] = 0
    params["weights_2"][:, 1] = 0
    found = Reduction.of(small, params, 1e-9)
    assert {name: int(free.sum()) for name, free in found.is_free.items()} == {
        "features": 4 * 2,
        "weights_1": 2 * 2,
        "weights_2": 3 * 2,
        "weights": 4 * 3,
    }
    assert all(bool((value[~found.is_free[name]] == 0).all()) for name, value in found.params.items())


def test_units_that_are_nearly_zero_are_left_out_and_others_stay():
    small = chain()
    params = small.init(3)
    params["weights_2"][2] *= 1e-4
    # something still goes out of it
    assert int(Reduction.of(small, params, 1e-2).is_free["weights"].sum()) == 4 * 3
    params["weights"][:, 2] *= 1e-4
    found = Reduction.of(small, params, 1e-2)
    assert int(found.is_free["weights"].sum()) == 4 * 2
    back = found.whole(found.params)
    assert float(back["weights_2"][2].abs().max()) == 0
    assert float(back["weights"][:, 2].abs().max()) == 0
    assert float(small.loss(back)) < float(small.loss(params)) + 1e-6
