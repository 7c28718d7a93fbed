"""The last layer's weights from a file beside the features."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path

from torch import Tensor

from caltrop.data.array_files import Array, describe, read_arrays
from caltrop.data.state_dicts import read_state_dict


@dataclass(frozen=True)
class HeadFile:
    """`weights` [classes, dim], `bias` [classes] or None, and a sentence that says where they were found."""

    weights: Array
    bias: Array | None
    note: str


def read_head(
    path: str | Path, *, dims: Collection[int], num_classes: int | None = None, module: str | None = None
) -> HeadFile:
    """Read `weights` and `bias` from `path`, or find the one linear layer of a state dict that fits.

    Args:
        path: any features format with `weights` (or `weight`), a bare .npy of weights, or a state dict.
        dims: widths of the layers that the head could stand on.
        num_classes: decides between several layers of a state dict that take such an input.
        module: name of the linear layer in the state dict; decides at once.

    Raises:
        ValueError: nothing fits, or several do; the message lists them.
    """
    path = Path(path)
    arrays = read_arrays(path).arrays
    if path.suffix.lower() == ".npy":
        return HeadFile(arrays["features"], None, f"the head's weights are {path.name}, without a bias")
    name = next((name for name in ("weights", "weight") if name in arrays), None)
    if name is not None and module is None:
        return HeadFile(arrays[name], arrays.get("bias"), f"the head is `{name}` of {path.name}")
    if path.suffix.lower() in (".npz", ".h5", ".hdf5"):
        raise ValueError(f"{path} has no `weights` [classes, dim]; it holds: {read_arrays(path).contents()}.")
    state = read_state_dict(path)
    module = module or _only_fit(path, _linear_layers(state), dims, num_classes)
    if state.get(f"{module}.weight") is None:
        known = ", ".join(_linear_layers(state)) or "none"
        raise ValueError(f"{path} has no linear layer {module!r}; its linear layers: {known}.")
    return HeadFile(
        state[f"{module}.weight"],
        state.get(f"{module}.bias"),
        f"the head is the layer {module!r} of {path.name}",
    )


def _linear_layers(state: dict[str, Tensor]) -> dict[str, Tensor]:
    return {
        name.removesuffix(".weight"): entry
        for name, entry in state.items()
        if name.endswith(".weight") and entry.ndim == 2
    }


def _only_fit(path: Path, layers: dict[str, Tensor], dims: Collection[int], num_classes: int | None) -> str:
    fitting = {name: weight for name, weight in layers.items() if weight.shape[1] in dims}
    exact = [name for name, weight in fitting.items() if weight.shape[0] == num_classes]
    roomy = [name for name, weight in fitting.items() if weight.shape[0] >= (num_classes or 0)]
    for names in (exact, roomy):
        if len(names) == 1:
            return names[0]
    shown = ", ".join(f"{name} {describe(weight)}" for name, weight in (fitting or layers).items()) or "none"
    if fitting:
        raise ValueError(f"{path} has several linear layers that could be the head: {shown}. Name one with --head.")
    raise ValueError(
        f"{path} has no linear layer that takes features of width {' or '.join(map(str, sorted(dims)))}; "
        f"its linear layers: {shown}."
    )
