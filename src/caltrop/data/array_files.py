"""Named arrays from .npz, .npy, .pt, .safetensors and .h5, with every refusal explained."""

from __future__ import annotations

import zipfile
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from caltrop.data.file_kinds import kind_of
from caltrop.data.pickles import read_pickle

Array = npt.NDArray[Any] | Tensor

INSTALL = "pip install 'caltrop[formats]'"


@dataclass(frozen=True)
class ArrayFile:
    """What a file holds: numeric arrays by name, and why any other entry cannot be one.

    The only array of a file that names none is called "features".
    """

    path: Path
    arrays: dict[str, Array] = field(default_factory=dict)
    refused: dict[str, str] = field(default_factory=dict)

    def contents(self) -> str:
        """Everything in the file, in one line."""
        known = [f"{name} {describe(array)}" for name, array in self.arrays.items()]
        return "; ".join([*known, *(f"{name} ({why})" for name, why in self.refused.items())]) or "nothing"


def read_arrays(path: str | Path) -> ArrayFile:
    """Read `path` in the format its suffix names; large arrays stay memory-mapped where possible.

    Raises:
        FileNotFoundError: there is no such file.
        ValueError: unknown suffix, another format inside, truncated, or asking to unpickle code.
        ImportError: the format's library is not installed; the message has the install line.
    """
    path = Path(path)
    reader = READERS[kind_of(path)]
    file = ArrayFile(path)
    for name, entry in reader(path).items():
        array, why = _checked(entry)
        if array is None:
            file.refused[name] = why
        else:
            file.arrays[name] = array
    return file


def describe(array: Array) -> str:
    """`float32 [300, 20]`."""
    return f"{str(array.dtype).removeprefix('torch.')} {list(array.shape)}"


def _checked(entry: Any) -> tuple[Array | None, str]:
    """A dense numeric array in this machine's byte order, or why it is not one."""
    if isinstance(entry, Tensor):
        if entry.layout != torch.strided or entry.is_quantized:
            return None, "is a sparse or quantised tensor"
        return entry.detach(), ""
    if not isinstance(entry, np.ndarray):
        return None, entry if isinstance(entry, _Refusal) else f"is of type {type(entry).__name__}, not an array"
    if entry.dtype.kind not in "biufc":
        words = {"O": "Python objects", "U": "text", "S": "text", "V": f"the NumPy type {entry.dtype}"}
        return None, f"holds {words.get(entry.dtype.kind, str(entry.dtype))}, not numbers"
    if not entry.dtype.isnative:
        entry = entry.astype(entry.dtype.newbyteorder("="))
    return entry, ""


class _Refusal(str):
    """Why one entry of a file could not be read, in place of its array."""


def _read_npz(path: Path) -> dict[str, Any]:
    entries: dict[str, Any] = {}
    try:
        # numpy leaves the file open when it finds no archive in it, so it does not get to open it
        with path.open("rb") as file, np.load(file, allow_pickle=False) as archive:
            for name in archive.files:
                entries[name] = _npz_entry(path, archive, name)
    except (zipfile.BadZipFile, EOFError) as error:
        raise ValueError(f"{path} is truncated or damaged ({error}).") from error
    return entries


def _npz_entry(path: Path, archive: Any, name: str) -> Any:
    try:
        return archive[name]
    except ValueError as error:
        if "allow_pickle" in str(error):
            return _Refusal("holds Python objects, not numbers")
        raise ValueError(f"{path}: {name} is truncated or damaged ({error}).") from error


def _read_npy(path: Path) -> dict[str, Any]:
    try:
        # copy-on-write, not read-only: torch warns about arrays that it may not write to
        return {"features": np.load(path, mmap_mode="c", allow_pickle=False)}
    except ValueError as error:
        if "objects" in str(error):
            raise ValueError(
                f"{path} holds Python objects, not numbers. Save one array: np.save(path, np.stack(rows))."
            ) from error
        raise ValueError(f"{path} is truncated or damaged ({error}).") from error


def _read_pt(path: Path) -> dict[str, Any]:
    content = read_pickle(path)
    if isinstance(content, Tensor):
        return {"features": content}
    if not isinstance(content, dict):
        raise ValueError(
            f"{path} holds a {type(content).__name__}; it should be a dict of tensors: "
            "torch.save({'features': features, 'labels': labels}, path)."
        )
    return {str(name): entry for name, entry in content.items()}


def _read_safetensors(path: Path) -> dict[str, Any]:
    try:
        from safetensors import SafetensorError, safe_open
    except ImportError as error:
        raise ImportError(f"reading {path} needs safetensors, which is not installed: {INSTALL}") from error
    try:
        with safe_open(path, framework="pt") as file:
            return {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 (not a mapping)
    except SafetensorError as error:
        raise ValueError(f"{path} is truncated or damaged ({error}).") from error


def _read_h5(path: Path) -> dict[str, Any]:
    try:
        import h5py
    except ImportError as error:
        raise ImportError(f"reading {path} needs h5py, which is not installed: {INSTALL}") from error
    entries: dict[str, Any] = {}

    def visit(name: str, node: Any) -> None:
        if isinstance(node, h5py.Dataset):
            entries[name] = _Refusal("holds objects or text, not numbers") if node.dtype.hasobject else node[...]

    try:
        with h5py.File(path, "r") as file:
            file.visititems(visit)
    except OSError as error:
        raise ValueError(f"{path} is truncated or damaged ({error}).") from error
    return entries


READERS: dict[str, Callable[[Path], dict[str, Any]]] = {
    "npz": _read_npz,
    "npy": _read_npy,
    "pt": _read_pt,
    "safetensors": _read_safetensors,
    "h5": _read_h5,
}
