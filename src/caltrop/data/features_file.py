"""Features in a file: which arrays are layers, which are labels, and where the head belongs."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from caltrop.data.array_files import Array, ArrayFile, describe, read_arrays
from caltrop.data.layer_arrays import as_floating, found_layers, layer_problem, left_out, named_layers


@dataclass(frozen=True)
class FeaturesFile:
    """What was read from a features file.

    `layers` maps names to arrays [samples, dim] in the file's own precision; `labels` [samples];
    `weights` [classes, dim] and `bias` [classes] of the layer named by `head_layer`; `notes` are
    sentences about every choice that was made.
    """

    layers: dict[str, Array]
    labels: Array
    weights: Array | None = None
    bias: Array | None = None
    thresholds: Array | None = None
    head_layer: str | None = None
    notes: tuple[str, ...] = ()


def read_features(
    path: str | Path, *, labels_path: str | Path | None = None, layers: Sequence[str] | None = None
) -> FeaturesFile:
    """Read `features` (or several layers) and `labels` from .npz, .npy, .pt, .safetensors or .h5.

    Every floating array [samples, dim] with one row per label is a layer, named by its key.

    Args:
        path: the file.
        labels_path: where the labels are if not inside; beside a .npy, labels.npy is found by itself.
        layers: names or patterns of the arrays to take; all that fit where None.

    Raises:
        FileNotFoundError: there is no such file.
        ValueError: the file is not what its suffix says, is truncated, holds objects, has no labels,
            or no array fits; the message says what is there.
        ImportError: the format's library is not installed.
    """
    file = read_arrays(path)
    labels, notes = _labels(file, None if labels_path is None else Path(labels_path))
    chosen = named_layers(file, layers) if layers else found_layers(file, len(labels))
    for name in chosen:
        problem = layer_problem(name, file.arrays[name], len(labels))
        if problem:
            raise ValueError(f"{file.path}: {problem}")
    found = {name: as_floating(file.arrays[name], name, notes) for name in chosen}
    notes += left_out(file, found, len(labels)) if not layers else []
    head_layer = _head_layer(file, found, bool(layers), notes)
    return FeaturesFile(
        layers=found,
        labels=labels,
        weights=file.arrays.get("weights") if head_layer is not None else None,
        bias=file.arrays.get("bias") if head_layer is not None else None,
        thresholds=file.arrays.get("thresholds"),
        head_layer=head_layer,
        notes=tuple(notes),
    )


def place_head(weights: Array, layers: dict[str, Array], bias: Array | None = None) -> str:
    """The layer whose width the head takes: "features" if that fits, else the last one that does.

    Raises:
        ValueError: `weights` is not [classes, dim], fits no layer, or `bias` is not [classes].
    """
    if weights.ndim != 2:
        raise ValueError(f"`weights` is {describe(weights)}; a head has weights [classes, dim].")
    fitting = [name for name, layer in layers.items() if layer.shape[1] == weights.shape[1]]
    if not fitting:
        widths = ", ".join(f"{name} has {layer.shape[1]}" for name, layer in layers.items())
        turned = any(layer.shape[1] == weights.shape[0] for layer in layers.values())
        remedy = " It looks transposed: save weights.T." if turned else " It belongs to another layer."
        raise ValueError(
            f"`weights` is {describe(weights)} and takes {weights.shape[1]} columns, but {widths}.{remedy}"
        )
    if bias is not None and tuple(bias.shape) != (weights.shape[0],):
        raise ValueError(
            f"`bias` is {describe(bias)}, but `weights` is {describe(weights)}: one entry per class is needed."
        )
    return "features" if "features" in fitting else fitting[-1]


def _head_layer(file: ArrayFile, layers: dict[str, Array], named: bool, notes: list[str]) -> str | None:
    """The layer that the file's own head stands on, if it has a head; a note says which."""
    weights = file.arrays.get("weights")
    if weights is None:
        if "bias" in file.arrays:
            notes.append("`bias` is not used, because there are no `weights`")
        return None
    if named and weights.ndim == 2 and all(layer.shape[1] != weights.shape[1] for layer in layers.values()):
        # whoever asks for the early layers only does not ask for the head
        notes.append("the head (`weights`) is not used: it takes none of the named layers")
        return None
    head_layer = place_head(weights, layers, file.arrays.get("bias"))
    notes.append(f"the head (`weights`) stands on the layer {head_layer!r}")
    return head_layer


def _labels(file: ArrayFile, path: Path | None) -> tuple[Array, list[str]]:
    """The labels and notes about where they were found."""
    if path is not None:
        notes = ["the labels inside the features file are not used"] if "labels" in file.arrays else []
        return _with_rows(path, _labels_of(read_arrays(path))), notes
    if "labels" in file.arrays:
        return _with_rows(file.path, file.arrays["labels"]), []
    beside = file.path.with_name("labels.npy")
    if file.path.suffix.lower() == ".npy" and beside.is_file() and beside != file.path:
        return _with_rows(beside, _labels_of(read_arrays(beside))), [f"labels are from {beside.name} beside it"]
    raise ValueError(_why_no_labels(file))


def _labels_of(file: ArrayFile) -> Array:
    if "labels" in file.arrays:
        return file.arrays["labels"]
    if len(file.arrays) == 1:
        return next(iter(file.arrays.values()))
    raise ValueError(f"{file.path} has no `labels` [samples]; it holds: {file.contents()}.")


def _with_rows(path: Path, labels: Array) -> Array:
    if labels.ndim == 0:
        raise ValueError(f"{path}: `labels` is a single number; one label per sample is needed.")
    return labels


def _why_no_labels(file: ArrayFile) -> str:
    if "labels" in file.refused:
        return f"{file.path}: `labels` {file.refused['labels']}; save integers 0..K-1, one per sample."
    if "targets" in file.arrays:
        return (
            f"{file.path} holds `targets` and no `labels`: regression is not measured by this version. "
            "For classification save integer `labels` [samples]."
        )
    if file.path.suffix.lower() == ".npy":
        return f"{file.path} holds one array and no labels: give --labels-file, or put labels.npy beside it."
    return f"{file.path} has no `labels` [samples]; it holds: {file.contents()}."
