"""Which arrays of a file are layers, and why the others are not."""

from __future__ import annotations

from collections.abc import Sequence
from difflib import get_close_matches
from fnmatch import fnmatchcase

import numpy as np
import torch
from torch import Tensor

from caltrop.data.array_files import Array, ArrayFile, describe

RESERVED = ("labels", "targets", "weights", "bias", "thresholds")


def named_layers(file: ArrayFile, patterns: Sequence[str]) -> list[str]:
    """Names of the arrays that match, in the file's order.

    Raises:
        ValueError: a pattern matches nothing; the nearest names are offered.
    """
    names = [name for name in file.arrays if name not in RESERVED]
    chosen: list[str] = []
    for pattern in patterns:
        matching = [name for name in names if fnmatchcase(name, pattern)]
        if not matching:
            near = get_close_matches(pattern, names, n=3) or names
            raise ValueError(f"{file.path} has no layer {pattern!r}. Did you mean {', '.join(near) or 'another file'}?")
        chosen += [name for name in matching if name not in chosen]
    return [name for name in names if name in chosen]


def found_layers(file: ArrayFile, rows: int) -> list[str]:
    """Names of all arrays that can be layers; "features" is always taken, so that its fault is told.

    Raises:
        ValueError: there is none; the message says what the file holds.
    """
    names = [name for name in file.arrays if name not in RESERVED]
    chosen = [
        name for name in names if name == "features" or not layer_problem(name, file.arrays[name], rows, strict=True)
    ]
    if chosen:
        return chosen
    if len(names) == 1:
        raise ValueError(f"{file.path}: {layer_problem(names[0], file.arrays[names[0]], rows, strict=True)}")
    if "features" in file.refused:
        raise ValueError(f"{file.path}: `features` {file.refused['features']}.")
    raise ValueError(
        f"{file.path} has no floating array [samples, dim] with {rows} rows, one per label; "
        f"it holds: {file.contents()}."
    )


def layer_problem(name: str, array: Array, rows: int, *, strict: bool = False) -> str | None:
    """Why `array` cannot be a layer of `rows` samples, or None.

    `strict` refuses every integer array: right for arrays that nobody asked for by name.
    """
    said = f"`{name}` is {describe(array)}"
    kind = str(array.dtype).removeprefix("torch.")
    if kind.startswith("complex"):
        return f"{said}; features are real: save the real and imaginary parts side by side."
    if kind in ("uint8", "int8", "bool"):
        return f"{said}: pixels or codes, not features. Convert them to floats with the scale that they had."
    if kind in ("float96", "float128"):
        return f"{said}, wider than anything that can be measured: save float64."
    if strict and not kind.startswith(("float", "bfloat", "longdouble")):
        return f"{said}; features are floating point."
    if array.ndim != 2:
        return f"{said}; a layer is [samples, dim]. {_how_to_flatten(name, array)}"
    if array.shape[0] != rows:
        turned = f" It looks transposed: save {name}.T." if array.shape[1] == rows else ""
        return f"{said}, so it has {array.shape[0]} samples, but there are {rows} labels.{turned}"
    return None


def _how_to_flatten(name: str, array: Array) -> str:
    flat = f"{name}.reshape(len({name}), -1)"
    if array.ndim < 2:
        return f"One feature per sample is {name}.reshape(-1, 1)."
    if array.ndim == 3:
        return f"Take a token, {name}[:, 0], average them, {name}.mean(1), or flatten, {flat}."
    return f"Average over positions, {name}.mean((2, 3)), or flatten, {flat}."


def as_floating(array: Array, name: str, notes: list[str]) -> Array:
    """Integers become float64, which holds them exactly up to 2^53; floats stay as they are."""
    if isinstance(array, Tensor):
        if array.is_floating_point():
            return array
        notes.append(f"`{name}` holds integers ({array.dtype}); they are measured as float64")
        return array.to(torch.float64)
    if array.dtype.kind == "f":
        return array
    notes.append(f"`{name}` holds integers ({array.dtype}); they are measured as float64")
    return array.astype(np.float64)


def left_out(file: ArrayFile, taken: dict[str, Array], rows: int) -> list[str]:
    """One sentence per entry that is neither a layer nor a known name."""
    notes = [
        f"not a layer: {layer_problem(name, array, rows, strict=True)}".rstrip(".")
        for name, array in file.arrays.items()
        if name not in taken and name not in RESERVED
    ]
    notes += [f"not used: `{name}` {why}" for name, why in file.refused.items()]
    if "targets" in file.arrays:
        notes.append("`targets` are not used, because there are `labels`")
    if "thresholds" in file.arrays:
        notes.append("`thresholds` are not used: ordinal measuring is not part of this version")
    return notes
