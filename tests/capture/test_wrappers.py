"""Compiled, parallel and averaged models; other devices."""

from __future__ import annotations

import pytest
import torch
from torch import nn
from torch.optim.swa_utils import AveragedModel

from caltrop.capture import Probe, module_names
from caltrop.capture.placement import moved
from capture.networks import CLASSES, Returning, perceptron


def compiled(model):
    return torch.compile(model, backend="eager")


def warm_up(model, inputs):
    # compiled for the very mode of a reading, so that the code at hand knows no hooks
    model.eval()
    with torch.no_grad():
        for _ in range(2):
            model(inputs)


def test_a_compiled_model_is_read_under_its_own_names(vectors, labels):
    model = Returning()
    wrapped = compiled(model)
    warm_up(wrapped, vectors)
    (captured,) = Probe(wrapped, (vectors, labels), layers="body").read([(vectors, labels)])
    assert module_names(wrapped) == module_names(model)
    torch.testing.assert_close(captured.features["body"], model.body(vectors), rtol=0, atol=0)


@pytest.mark.parametrize("wrap", [nn.DataParallel, AveragedModel, lambda m: nn.DataParallel(compiled(m)), compiled])
@pytest.mark.parametrize("name", ["body", "module.body", "_orig_mod.body", "module._orig_mod.body"])
def test_names_may_carry_the_wrappers_prefix_or_not(wrap, name, vectors, labels):
    probe = Probe(wrap(Returning()), (vectors, labels), layers=name, head=name.replace("body", "head"))
    assert (probe.layers, probe.head_name) == (("body",), "head")


def test_a_compiled_part_of_a_model_is_heard(vectors, labels):
    model = Returning()
    model.body = compiled(nn.Sequential(nn.Linear(12, 8), nn.Tanh()))
    warm_up(model, vectors)
    probe = Probe(model, (vectors, labels), layers="body.0")
    (captured,) = probe.read([(vectors, labels)])
    assert probe.layers == ("body.0",)
    assert captured.features["body.0"].shape == (6, 8)


def test_a_model_compiled_in_place_is_heard(vectors, labels):
    model = Returning()
    model.compile(backend="eager")
    warm_up(model, vectors)
    (captured,) = Probe(model, (vectors, labels), layers="body").read([(vectors, labels)])
    assert captured.features["body"].shape == (6, 8)


def test_a_module_that_is_really_called_module_keeps_its_name(vectors, labels):
    class Named(nn.Module):
        def __init__(self):
            super().__init__()
            self.module, self.head = nn.Linear(12, 8), nn.Linear(8, CLASSES)

        def forward(self, x):
            return self.head(self.module(x).relu())

    assert Probe(Named(), (vectors, labels), layers="module").layers == ("module",)


def test_flags_of_the_wrapper_are_restored_too(vectors, labels):
    wrapped = nn.DataParallel(perceptron()).train()
    list(Probe(wrapped, (vectors, labels)).read([(vectors, labels)]))
    assert all(module.training for module in wrapped.modules())


def fail_on_meta(model):
    assert all(t.device.type == "meta" for t in (*model.parameters(), *model.buffers()))
    raise RuntimeError("only inside")


def test_a_move_is_undone_with_the_very_same_tensors():
    model = nn.Sequential(nn.Linear(3, 3), nn.BatchNorm1d(3))
    model[0].weight.grad = torch.ones(3, 3)
    before = [(id(t), t.data_ptr(), t.device) for t in (*model.parameters(), *model.buffers())]
    grad = model[0].weight.grad
    # the meta device stands for another one: it is there on every machine
    with pytest.raises(RuntimeError, match="only inside"), moved(model, "meta"):
        fail_on_meta(model)
    assert [(id(t), t.data_ptr(), t.device) for t in (*model.parameters(), *model.buffers())] == before
    assert model[0].weight.grad is grad
    assert grad.tolist() == torch.ones(3, 3).tolist()


def test_inputs_follow_the_model_to_its_device(vectors, labels):
    model = perceptron()
    probe = Probe(model, (vectors, labels), layers="3", device="meta")
    reading = probe.read([(vectors, labels)])
    captured = next(reading)
    assert captured.features["3"].device.type == "meta"
    assert captured.labels.device.type == "cpu"
    reading.close()
    assert {p.device.type for p in model.parameters()} == {"cpu"}


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a GPU")
def test_a_gpu_gives_the_features_of_the_cpu_and_the_model_returns(vectors, labels):
    model = perceptron()
    state = torch.cuda.get_rng_state()
    (here,) = Probe(model, (vectors, labels), layers="3").read([(vectors, labels)])
    (there,) = Probe(model, (vectors, labels), layers="3", device="cuda").read([(vectors, labels)])
    # float32 products in another order
    torch.testing.assert_close(here.features["3"], there.features["3"].cpu(), rtol=1e-4, atol=1e-5)
    assert {p.device.type for p in model.parameters()} == {"cpu"}
    assert torch.equal(torch.cuda.get_rng_state(), state)
