"""Which module is the last linear layer, or why none was chosen."""

from __future__ import annotations

import pytest
import torch
from torch import nn
from torch.nn import functional
from torch.nn.utils import parametrizations

from caltrop.capture import Probe
from capture.networks import (
    CLASSES,
    Recurrent,
    ResidualNetwork,
    Returning,
    Shared,
    Tagger,
    Transformer,
    TwoHeads,
    convolutional,
    perceptron,
)


def predictions(probe, batch):
    (captured,) = probe.read([batch])
    return captured.predictions


@pytest.mark.parametrize(
    "pack",
    ["tensor", "tuple", "dict", "model output", "dataclass", "loss first", "log softmax", "temperature"],
)
def test_the_head_is_found_however_the_output_is_packed(pack, vectors, labels):
    probe = Probe(Returning(pack), (vectors, labels))
    assert (probe.head_name, probe.head_layer, probe.why_no_head) == ("head", "head:input", None)


def test_the_head_need_not_be_called_fc(images, labels):
    model = ResidualNetwork()
    probe = Probe(model, (images, labels))
    assert probe.head_name == "decide"
    assert any("decide (Linear)" in note and "Pass head=" in note for note in probe.notes)
    torch.testing.assert_close(probe.head.weights, model.decide.weight.double(), rtol=0, atol=0)
    torch.testing.assert_close(probe.head.bias, model.decide.bias.double(), rtol=0, atol=0)


