"""State dicts, also where a training script nested them."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from torch import Tensor

from caltrop.data.array_files import read_arrays
from caltrop.data.file_kinds import kind_of
from caltrop.data.pickles import read_pickle

# in the order of how specific the name is: "model" may also hold something else
NESTED_UNDER = ("state_dict", "model_state_dict", "model")


def read_state_dict(path: str | Path) -> dict[str, Tensor]:
    """The tensors of a checkpoint by parameter name, in their order in the file.

    Raises:
        FileNotFoundError: there is no such file.
        ValueError: the file is not a state dict, asks to unpickle code, or is truncated.
    """
    path = Path(path)
    kind = kind_of(path)
    if kind == "safetensors":
        return {name: array for name, array in read_arrays(path).arrays.items() if isinstance(array, Tensor)}
    if kind != "pt":
        raise ValueError(f"{path} cannot be a state dict: give .pt, .pth, .ckpt or .safetensors.")
    content = read_pickle(path)
    found = find_state_dict(content)
    if found is None:
        raise ValueError(
            f"{path} holds no state dict: {_outline(content)}. Save torch.save(model.state_dict(), path); "
            f"nested under {', '.join(NESTED_UNDER)} it is found as well."
        )
    return found


def find_state_dict(content: Any) -> dict[str, Tensor] | None:
    """`content` itself or what is nested in it, if that maps names to tensors only; None otherwise."""
    if not isinstance(content, Mapping):
        return None
    if content and all(isinstance(name, str) and isinstance(entry, Tensor) for name, entry in content.items()):
        return dict(content)
    inner = (find_state_dict(content[name]) for name in NESTED_UNDER if name in content)
    return next((found for found in inner if found is not None), None)


def _outline(content: Any) -> str:
    if not isinstance(content, Mapping):
        return f"it holds a {type(content).__name__}"
    shown = [f"{name} ({type(entry).__name__})" for name, entry in list(content.items())[:6]]
    return f"its entries are {', '.join(shown)}" + (", …" if len(content) > 6 else "") if shown else "it is empty"
