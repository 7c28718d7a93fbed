from __future__ import annotations

import numpy as np
import pytest
import torch

from caltrop.data.head_file import read_head


def linear(rows, columns, bias=True):
    return torch.nn.Linear(columns, rows, bias=bias)


def saved(path, *layers, **nesting):
    state = torch.nn.Sequential(*layers).state_dict()
    for key in nesting.values():
        state = {key: state, "epoch": 3}
    torch.save(state, path)
    return path


@pytest.mark.parametrize("name", ["weights", "weight"])
def test_weights_and_bias_are_taken_by_name(tmp_path, name):
    np.savez(tmp_path / "h.npz", **{name: np.ones((3, 5)), "bias": np.arange(3.0)})
    head = read_head(tmp_path / "h.npz", dims=[5])
    assert head.weights.shape == (3, 5)
    assert np.array_equal(head.bias, [0, 1, 2])


def test_a_bare_array_is_weights_without_bias(tmp_path):
    np.save(tmp_path / "w.npy", np.ones((3, 5)))
    head = read_head(tmp_path / "w.npy", dims=[5])
    assert head.weights.shape == (3, 5)
    assert head.bias is None


@pytest.mark.parametrize("key", ["state_dict", "model", "model_state_dict"])
def test_the_only_linear_layer_that_fits_is_found_where_scripts_nest_it(tmp_path, key):
    path = saved(tmp_path / "c.pt", linear(5, 7), linear(3, 5), under=key)
    head = read_head(path, dims=[5])
    assert torch.equal(head.weights, torch.load(path)[key]["1.weight"])
    assert torch.equal(head.bias, torch.load(path)[key]["1.bias"])
    assert head.note == "the head is the layer '1' of c.pt"


def test_the_number_of_classes_decides_between_hidden_layers_and_head(tmp_path):
    path = saved(tmp_path / "c.pt", linear(5, 5), linear(5, 5), linear(3, 5, bias=False))
    head = read_head(path, dims=[5], num_classes=3)
    assert head.weights.shape == (3, 5)
    assert head.bias is None


def test_two_layers_that_fit_equally_are_listed(tmp_path):
    path = saved(tmp_path / "c.pt", linear(3, 5), linear(3, 5))
    with pytest.raises(ValueError, match=r"several linear layers .*: 0 float32 \[3, 5\], 1 float32 \[3, 5\].*--head"):
        read_head(path, dims=[5], num_classes=3)


def test_a_named_layer_is_taken_at_once(tmp_path):
    path = saved(tmp_path / "c.pt", linear(3, 5), linear(3, 5))
    assert torch.equal(read_head(path, dims=[5], module="0").weights, torch.load(path)["0.weight"])


def test_a_named_layer_that_does_not_exist_lists_those_that_do(tmp_path):
    path = saved(tmp_path / "c.pt", linear(3, 5), linear(3, 5))
    with pytest.raises(ValueError, match="no linear layer 'fc'; its linear layers: 0, 1"):
        read_head(path, dims=[5], module="fc")


def test_a_state_dict_without_a_fitting_layer_says_its_widths(tmp_path):
    path = saved(tmp_path / "c.pt", linear(3, 8))
    with pytest.raises(ValueError, match=r"takes features of width 5 or 9; its linear layers: 0 float32 \[3, 8\]"):
        read_head(path, dims=[9, 5])


def test_an_archive_without_weights_says_what_it_holds(tmp_path):
    np.savez(tmp_path / "h.npz", w=np.ones((3, 5)))
    with pytest.raises(ValueError, match=r"no `weights` \[classes, dim\]; it holds: w float64 \[3, 5\]"):
        read_head(tmp_path / "h.npz", dims=[5])


def test_a_file_without_any_state_dict_says_what_it_holds(tmp_path):
    torch.save({"epoch": 3, "loss": 0.5}, tmp_path / "c.pt")
    with pytest.raises(ValueError, match=r"no state dict: its entries are epoch \(int\), loss \(float\)"):
        read_head(tmp_path / "c.pt", dims=[5])
