from __future__ import annotations

import pickle
import sys
import zipfile

import h5py
import numpy as np
import pytest
import torch
from safetensors.torch import save_file

from caltrop.data.features_file import read_features

ROWS, DIM, CLASSES = 12, 5, 3


@pytest.fixture
def arrays():
    draw = np.random.default_rng(0)
    return {
        "features": draw.normal(size=(ROWS, DIM)).astype(np.float32),
        "labels": np.arange(ROWS) % CLASSES,
        "weights": draw.normal(size=(CLASSES, DIM)).astype(np.float32),
        "bias": draw.normal(size=CLASSES).astype(np.float32),
    }


def save(path, arrays):
    """Write `arrays` in the format of the path's suffix."""
    suffix = path.suffix
    if suffix == ".npz":
        np.savez(path, **arrays)
    elif suffix == ".pt":
        torch.save({name: torch.as_tensor(array) for name, array in arrays.items()}, path)
    elif suffix == ".safetensors":
        save_file({name: torch.as_tensor(array).contiguous() for name, array in arrays.items()}, path)
    elif suffix == ".h5":
        with h5py.File(path, "w") as file:
            for name, array in arrays.items():
                file[name] = array
    else:
        np.save(path, arrays["features"])
    return path


named = pytest.mark.parametrize("suffix", [".npz", ".pt", ".safetensors", ".h5"])
every = pytest.mark.parametrize("suffix", [".npz", ".npy", ".pt", ".safetensors", ".h5"])


@named
def test_features_labels_and_head_come_back_exactly(tmp_path, arrays, suffix):
    read = read_features(save(tmp_path / f"f{suffix}", arrays))
    assert list(read.layers) == ["features"]
    assert np.array_equal(np.asarray(read.layers["features"]), arrays["features"])
    assert np.array_equal(np.asarray(read.labels), arrays["labels"])
    assert np.array_equal(np.asarray(read.weights), arrays["weights"])
    assert np.array_equal(np.asarray(read.bias), arrays["bias"])
    assert read.head_layer == "features"


@named
def test_every_floating_array_with_a_row_per_label_is_a_layer(tmp_path, arrays, suffix):
    del arrays["features"]
    more = {"block1": np.ones((ROWS, 7)), "block2": np.ones((ROWS, DIM)), "centres": np.ones((CLASSES, DIM))}
    read = read_features(save(tmp_path / f"f{suffix}", {**more, **arrays, "seen": np.ones((ROWS, 2), int)}))
    assert sorted(read.layers) == ["block1", "block2"]
    assert read.head_layer == "block2"
    said = " | ".join(read.notes)
    assert "`centres` is float64 [3, 5], so it has 3 samples, but there are 12 labels" in said
    assert "`seen` is int64 [12, 2]; features are floating point" in said


def test_arrays_in_groups_of_hdf5_are_named_by_their_path(tmp_path, arrays):
    path = save(tmp_path / "f.h5", {"net/block1": np.ones((ROWS, 2)), "labels": arrays["labels"]})
    assert list(read_features(path).layers) == ["net/block1"]


def test_bfloat16_stays_bfloat16(tmp_path, arrays):
    features = torch.as_tensor(arrays["features"]).bfloat16()
    path = save(tmp_path / "f.safetensors", {"features": features, "labels": arrays["labels"]})
    assert read_features(path).layers["features"].dtype == torch.bfloat16


def test_an_array_of_another_byte_order_reads_as_the_same_numbers(tmp_path, arrays):
    path = save(tmp_path / "f.npz", {**arrays, "features": arrays["features"].astype(">f4")})
    layer = read_features(path).layers["features"]
    assert layer.dtype.isnative
    assert np.array_equal(layer, arrays["features"])


