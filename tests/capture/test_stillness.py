"""A model that was read is the model that was given."""

from __future__ import annotations

import copy
import gc
import random
import weakref

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn import functional

from caltrop.capture import Probe
from caltrop.capture.stillness import PrivateStream
from capture.networks import CLASSES, ResidualNetwork, Returning, perceptron


def state_of(model):
    """Everything a reading could disturb, in comparable form."""
    return {
        "training": [module.training for module in model.modules()],
        "hooks": [
            (list(m._forward_hooks), list(m._forward_pre_hooks), list(m._backward_hooks)) for m in model.modules()
        ],
        "requires_grad": [p.requires_grad for p in model.parameters()],
        "grads": [None if p.grad is None else p.grad.tolist() for p in model.parameters()],
        "values": [t.tolist() for t in (*model.parameters(), *model.buffers())],
        "identities": [id(t) for t in (*model.parameters(), *model.buffers())],
        "random": (
            torch.get_rng_state().tolist(),
            np.random.get_state()[1].tolist(),  # noqa: NPY002
        ),
        "grad mode": torch.is_grad_enabled(),
        "fast path": torch.backends.mha.get_fastpath_enabled(),
    }


@pytest.fixture
def model():
    made = ResidualNetwork()
    made.layer1[0].bn1.eval()  # frozen by the user, to stay frozen
    made.stem.weight.requires_grad_(False)
    made.decide.weight.grad = torch.ones_like(made.decide.weight)
    made.layer2.register_forward_hook(lambda *_: None)
    return made


class Fragile(nn.Module):
    """A noisy layer that raises `error` once `broken` is set."""

    def __init__(self):
        super().__init__()
        self.broken = None

    def forward(self, x):
        torch.rand(3)
        np.random.rand(3)  # noqa: NPY002
        random.random()
        if self.broken is not None:
            raise self.broken
        return x


def fragile(model):
    model.pool = nn.Sequential(model.pool, Fragile())
    return model


def test_a_full_reading_leaves_the_model_alone(model, images, labels):
    model, batches = fragile(model), [(images, labels)] * 2
    before = state_of(model)
    probe = Probe(model, batches[0])
    for _ in probe.read(batches):
        assert state_of(model) == before
    probe.check_deterministic(batches)
    assert probe.head is not None
    assert state_of(model) == before


@pytest.mark.parametrize("error", [RuntimeError("broken inside"), KeyboardInterrupt("broken off")])
def test_an_error_inside_the_model_leaves_it_alone_and_arrives_as_it_was(error, model, images, labels):
    model = fragile(model)
    probe = Probe(model, (images, labels))
    before = state_of(model)
    model.pool[1].broken = error
    with pytest.raises(type(error), match=str(error)) as caught:
        list(probe.read([(images, labels)]))
    assert caught.value is error
    assert state_of(model) == before


def test_an_error_during_the_first_look_leaves_the_model_alone(model, images, labels):
    model = fragile(model)
    model.pool[1].broken = RuntimeError("broken inside")
    before = state_of(model)
    with pytest.raises(RuntimeError, match="broken inside"):
        Probe(model, (images, labels))
    assert state_of(model) == before


def test_an_error_of_the_callers_or_an_early_stop_leaves_the_model_alone(model, images, labels):
    before = state_of(model)
    reading = Probe(model, (images, labels)).read([(images, labels)] * 3)
    next(reading)
    assert state_of(model) == before  # also while nobody has closed the reading
    reading.close()
    assert state_of(model) == before


def test_hooks_of_the_user_run_before_ours_and_survive(vectors, labels):
    model = Returning()
    model.body.register_forward_hook(lambda module, args, output: output * 0 + 7)
    model.head.register_forward_pre_hook(lambda module, args: (args[0] * 0 + 5,))
    (captured,) = Probe(model, (vectors, labels), layers=["body", "head:input"]).read([(vectors, labels)])
    assert captured.features["body"].unique().tolist() == [7.0]
    assert captured.features["head:input"].unique().tolist() == [5.0]
    assert (len(model.body._forward_hooks), len(model.head._forward_pre_hooks)) == (1, 1)


def test_the_model_runs_in_eval_mode_whatever_its_flags(vectors, labels):
    seen = []

    class Watching(nn.Dropout):
        def forward(self, x):
            seen.append((self.training, torch.is_grad_enabled()))
            return super().forward(x)

    model = nn.Sequential(nn.Linear(12, 8), Watching(0.5), nn.Linear(8, CLASSES)).train()
    list(Probe(model, (vectors, labels)).read([(vectors, labels)]))
    assert set(seen) == {(False, False)}


