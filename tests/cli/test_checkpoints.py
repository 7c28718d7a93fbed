from __future__ import annotations

from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file
from torch import nn

from caltrop.cli.checkpoints import load_checkpoint, steps_of


def network(seed=0):
    torch.manual_seed(seed)
    return nn.Sequential(nn.Linear(2, 3), nn.BatchNorm1d(3), nn.Linear(3, 4))


def same(one, other):
    assert list(one.state_dict()) == list(other.state_dict())
    for name, tensor in one.state_dict().items():
        assert torch.equal(tensor, other.state_dict()[name]), name


@pytest.mark.parametrize("prefix", ["", "module.", "_orig_mod.", "model.", "module._orig_mod.", "model.module."])
@pytest.mark.parametrize("key", [None, "state_dict", "model", "model_state_dict"])
def test_wrappers_and_nesting_do_not_matter(tmp_path, prefix, key):
    trained = network(1)
    state = {prefix + name: tensor for name, tensor in trained.state_dict().items()}
    torch.save(state if key is None else {"epoch": 7, key: state}, tmp_path / "c.ckpt")
    model = network(2)
    load_checkpoint(model, tmp_path / "c.ckpt")
    same(model, trained)


def test_safetensors_are_state_dicts(tmp_path):
    trained = network(1)
    save_file(trained.state_dict(), tmp_path / "c.safetensors")
    model = network(2)
    load_checkpoint(model, tmp_path / "c.safetensors")
    same(model, trained)


def test_a_wrapped_model_takes_a_bare_checkpoint(tmp_path):
    trained = network(1)
    torch.save(trained.state_dict(), tmp_path / "c.pt")
    model = nn.ModuleDict({"module": network(2)})
    load_checkpoint(model, tmp_path / "c.pt")
    same(model["module"], trained)


def test_a_compiled_part_in_the_middle_does_not_matter(tmp_path):
    trained = nn.ModuleDict({"body": network(1)})
    state = {name.replace("body.", "body._orig_mod."): tensor for name, tensor in trained.state_dict().items()}
    torch.save(state, tmp_path / "c.pt")
    model = nn.ModuleDict({"body": network(2)})
    load_checkpoint(model, tmp_path / "c.pt")
    same(model, trained)


def test_a_model_that_has_a_part_called_model_is_loaded_by_its_own_names(tmp_path):
    trained = nn.ModuleDict({"model": nn.Linear(2, 2), "other": nn.Linear(2, 2)})
    torch.save(trained.state_dict(), tmp_path / "c.pt")
    model = nn.ModuleDict({"model": nn.Linear(2, 2), "other": nn.Linear(2, 2)})
    load_checkpoint(model, tmp_path / "c.pt")
    same(model, trained)


@pytest.mark.parametrize(
    ("change", "why"),
    [
        (lambda state: state.pop("0.weight"), r"does not fit the model: missing 0\.weight\."),
        (lambda state: state.update({"ema.weight": torch.ones(1)}), r"unexpected ema\.weight\."),
        (lambda state: state.update({"2.bias": torch.ones(9)}), r"of another shape 2\.bias \[9\] for \[4\]"),
        (lambda state: state.clear() or state.update(a=torch.ones(1)), "missing 0.weight, 0.bias, .* and 5 more; un"),
    ],
)
def test_a_checkpoint_that_does_not_fit_says_where_and_changes_nothing(tmp_path, change, why):
    state = dict(network(1).state_dict())
    change(state)
    torch.save(state, tmp_path / "c.pt")
    model = network(2)
    with pytest.raises(ValueError, match=why):
        load_checkpoint(model, tmp_path / "c.pt")
    same(model, network(2))


def test_a_whole_pickled_model_is_refused_with_the_remedy(tmp_path):
    torch.save(network(), tmp_path / "c.pt")
    with pytest.raises(ValueError, match=r"asks to unpickle code .*torch\.save\(model\.state_dict\(\), path\)"):
        load_checkpoint(network(), tmp_path / "c.pt")


def test_a_checkpoint_without_a_state_dict_says_what_it_holds(tmp_path):
    torch.save({"epoch": 3, "net": {"a": 1}}, tmp_path / "c.pt")
    with pytest.raises(ValueError, match=r"holds no state dict: its entries are epoch \(int\), net \(dict\)"):
        load_checkpoint(network(), tmp_path / "c.pt")


@pytest.mark.parametrize(
    ("names", "steps", "clock"),
    [
        (["epoch_1.pt", "epoch_20.pt"], [1, 20], "epoch"),
        (["epoch=3-step=500.ckpt", "epoch=4-step=600.ckpt"], [500, 600], "iteration"),
        (["a10.pt", "b9.pt"], [10, 9], "checkpoint"),
        (["first.pt", "last.pt"], [0, 1], "checkpoint"),
        (["epoch_3.pt", "final.pt"], [0, 1], "checkpoint"),
        (["a/run_1.pt", "b/run_1.pt"], [0, 1], "checkpoint"),
        (["checkpoint_5.pt", "epoch_7.pt"], [5, 7], "checkpoint"),
        (["resnet18.pt"], [None], None),
        ([], [], None),
    ],
)
def test_the_step_is_the_last_number_of_the_name_or_else_the_position(names, steps, clock):
    assert steps_of([Path(name) for name in names]) == (steps, clock)