def test_a_npy_is_memory_mapped_never_changed_and_takes_labels_beside_it(tmp_path, arrays):
    np.save(tmp_path / "labels.npy", arrays["labels"])
    read = read_features(save(tmp_path / "f.npy", arrays))
    assert isinstance(read.layers["features"], np.memmap)
    read.layers["features"][0] = 99
    assert np.array_equal(np.load(tmp_path / "f.npy"), arrays["features"])
    assert np.array_equal(read.labels, arrays["labels"])
    assert read.notes == ("labels are from labels.npy beside it",)


@pytest.mark.parametrize("name", ["y.npy", "y.npz", "y.pt"])
def test_a_labels_file_may_have_any_format(tmp_path, arrays, name):
    if name == "y.npy":
        np.save(tmp_path / name, arrays["labels"])
    else:
        save(tmp_path / name, {"labels": arrays["labels"]})
    read = read_features(save(tmp_path / "f.npy", arrays), labels_path=tmp_path / name)
    assert np.array_equal(np.asarray(read.labels), arrays["labels"])


def test_a_labels_file_wins_over_labels_inside_and_says_so(tmp_path, arrays):
    np.save(tmp_path / "y.npy", arrays["labels"] + 5)
    read = read_features(save(tmp_path / "f.npz", arrays), labels_path=tmp_path / "y.npy")
    assert read.labels[0] == 5
    assert "the labels inside the features file are not used" in read.notes


def test_a_bare_tensor_takes_labels_from_a_file(tmp_path, arrays):
    torch.save(torch.as_tensor(arrays["features"]), tmp_path / "f.pt")
    np.save(tmp_path / "y.npy", arrays["labels"])
    assert list(read_features(tmp_path / "f.pt", labels_path=tmp_path / "y.npy").layers) == ["features"]


def test_a_file_from_before_zip_archives_is_read(tmp_path, arrays):
    tensors = {name: torch.as_tensor(array) for name, array in arrays.items()}
    torch.save(tensors, tmp_path / "f.pt", _use_new_zipfile_serialization=False)
    assert torch.equal(read_features(tmp_path / "f.pt").layers["features"], tensors["features"])


def test_layers_are_chosen_by_pattern_in_the_order_of_the_file(tmp_path, arrays):
    more = {f"block{i}": np.ones((ROWS, i + 1)) for i in range(3)}
    path = save(tmp_path / "f.npz", {**more, **arrays})
    read = read_features(path, layers=["block2", "block[01]"])
    assert list(read.layers) == ["block0", "block1", "block2"]
    assert read.weights is None
    assert "the head (`weights`) is not used: it takes none of the named layers" in read.notes


def test_a_layer_that_does_not_exist_offers_the_nearest(tmp_path, arrays):
    with pytest.raises(ValueError, match=r"no layer 'featuers'\. Did you mean features\?"):
        read_features(save(tmp_path / "f.npz", arrays), layers=["featuers"])


@pytest.mark.parametrize("dtype", [np.int16, np.int32, np.int64])
def test_integers_are_measured_as_float64_and_it_is_said(tmp_path, arrays, dtype):
    features = np.arange(ROWS * DIM, dtype=dtype).reshape(ROWS, DIM)
    read = read_features(save(tmp_path / "f.npz", {**arrays, "features": features}))
    assert read.layers["features"].dtype == np.float64
    assert np.array_equal(read.layers["features"], features)
    assert any("holds integers" in note for note in read.notes)


@pytest.mark.parametrize(
    ("features", "why"),
    [
        (np.zeros((ROWS, DIM), np.uint8), "pixels or codes, not features"),
        (np.zeros((ROWS, DIM), bool), "pixels or codes, not features"),
        (np.zeros((ROWS, DIM), complex), "features are real"),
        (np.zeros(ROWS), r"a layer is \[samples, dim\]. One feature per sample is features.reshape\(-1, 1\)"),
        (np.zeros((ROWS, 4, DIM)), r"Take a token, features\[:, 0\]"),
        (np.zeros((ROWS, 4, 2, 2)), r"Average over positions, features.mean\(\(2, 3\)\), or flatten"),
        (np.zeros((ROWS + 1, DIM)), "has 13 samples, but there are 12 labels"),
        (np.zeros((DIM, ROWS)), "but there are 12 labels. It looks transposed: save features.T"),
    ],
)
def test_features_that_cannot_be_a_layer_are_refused_with_a_remedy(tmp_path, arrays, features, why):
    with pytest.raises(ValueError, match=why):
        read_features(save(tmp_path / "f.npz", {**arrays, "features": features}))