def test_features_hold_no_graph(vectors, labels):
    (captured,) = Probe(perceptron(), (vectors, labels)).read([(vectors, labels)])
    assert not any(f.requires_grad or f.grad_fn is not None for f in captured.features.values())


def test_nothing_is_kept_between_batches(images, labels):
    reading = Probe(ResidualNetwork(), (images, labels)).read((images + i, labels) for i in range(3))
    alive = []
    for captured in reading:
        alive.append(weakref.ref(captured.features["layer1.0"]))
        del captured
        gc.collect()
        assert [ref() for ref in alive] == [None] * len(alive)


def test_buffers_that_a_forward_moves_are_put_back(vectors, labels):
    class Stubborn(nn.Module):
        def __init__(self):
            super().__init__()
            self.register_buffer("mean", torch.zeros(8))
            self.register_buffer("var", torch.ones(8))
            self.register_buffer("calls", torch.zeros(()))

        def forward(self, x):
            self.calls = self.calls + 1
            return functional.batch_norm(x, self.mean, self.var, training=True)

    model = nn.Sequential(nn.Linear(12, 8), Stubborn(), nn.Linear(8, CLASSES))
    before = state_of(model)
    list(Probe(model, (vectors, labels)).read([(vectors, labels)] * 2))
    assert state_of(model) == before


def test_the_callers_random_numbers_do_not_move_but_the_loaders_do(vectors, labels):
    def noisy():
        for _ in range(3):
            yield vectors + torch.randn(()), labels

    probe = Probe(perceptron(), (vectors, labels), layers="1:input")
    torch.manual_seed(5)
    expected = torch.rand(4)
    torch.manual_seed(5)
    drawn = []
    first = []
    for captured in probe.read(noisy()):
        drawn.append(torch.rand(()))
        first.append(float(captured.features["1:input"][0, 0]))
    assert torch.equal(torch.stack([*drawn, torch.rand(())]), expected)
    assert len(set(first)) == 3


def test_pythons_own_random_numbers_do_not_move_either():
    # not through a Probe: the type checks that run during tests draw from this generator themselves
    random.seed(5)
    expected = random.random()
    random.seed(5)
    with PrivateStream().playing():
        random.random()
    assert random.random() == expected


def test_two_readings_of_one_model_may_interleave(vectors, labels):
    model = perceptron().train()
    probe = Probe(model, (vectors, labels))
    one, two = probe.read([(vectors, labels)] * 2), probe.read([(vectors, labels)] * 2)
    next(one), next(two)
    one.close(), two.close()
    assert all(module.training for module in model.modules())


@pytest.mark.parametrize("layer", ["1", "3", "4:input"])
def test_what_runs_next_in_place_does_not_change_what_was_captured(layer, vectors, labels):
    batch = (vectors, labels)
    torch.manual_seed(1)
    (clean,) = Probe(perceptron(inplace=False), batch, layers=layer).read([batch])
    torch.manual_seed(1)
    (written,) = Probe(perceptron(inplace=True), batch, layers=layer).read([batch])
    assert bool((clean.features[layer] < 0).any())
    assert torch.equal(clean.features[layer], written.features[layer])


def test_an_addition_in_place_does_not_change_what_was_captured(images, labels):
    model = ResidualNetwork().eval()
    (captured,) = Probe(model, (images, labels), layers="layer1.0.bn2", pool="flatten").read([(images, labels)])
    block, x = model.layer1[0], functional.relu(model.stem(images))
    expected = block.bn2(block.conv2(functional.relu(block.bn1(block.conv1(x)))))
    torch.testing.assert_close(captured.features["layer1.0.bn2"], expected.flatten(1))


def test_a_model_that_writes_into_its_input_gets_copies(vectors, labels):
    model = nn.Sequential(nn.ReLU(inplace=True), nn.Linear(12, CLASSES))
    batch, before = (vectors, labels), vectors.clone()
    probe = Probe(model, batch)
    list(probe.read([batch]))
    assert torch.equal(vectors, before)
    assert any("copies" in note for note in probe.notes)


@pytest.mark.parametrize("dtype", [torch.float64, torch.bfloat16, torch.float16])
def test_features_keep_the_precision_of_the_network(dtype, images, labels):
    model, batch = ResidualNetwork().to(dtype), (images.to(dtype), labels)
    probe = Probe(model, batch)
    (captured,) = probe.read([batch])
    assert {f.dtype for f in captured.features.values()} == {dtype}
    assert probe.head.weights.dtype == torch.float64


def test_a_copy_of_the_model_gives_the_same_features(images, labels):
    model = ResidualNetwork()
    (one,) = Probe(model, (images, labels)).read([(images, labels)])
    (two,) = Probe(copy.deepcopy(model), (images, labels)).read([(images, labels)])
    assert all(torch.equal(one.features[name], two.features[name]) for name in one.features)
