"""A head of several matrices: what it computes, how it is drawn."""

from __future__ import annotations

import math

import pytest
import torch
from torch import nn

from caltrop.models import DeepHead, with_deep_head


def drawn(*args, seed=0, **options):
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        return DeepHead(*args, **options)


@pytest.mark.parametrize("relu", [False, True])
@pytest.mark.parametrize("depth", [1, 2, 4])
def test_logits_are_the_product_with_relu_between_matrices_only(depth, relu):
    head = drawn(5, 3, depth, relu=relu)
    features = torch.linspace(-1, 1, 20).reshape(4, 5)
    values = features.T
    for number, weights in enumerate(head.weights):
        values = weights @ (values.clamp(min=0) if relu and number > 0 else values)
    torch.testing.assert_close(head(features), values.T, rtol=1e-5, atol=1e-6)  # float32


def test_it_has_matrices_of_the_promised_names_and_nothing_else():
    names = {name: tuple(values.shape) for name, values in drawn(5, 3, 3).named_parameters()}
    assert names == {"matrices.0.weight": (5, 5), "matrices.1.weight": (5, 5), "matrices.2.weight": (3, 5)}
    assert drawn(5, 3, 3).depth == 3


def test_entries_have_the_deviation_asked_for_and_come_from_torchs_generator():
    first, second, other = (
        drawn(200, 10, 2, init_scale=0.5),
        drawn(200, 10, 2, init_scale=0.5),
        drawn(200, 10, 2, seed=1),
    )
    weights = first.weights[0].detach()
    # 40 000 draws: the deviation is known to 0.35 %, four times that is allowed
    assert float(weights.std()) == pytest.approx(0.5 / math.sqrt(200), rel=0.014)
    assert torch.equal(weights, second.weights[0])
    assert not torch.equal(weights, other.weights[0])


def test_a_backbone_and_a_head_keep_their_names():
    model = with_deep_head(nn.Linear(7, 5), drawn(5, 3, 2))
    assert [name for name, _ in model.named_children()] == ["backbone", "head"]
    assert model(torch.rand(2, 7)).shape == (2, 3)


@pytest.mark.parametrize(
    "sizes", [{"dim": 0, "depth": 2}, {"dim": 3, "depth": 0}, {"dim": 3, "depth": 2, "init_scale": 0.0}]
)
def test_a_head_that_is_none_is_refused(sizes):
    with pytest.raises(ValueError, match="must be 1 or more"):
        DeepHead(num_classes=3, **sizes)