def test_a_single_array_under_another_name_is_told_its_own_fault(tmp_path, arrays):
    with pytest.raises(ValueError, match=r"`embeddings` is float64 \[3, 5\], so it has 3 samples"):
        read_features(save(tmp_path / "f.npz", {"embeddings": np.ones((3, 5)), "labels": arrays["labels"]}))


def test_several_arrays_of_which_none_fits_are_listed(tmp_path, arrays):
    wrong = {"a": np.ones((3, 5)), "b": np.ones(ROWS), "labels": arrays["labels"]}
    with pytest.raises(ValueError, match=r"no floating array .* 12 rows.*a float64 \[3, 5\]; b float64 \[12\]"):
        read_features(save(tmp_path / "f.npz", wrong))


@named
def test_missing_labels_say_what_is_there(tmp_path, arrays, suffix):
    path = save(tmp_path / f"f{suffix}", {"features": arrays["features"], "y": arrays["labels"]})
    with pytest.raises(
        ValueError, match=r"no `labels` \[samples\]; it holds: features float32 \[12, 5\]; y int64 \[12\]"
    ):
        read_features(path)


def test_targets_without_labels_are_regression(tmp_path, arrays):
    path = save(tmp_path / "f.npz", {"features": arrays["features"], "targets": np.ones((ROWS, 2))})
    with pytest.raises(ValueError, match="regression is not measured by this version"):
        read_features(path)


def test_targets_and_thresholds_beside_labels_are_left_out_and_said(tmp_path, arrays):
    more = {"targets": np.ones((ROWS, 2)), "thresholds": np.arange(2.0)}
    read = read_features(save(tmp_path / "f.npz", {**arrays, **more}))
    assert np.array_equal(read.thresholds, [0, 1])
    assert {note.split("`")[1] for note in read.notes} >= {"targets", "thresholds"}


def test_a_npy_without_labels_says_where_they_may_be(tmp_path, arrays):
    with pytest.raises(ValueError, match=r"give --labels-file, or put labels\.npy beside it"):
        read_features(save(tmp_path / "f.npy", arrays))


def test_the_labels_file_is_not_its_own_features(tmp_path, arrays):
    with pytest.raises(ValueError, match="holds one array and no labels"):
        read_features(save(tmp_path / "labels.npy", arrays))


def test_text_labels_are_refused(tmp_path, arrays):
    path = save(tmp_path / "f.npz", {**arrays, "labels": np.array(["cat"] * ROWS)})
    with pytest.raises(ValueError, match="`labels` holds text, not numbers; save integers"):
        read_features(path)


@pytest.mark.parametrize(
    ("weights", "why"),
    [
        (np.ones((CLASSES, DIM + 1)), r"takes 6 columns, but features has 5. It belongs to another layer"),
        (np.ones((DIM, CLASSES)), "looks transposed"),
        (np.ones((CLASSES + 1, DIM)), r"`bias` is float32 \[3\], but `weights` is float64 \[4, 5\]"),
        (np.ones(DIM), r"a head has weights \[classes, dim\]"),
    ],
)
def test_a_head_that_does_not_fit_is_refused(tmp_path, arrays, weights, why):
    with pytest.raises(ValueError, match=why):
        read_features(save(tmp_path / "f.npz", {**arrays, "weights": weights}))


