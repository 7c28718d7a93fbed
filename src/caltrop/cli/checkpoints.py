"""Checkpoints of one model: loading each strictly, and the step that its file name gives."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from torch import Tensor, nn

# what wrappers put before parameter names: DataParallel, torch.compile, a Lightning module around a model
PREFIXES = ("module.", "_orig_mod.", "model.")
SHOWN = 4


def load_checkpoint(model: nn.Module, path: Path) -> None:
    """Load the state dict in `path` into `model`; every key and every shape must agree.

    Raises:
        FileNotFoundError: there is no such file.
        ValueError: it is no state dict, asks to unpickle code, or has missing or unexpected keys.
    """
    from caltrop.data.state_dicts import read_state_dict

    own = model.state_dict()
    state = _renamed(read_state_dict(path), own)
    faults = [
        _listed("missing", [key for key in own if key not in state]),
        _listed("unexpected", [key for key in state if key not in own]),
        _listed("of another shape", [_shapes(key, state, own) for key in own if _differs(key, state, own)]),
    ]
    told = "; ".join(fault for fault in faults if fault)
    if told:
        raise ValueError(f"{path} does not fit the model: {told}.")
    model.load_state_dict(state, strict=True)


def steps_of(paths: Sequence[Path]) -> tuple[list[int | None], str | None]:
    """Each checkpoint's step, and the unit of the steps (the `clock`).

    The step is the last number in the file's name. Where a name has none, or two have the same, the
    position counts for all, from 0. A single checkpoint is a single look and has no step.
    """
    if len(paths) < 2:
        return [None for _ in paths], None
    numbers = [re.findall(r"\d+", path.stem) for path in paths]
    steps = [int(found[-1]) for found in numbers if found]
    if len(set(steps)) < len(paths):
        return list(range(len(paths))), "checkpoint"
    words = {_word(path.stem) for path in paths}
    return list(steps), words.pop() if len(words) == 1 else "checkpoint"


def _word(stem: str) -> str:
    """The unit that the name gives its last number: epoch=12-step=3400 counts iterations."""
    word = re.findall(r"([a-z]*)[^a-z0-9]*\d+", stem.lower())[-1]
    if word in ("epoch", "ep", "e"):
        return "epoch"
    return "iteration" if word in ("step", "iter", "iteration", "it") else "checkpoint"


def _renamed(state: Mapping[str, Tensor], own: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """`state` under the model's own names: where they differ, what wrappers add does not count."""
    if set(state) == set(own):
        return dict(state)
    by_bare_name = {_bare(key): key for key in own}
    renamed = {by_bare_name.get(_bare(key), key): entry for key, entry in state.items()}
    # names that fall together would drop a tensor: leave them as they are, so that the message shows them
    return renamed if len(renamed) == len(state) and len(by_bare_name) == len(own) else dict(state)


def _bare(key: str) -> str:
    """`key` without what wrappers put before or into it."""
    while prefix := next((prefix for prefix in PREFIXES if key.startswith(prefix)), None):
        key = key.removeprefix(prefix)
    # a compiled part of a model carries the name in the middle
    return key.replace("._orig_mod.", ".")


def _differs(key: str, state: Mapping[str, Tensor], own: Mapping[str, Tensor]) -> bool:
    return key in state and state[key].shape != own[key].shape


def _shapes(key: str, state: Mapping[str, Tensor], own: Mapping[str, Tensor]) -> str:
    return f"{key} {list(state[key].shape)} for {list(own[key].shape)}"


def _listed(what: str, names: Sequence[str]) -> str:
    if not names:
        return ""
    more = f" and {len(names) - SHOWN} more" if len(names) > SHOWN else ""
    return f"{what} {', '.join(names[:SHOWN])}{more}"