@pytest.mark.parametrize("pool_first", [True, False])
def test_a_pointwise_convolution_is_a_head_before_or_after_pooling(pool_first, images, labels):
    model = convolutional(pool_first=pool_first).eval()
    probe = Probe(model, (images, labels))
    assert probe.head.weights.shape == (CLASSES, 7)
    assert torch.equal(predictions(probe, (images, labels)), model(images).argmax(1))
    (captured,) = probe.read([(images, labels)])
    scores = captured.features[probe.head_layer].double() @ probe.head.weights.T + probe.head.bias
    # the network's float32 sums against float64 ones
    torch.testing.assert_close(scores, model(images).double(), rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("kernel", [1, 3])
def test_only_a_kernel_of_width_one_makes_a_convolution_linear(kernel, labels):
    model = nn.Sequential(nn.Conv1d(3, CLASSES, kernel), nn.AdaptiveAvgPool1d(1), nn.Flatten())
    probe = Probe(model, (torch.randn(6, 3, 9), labels))
    assert probe.head_name == ("0" if kernel == 1 else None)


def test_a_head_without_bias_has_none(vectors, labels):
    model = nn.Sequential(nn.Linear(12, 8), nn.ReLU(), nn.Linear(8, CLASSES, bias=False))
    assert Probe(model, (vectors, labels)).head.bias is None


def test_a_head_tied_to_an_embedding_is_a_head(ids):
    model = Tagger()
    model.tag = nn.Linear(8, 11, bias=False)
    model.tag.weight = model.embed.weight
    probe = Probe(model, (ids, ids))
    assert probe.head_name == "tag"
    assert torch.equal(probe.head.weights, model.embed.weight.double())


@pytest.mark.parametrize("options", [{}, {"as_dict": True}, {"add": True}])
def test_between_two_heads_nobody_guesses(options, vectors, labels):
    probe = Probe(TwoHeads(**options), (vectors, labels))
    assert probe.head is None
    assert probe.head_name is None
    assert probe.why_no_head == "two candidate heads: first, second; pass head="


def test_one_of_two_heads_can_be_named(vectors, labels):
    model = TwoHeads()
    probe = Probe(model, (vectors, labels), head="second")
    assert probe.why_no_head is None
    assert torch.equal(predictions(probe, (vectors, labels)), model(vectors)[1].argmax(1))


def test_an_embedding_returned_beside_the_scores_is_not_a_second_head(vectors, labels):
    class Both(nn.Module):
        def __init__(self):
            super().__init__()
            self.embed, self.classify = nn.Linear(12, 8), nn.Linear(8, CLASSES)

        def forward(self, x):
            embedding = self.embed(x)
            return self.classify(embedding), embedding

    probe = Probe(Both(), (vectors, labels))
    assert probe.head_name == "classify"
    assert any("embed also returns an output" in note for note in probe.notes)


def test_a_functional_head_is_no_module_and_the_reason_says_so(vectors, labels):
    class Bare(nn.Module):
        def __init__(self):
            super().__init__()
            self.body, self.weight = nn.Linear(12, 8), nn.Parameter(torch.randn(CLASSES, 8))

        def forward(self, x):
            return functional.linear(self.body(x).relu(), self.weight)

    probe = Probe(Bare(), (vectors, labels))
    assert probe.head is None
    assert "a matrix product outside any linear module" in probe.why_no_head
    assert any(note.startswith("No head: ") for note in probe.notes)
    assert predictions(probe, (vectors, labels)) is None


def test_a_network_that_ends_with_an_activation_has_no_head(vectors, labels):
    probe = Probe(nn.Sequential(nn.Linear(12, 8), nn.ReLU()), (vectors, labels))
    assert probe.why_no_head.startswith("the model's output comes from 1 (a ReLU, which is not linear)")


def test_a_learned_temperature_leaves_the_head_the_head(vectors, labels):
    class Tempered(Returning):
        def __init__(self):
            super().__init__()
            self.scale = nn.Parameter(torch.tensor(3.0))

        def forward(self, x):
            return super().forward(x) * self.scale

    assert Probe(Tempered(), (vectors, labels)).head_name == "head"


def test_scores_with_something_added_are_not_the_heads(vectors, labels):
    class Adjusted(Returning):
        def __init__(self):
            super().__init__()
            self.prior = nn.Parameter(torch.randn(CLASSES))

        def forward(self, x):
            return super().forward(x) + self.prior

    assert "joins head with" in Probe(Adjusted(), (vectors, labels)).why_no_head


def test_a_head_that_is_the_whole_model_is_measured_at_the_models_input(vectors, labels):
    probe = Probe(nn.Linear(12, CLASSES), (vectors, labels))
    assert (probe.head_name, probe.layers) == ("(model)", ("(model):input",))


def test_a_named_head_that_does_not_exist_gets_the_nearest_names(vectors, labels):
    with pytest.raises(ValueError, match=r"no module 'heat' to be the head; nearest names: head"):
        Probe(Returning(), (vectors, labels), head="heat")


def test_a_named_head_must_be_linear(vectors, labels):
    with pytest.raises(ValueError, match=r"the head '2' is a ReLU, not a linear layer"):
        Probe(perceptron(), (vectors, labels), head="2")


def test_a_named_head_must_have_run(vectors, labels):
    model = Returning()
    model.idle = nn.Linear(8, CLASSES)
    with pytest.raises(ValueError, match="the head 'idle' did not run"):
        Probe(model, (vectors, labels), head="idle")


def test_a_named_container_stands_for_the_linear_layer_at_its_end(vectors, labels):
    model = Returning()
    model.head = nn.Sequential(nn.Dropout(0.5), nn.Linear(8, CLASSES))
    assert Probe(model, (vectors, labels), head="head").head_name == "head.1"


class Cosine(nn.Module):
    """Has a weight matrix, but is not linear in its input."""

    def __init__(self) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.randn(CLASSES, 8))

    def forward(self, x):
        return functional.normalize(x) @ functional.normalize(self.weight).T


class Columns(nn.Module):
    """A linear layer whose matrix is stored as [dim, classes]."""

    def __init__(self) -> None:
        super().__init__()
        self.weight, self.bias = nn.Parameter(torch.randn(8, CLASSES)), nn.Parameter(torch.randn(CLASSES))

    def forward(self, x):
        return torch.addmm(self.bias, x, self.weight)


