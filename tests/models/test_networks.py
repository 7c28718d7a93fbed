"""The two networks: shapes, module names, and initialisation from torch's global generator."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from caltrop.models import Mlp, ResNet

NETWORKS = {
    "mlp": lambda: Mlp(36, (8, 7), 5),
    "mlp without batch norm": lambda: Mlp(36, (8, 7), 5, batch_norm=False),
    "resnet": lambda: ResNet(1, 5, widths=(4, 6, 8)),
    "deeper resnet": lambda: ResNet(1, 5, widths=(4, 6), blocks_per_stage=2),
}


@pytest.fixture(params=NETWORKS)
def build(request):
    return NETWORKS[request.param]


def test_images_become_logits_of_every_class(build):
    assert build()(torch.rand(3, 1, 6, 6)).shape == (3, 5)


def test_the_same_torch_seed_gives_the_same_network(build):
    torch.manual_seed(0)
    first = build().state_dict()
    torch.manual_seed(0)
    second = build().state_dict()
    assert all(torch.equal(first[name], second[name]) for name in first)
    torch.manual_seed(1)
    assert not torch.equal(build().state_dict()["head.weight"], first["head.weight"])


def test_the_head_is_the_last_linear_layer_and_has_a_bias(build):
    head = build().head
    assert isinstance(head, nn.Linear)
    assert head.out_features == 5
    assert head.bias is not None


def test_every_parameter_takes_part_in_the_output(build):
    model = build()
    model(torch.rand(8, 1, 6, 6)).square().sum().backward()
    unused = [name for name, parameter in model.named_parameters() if parameter.grad is None]
    assert unused == []


@pytest.mark.parametrize(
    ("network", "names"),
    [
        ("mlp", ["blocks.0", "blocks.1", "head"]),
        ("resnet", ["stem", "stages.0", "stages.1", "stages.2", "head"]),
        ("deeper resnet", ["stem", "stages.0", "stages.1", "stages.1.1", "head"]),
    ],
)
def test_modules_have_the_promised_names(network, names):
    modules = dict(NETWORKS[network]().named_modules())
    assert set(names) <= set(modules)


def test_an_mlp_flattens_images_itself():
    model = Mlp(36, (8,), 5).eval()
    images = torch.rand(2, 1, 6, 6)
    assert torch.equal(model(images), model(images.reshape(2, 36)))


def test_an_mlp_without_batch_norm_has_none_and_keeps_its_biases():
    modules = list(Mlp(36, (8,), 5, batch_norm=False).modules())
    assert not any(isinstance(module, nn.BatchNorm1d) for module in modules)
    assert all(module.bias is not None for module in modules if isinstance(module, nn.Linear))


def test_a_resnet_halves_the_image_in_the_stem_and_in_each_later_stage():
    model = ResNet(1, 10)
    sizes = []
    for stage in (model.stem, *model.stages):
        stage.register_forward_hook(lambda module, inputs, output: sizes.append(tuple(output.shape[1:])))
    model(torch.rand(2, 1, 28, 28))
    assert sizes == [(12, 14, 14), (12, 14, 14), (24, 7, 7), (48, 4, 4)]


def test_the_head_of_a_resnet_reads_the_mean_over_positions():
    model = ResNet(1, 5, widths=(4, 6)).eval()
    seen = {}
    model.stages[-1].register_forward_hook(lambda module, inputs, output: seen.update(maps=output))
    model.head.register_forward_pre_hook(lambda module, inputs: seen.update(pooled=inputs[0]))
    model(torch.rand(2, 1, 8, 8))
    torch.testing.assert_close(seen["pooled"], seen["maps"].mean(dim=(2, 3)))


@pytest.mark.parametrize(
    ("build", "message"),
    [
        (lambda: Mlp(4, (), 2), "at least one hidden layer"),
        (lambda: ResNet(1, 2, widths=()), "at least one width"),
        (lambda: ResNet(1, 2, blocks_per_stage=0), "blocks_per_stage=0 leave no block"),
    ],
)
def test_networks_without_a_layer_are_refused(build, message):
    with pytest.raises(ValueError, match=message):
        build()