@pytest.mark.parametrize(("names", "layer"), [(["a", "features", "b"], "features"), (["a", "b"], "b")])
def test_the_head_prefers_features_and_else_the_last_layer_that_fits(tmp_path, arrays, names, layer):
    layers = dict.fromkeys(names, arrays["features"])
    head = {name: arrays[name] for name in ("labels", "weights")}
    read = read_features(save(tmp_path / "f.npz", {**layers, "narrow": np.ones((ROWS, 2)), **head}))
    assert read.head_layer == layer
    assert f"the head (`weights`) stands on the layer '{layer}'" in read.notes


def test_a_bias_without_weights_is_said_to_be_unused(tmp_path, arrays):
    del arrays["weights"]
    read = read_features(save(tmp_path / "f.npz", arrays))
    assert read.bias is None
    assert "`bias` is not used, because there are no `weights`" in read.notes


@every
def test_a_truncated_file_is_refused(tmp_path, arrays, suffix):
    path = save(tmp_path / f"f{suffix}", arrays)
    np.save(tmp_path / "labels.npy", arrays["labels"])
    path.write_bytes(path.read_bytes()[: path.stat().st_size * 2 // 3])
    with pytest.raises(ValueError, match="truncated or damaged"):
        read_features(path)


@every
def test_an_empty_file_is_refused(tmp_path, suffix):
    (tmp_path / f"f{suffix}").write_bytes(b"")
    with pytest.raises(ValueError, match=r"is empty \(0 bytes\)"):
        read_features(tmp_path / f"f{suffix}")


@every
def test_a_file_that_is_not_what_its_suffix_says_is_refused(tmp_path, arrays, suffix):
    other = ".npz" if suffix != ".npz" else ".pt"
    path = save(tmp_path / f"f{other}", arrays).rename(tmp_path / f"f{suffix}")
    with pytest.raises(ValueError, match=f"not what its suffix says: it is .*{other}"):
        read_features(path)


@every
def test_text_is_none_of_the_formats(tmp_path, suffix):
    (tmp_path / f"f{suffix}").write_text("a, b, c\n1, 2, 3\n")
    with pytest.raises(ValueError, match="not what its suffix says: it is in no format that can be read"):
        read_features(tmp_path / f"f{suffix}")


def test_a_zip_of_something_else_is_refused(tmp_path):
    with zipfile.ZipFile(tmp_path / "f.npz", "w") as archive:
        archive.writestr("readme.txt", "hello")
    with pytest.raises(ValueError, match="neither of NumPy's nor of torch's"):
        read_features(tmp_path / "f.npz")


def test_a_damaged_member_of_an_archive_is_refused(tmp_path, arrays):
    path = save(tmp_path / "f.npz", arrays)
    data = bytearray(path.read_bytes())
    data[200] ^= 255
    path.write_bytes(data)
    with pytest.raises(ValueError, match="truncated or damaged"):
        read_features(path)


@pytest.mark.parametrize("suffix", ["", ".csv", ".parquet"])
def test_an_unknown_suffix_lists_the_known_ones(tmp_path, suffix):
    (tmp_path / f"f{suffix}").write_text("x")
    with pytest.raises(ValueError, match=r"has the suffix .*readable are \.npz, \.npy"):
        read_features(tmp_path / f"f{suffix}")


def test_a_file_that_does_not_exist_offers_the_nearest(tmp_path, arrays):
    save(tmp_path / "features.npz", arrays)
    with pytest.raises(FileNotFoundError, match=r"no file .*featurs\.npz\. Did you mean features\.npz\?"):
        read_features(tmp_path / "featurs.npz")


def test_a_folder_that_does_not_exist_is_named(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"The folder .* does not exist either"):
        read_features(tmp_path / "nowhere" / "f.npz")


def test_a_folder_is_not_a_file(tmp_path):
    (tmp_path / "f.npz").mkdir()
    with pytest.raises(IsADirectoryError, match="is a folder; give a file"):
        read_features(tmp_path / "f.npz")


def test_features_of_python_objects_are_refused(tmp_path, arrays):
    objects = np.empty(ROWS, dtype=object)
    np.savez(tmp_path / "f.npz", features=objects, labels=arrays["labels"])
    with pytest.raises(ValueError, match="`features` holds Python objects, not numbers"):
        read_features(tmp_path / "f.npz")
    np.save(tmp_path / "f.npy", objects)
    with pytest.raises(ValueError, match="holds Python objects, not numbers"):
        read_features(tmp_path / "f.npy")


def test_objects_nobody_needs_are_left_out_and_said(tmp_path, arrays):
    np.savez(tmp_path / "f.npz", **arrays, meta=np.array([{}], dtype=object))
    assert "not used: `meta` holds Python objects, not numbers" in read_features(tmp_path / "f.npz").notes


class Mischief:
    """Runs code when unpickled."""

    def __reduce__(self):
        return print, ("unpickled",)


def test_a_pickle_that_wants_to_run_code_is_refused_and_does_not_run(tmp_path, capsys):
    torch.save({"features": Mischief()}, tmp_path / "f.pt")
    with pytest.raises(ValueError, match=r"asks to unpickle code \(.*print\).*weights_only.*Save tensors only"):
        read_features(tmp_path / "f.pt")
    assert capsys.readouterr().out == ""


def test_objects_in_a_numpy_file_are_refused_and_do_not_run(tmp_path, capsys, arrays):
    objects = np.array([Mischief()] * ROWS, dtype=object)
    np.savez(tmp_path / "f.npz", features=objects, labels=arrays["labels"])
    np.save(tmp_path / "f.npy", objects)
    with pytest.raises(ValueError, match="holds Python objects"):
        read_features(tmp_path / "f.npz")
    with pytest.raises(ValueError, match="holds Python objects"):
        read_features(tmp_path / "f.npy")
    assert capsys.readouterr().out == ""


def test_a_plain_pickle_that_wants_to_run_code_is_refused_and_does_not_run(tmp_path, capsys):
    (tmp_path / "f.pt").write_bytes(pickle.dumps({"features": Mischief()}, protocol=4))
    with pytest.raises(ValueError, match=r"f\.pt (asks to unpickle code|cannot be read)"):
        read_features(tmp_path / "f.pt")
    assert capsys.readouterr().out == ""


def test_numpy_arrays_in_a_pt_get_the_right_remedy(tmp_path, arrays):
    torch.save(arrays, tmp_path / "f.pt")
    with pytest.raises(ValueError, match=r"Save tensors instead of NumPy arrays \(torch.as_tensor\), or use \.npz"):
        read_features(tmp_path / "f.pt")


def test_a_pt_that_holds_a_list_is_refused(tmp_path):
    torch.save([torch.ones(2, 2)], tmp_path / "f.pt")
    with pytest.raises(ValueError, match="holds a list; it should be a dict of tensors"):
        read_features(tmp_path / "f.pt")


def test_entries_that_are_no_tensors_are_left_out_and_said(tmp_path, arrays):
    tensors = {name: torch.as_tensor(array) for name, array in arrays.items()}
    torch.save({**tensors, "epoch": 3, "few": torch.ones(ROWS, DIM).to_sparse()}, tmp_path / "f.pt")
    notes = read_features(tmp_path / "f.pt").notes
    assert "not used: `epoch` is of type int, not an array" in notes
    assert "not used: `few` is a sparse or quantised tensor" in notes


@pytest.mark.parametrize(("suffix", "library"), [(".safetensors", "safetensors"), (".h5", "h5py")])
def test_a_missing_library_gives_the_install_line(tmp_path, arrays, monkeypatch, suffix, library):
    path = save(tmp_path / f"f{suffix}", arrays)
    monkeypatch.setitem(sys.modules, library, None)
    with pytest.raises(ImportError, match=rf"needs {library}.*pip install 'caltrop\[formats\]'"):
        read_features(path)
