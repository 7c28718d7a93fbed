"""Which tensors names, patterns and None mean."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from caltrop.capture import Probe, module_names
from caltrop.capture.names import check_model
from capture.networks import (
    Functional,
    Recurrent,
    ResidualNetwork,
    Shared,
    Transformer,
    convolutional,
    perceptron,
)


def only(probe, batch):
    (captured,) = probe.read([batch])
    return captured


def test_a_name_means_the_modules_output(vectors, labels):
    model = perceptron()
    captured = only(Probe(model, (vectors, labels), layers=["3"]), (vectors, labels))
    torch.testing.assert_close(captured.features["3"], model[:4](vectors), rtol=0, atol=0)


def test_a_name_with_input_means_what_the_module_was_given(vectors, labels):
    model = perceptron()
    captured = only(Probe(model, (vectors, labels), layers="5:input"), (vectors, labels))
    torch.testing.assert_close(captured.features["5:input"], model[:5](vectors), rtol=0, atol=0)


def test_layers_come_in_order_of_execution(vectors, labels):
    probe = Probe(perceptron(), (vectors, labels), layers=["5:input", "3", "1:input", "1"])
    assert probe.layers == ("1:input", "1", "3", "5:input")


@pytest.mark.parametrize(
    ("pattern", "layers"),
    [
        ("layer*", ("layer1", "layer2")),
        ("layer?.1", ("layer1.1", "layer2.1")),
        ("layer1.*.conv[12]", ("layer1.0.conv1", "layer1.0.conv2", "layer1.1.conv1", "layer1.1.conv2")),
        ("layer*:input", ("layer1:input", "layer2:input")),
    ],
)
def test_a_star_stays_within_one_level(pattern, layers, images, labels):
    assert Probe(ResidualNetwork(), (images, labels), layers=pattern).layers == layers


def test_a_star_crosses_levels_only_where_nothing_matches_otherwise(images, labels):
    probe = Probe(ResidualNetwork(), (images, labels), layers="*conv2")
    assert probe.layers == ("layer1.0.conv2", "layer1.1.conv2", "layer2.0.conv2", "layer2.1.conv2")
    assert any("deeper" in note for note in probe.notes)


@pytest.mark.parametrize("request_", ["layer3", "layer2.9", "layr*"])
def test_a_layer_that_does_not_exist_gets_the_nearest_names(request_, images, labels):
    with pytest.raises(ValueError, match=r"no layer matches .* nearest names: .*layer"):
        Probe(ResidualNetwork(), (images, labels), layers=[request_])


def test_a_list_of_modules_does_not_run_itself(vectors, labels):
    class Listed(nn.Module):
        def __init__(self):
            super().__init__()
            self.blocks, self.head = nn.ModuleList([nn.Linear(12, 12), nn.Linear(12, 12)]), nn.Linear(12, 4)

        def forward(self, x):
            for block in self.blocks:
                x = block(x).relu()
            return self.head(x)

    with pytest.raises(ValueError, match=r"'blocks' \(ModuleList\) did not run .* ask for blocks\.\*"):
        Probe(Listed(), (vectors, labels), layers="blocks")


@pytest.mark.parametrize("wrong", [[3], [None]])
def test_layers_must_be_names(wrong, vectors, labels):
    with pytest.raises(TypeError, match="expected module names or patterns"):
        Probe(perceptron(), (vectors, labels), layers=wrong)


def test_no_layers_at_all_is_refused(vectors, labels):
    with pytest.raises(ValueError, match="layers is empty"):
        Probe(perceptron(), (vectors, labels), layers=[])


def test_token_ids_are_not_features(ids, labels):
    with pytest.raises(ValueError, match=r"'embed:input' \(Embedding\) was given torch.int64"):
        Probe(Recurrent(), (ids, labels), layers="embed:input")


def test_blocks_of_a_residual_network_are_chosen_and_no_container_repeats_them(images, labels):
    probe = Probe(ResidualNetwork(), (images, labels))
    assert probe.layers == ("layer1.0", "layer1.1", "layer2.0", "layer2.1", "decide:input")
    assert any("Residual" in note and "Pass layers=" in note for note in probe.notes)


def test_stages_of_a_plain_network_end_with_their_activation(vectors, labels):
    assert Probe(perceptron(), (vectors, labels)).layers == ("2", "5:input")


def test_a_functional_activation_is_measured_where_the_next_layer_receives_it(vectors, labels):
    model = Functional()
    probe = Probe(model, (vectors, labels))
    assert probe.layers == ("fc2:input", "fc3:input")
    hidden = only(probe, (vectors, labels)).features["fc2:input"]
    torch.testing.assert_close(hidden, model.fc1(vectors).relu(), rtol=0, atol=0)


def test_encoder_layers_are_blocks(ids, labels):
    probe = Probe(Transformer(), {"input_ids": ids, "labels": labels})
    assert probe.layers == ("encoder.layers.0", "encoder.layers.1", "classifier:input")


def test_a_stage_that_ends_in_a_pick_of_tokens_keeps_all_tokens(ids, labels):
    assert Probe(Recurrent(), (ids, labels)).layers == ("embed", "lstm", "out:input")


def test_a_group_of_blocks_in_its_own_class_is_replaced_by_its_blocks(images, labels):
    class Group(nn.Module):
        def __init__(self, blocks):
            super().__init__()
            self.inner = blocks

        def forward(self, x):
            return self.inner(x)

    model = ResidualNetwork()
    model.layer1, model.layer2 = Group(model.layer1), Group(model.layer2)
    assert Probe(model, (images, labels)).layers == (
        "layer1.inner.0",
        "layer1.inner.1",
        "layer2.inner.0",
        "layer2.inner.1",
        "decide:input",
    )


def test_a_hidden_layer_behind_the_blocks_is_a_stage_too(images, labels):
    model = ResidualNetwork()
    model.decide = nn.Sequential(nn.Linear(6, 5), nn.ReLU(), nn.Linear(5, 5), nn.ReLU(), nn.Linear(5, 4))
    assert Probe(model, (images, labels)).layers[-2:] == ("decide.1", "decide.4:input")


def test_a_module_called_several_times_must_be_numbered(vectors, labels):
    with pytest.raises(ValueError, match=r"'cell' \(Linear\) ran 3 times .* 'cell#1', 'cell#2', 'cell#3'"):
        Probe(Shared(), (vectors, labels), layers="cell")


@pytest.mark.parametrize(
    ("request_", "layers"),
    [
        ("cell#2", ("cell#2",)),
        ("cell#*", ("cell#1", "cell#2", "cell#3")),
        ("ce*", ("cell#1", "cell#2", "cell#3")),
        ("cell#3:input", ("cell#3:input",)),
    ],
)
def test_each_call_of_a_module_is_a_layer_of_its_own(request_, layers, vectors, labels):
    assert Probe(Shared(), (vectors, labels), layers=request_).layers == layers


def test_numbered_calls_hold_what_that_call_returned(vectors, labels):
    model = Shared()
    features = only(Probe(model, (vectors, labels), layers="cell#*"), (vectors, labels)).features
    second = model.cell(torch.tanh(model.cell(vectors)))
    torch.testing.assert_close(features["cell#2"], second, rtol=0, atol=0)


def test_a_call_that_fails_to_come_is_named(vectors, labels):
    model = Shared()
    probe = Probe(model, (vectors, labels), layers="cell#3")
    model.times = 2
    with pytest.raises(ValueError, match="'cell#3' ran 2 times in this batch, too few"):
        only(probe, (vectors, labels))


def test_a_second_call_that_comes_later_is_ambiguous(vectors, labels):
    model = Shared(times=1)
    probe = Probe(model, (vectors, labels), layers="cell")
    model.times = 2
    with pytest.raises(ValueError, match="'cell' ran 2 times in this batch but once before"):
        only(probe, (vectors, labels))


def test_module_names_are_what_layers_accept(vectors, labels):
    model = perceptron()
    assert module_names(model) == ("0", "1", "2", "3", "4", "5")
    assert Probe(model, (vectors, labels), layers=module_names(model)).layers == module_names(model)


def test_a_model_must_be_a_module():
    # called behind the door, whose annotation is checked by the tests before the door itself can speak
    with pytest.raises(TypeError, match=r"function; expected a torch\.nn\.Module"):
        check_model(lambda x: x)


def test_the_head_of_a_fully_convolutional_network_is_measured_at_its_input(images, labels):
    assert Probe(convolutional(pool_first=False), (images, labels)).layers == ("2", "5:input")


def test_a_layer_keeps_its_name_when_asked_by_a_second_one(vectors, labels):
    model = nn.Module()
    model.first = nn.Linear(12, 4)
    model.alias = model.first
    model.forward = lambda x: model.first(x)
    assert Probe(model, (vectors, labels), layers="alias").layers == ("first",)