def test_a_foreign_class_is_a_head_if_it_computes_like_one(vectors, labels):
    model = Returning()
    model.head = Columns()
    probe = Probe(model, (vectors, labels))
    assert torch.equal(probe.head.weights, model.head.weight.double().T)


def test_a_normalised_classifier_is_not_linear(vectors, labels):
    model = Returning()
    model.head = Cosine()
    assert Probe(model, (vectors, labels)).head is None


def test_a_head_called_twice_is_measured_at_its_last_call(vectors, labels):
    class TwoViews(Returning):
        def forward(self, x):
            views = [self.head(torch.relu(self.body(view))) for view in (x, -x)]
            return (views[0] + views[1]) / 2

    probe = Probe(TwoViews(), (vectors, labels))
    assert probe.head_layer == "head#2:input"
    assert any("ran 2 times" in note and "#2 is measured" in note for note in probe.notes)


def test_the_head_is_read_anew_each_time(vectors, labels):
    model = Returning()
    probe = Probe(model, (vectors, labels))
    before = probe.head
    with torch.no_grad():
        model.head.weight.add_(1.0)
    torch.testing.assert_close(probe.head.weights, before.weights + 1, rtol=0, atol=1e-6)


@pytest.mark.parametrize("normalise", [parametrizations.weight_norm, parametrizations.spectral_norm])
def test_a_parametrised_head_is_read_as_it_acts(normalise, vectors, labels):
    model = Returning()
    normalise(model.head)
    probe = Probe(model, (vectors, labels))
    (captured,) = probe.read([(vectors, labels)])
    scores = captured.features["head:input"].double() @ probe.head.weights.T + probe.head.bias
    assert probe.head_name == "head"
    # float32 weights of the parametrization
    torch.testing.assert_close(scores, model.eval()(vectors).double(), rtol=1e-5, atol=1e-5)


def test_reading_a_spectrally_normalised_head_does_not_iterate_its_norm(vectors, labels):
    model = Returning()
    parametrizations.spectral_norm(model.head)
    model.train()
    probe = Probe(model, (vectors, labels))
    before = {name: buffer.clone() for name, buffer in model.named_buffers()}
    assert probe.head is not None
    assert all(torch.equal(buffer, before[name]) for name, buffer in model.named_buffers())


@pytest.mark.filterwarnings("ignore::FutureWarning")
def test_the_hook_based_weight_norm_is_not_read_stale(vectors, labels):
    model = Returning()
    nn.utils.weight_norm(model.head)
    probe = Probe(model, (vectors, labels))
    with torch.no_grad():
        model.head.weight_g.mul_(2.0)
    weights = probe.head.weights
    model(vectors)
    torch.testing.assert_close(weights, model.head.weight.double(), rtol=1e-6, atol=0)


def test_head_weights_are_float64_copies(vectors, labels):
    model = Returning()
    head = Probe(model, (vectors, labels)).head
    head.weights.zero_()
    assert head.weights.dtype == torch.float64
    assert bool((model.head.weight != 0).any())


@pytest.mark.parametrize("model", [Recurrent(), Transformer()])
def test_predictions_are_the_heads_own_decisions(model, ids, labels):
    output = model.eval()(ids)
    scores = output["logits"] if isinstance(output, dict) else output
    assert torch.equal(predictions(Probe(model, (ids, labels)), (ids, labels)), scores.argmax(1))


def test_a_shared_body_does_not_hide_the_head(vectors, labels):
    assert Probe(Shared(), (vectors, labels)).head_layer == "head:input"


def test_a_single_score_predicts_nothing(vectors, labels):
    model = nn.Sequential(nn.Linear(12, 8), nn.ReLU(), nn.Linear(8, 1))
    assert predictions(Probe(model, (vectors, labels)), (vectors, labels)) is None
