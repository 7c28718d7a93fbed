"""The last complete point of a training: what is saved there, and how it is taken up again."""

from __future__ import annotations

import json
from dataclasses import asdict
from typing import Any, Protocol, runtime_checkable

import torch
from torch import nn

from caltrop.data import Batches
from caltrop.rows import Row, Rows, to_json
from caltrop.train.terminal import TerminalPhase

# to be counted up when what a state holds changes
_LAYOUT = 1


@runtime_checkable
class Memory(Protocol):
    """Whatever measures along the way and must remember it across an interruption."""

    def state(self) -> dict[str, Any]:
        """Tensors and plain values, from which `restore` makes the same memory."""
        ...

    def restore(self, state: dict[str, Any]) -> None:
        """The inverse of `state`."""
        ...


@runtime_checkable
class Checkpoint(Protocol):
    """Where the last complete point is kept; `caltrop.record.Checkpoint` is one."""

    def load(self) -> dict[str, Any] | None:
        """The saved state, or None."""
        ...

    def save(self, state: dict[str, Any], *, done: int, total: int) -> None:
        """Keep `state`, whole or not at all."""
        ...


def training_state(
    epoch: int,
    model: nn.Module,
    optimizer: torch.optim.Optimizer,
    batches: Batches,
    phase: TerminalPhase,
    rows: list[Row],
    memory: Memory | None,
) -> dict[str, Any]:
    """Everything on which the epochs after `epoch` depend."""
    device = next(model.parameters()).device
    return {
        "layout": _LAYOUT,
        "epoch": epoch,
        "model": model.state_dict(),
        "optimizer": optimizer.state_dict(),
        "passes": batches.passes,
        "generator": torch.default_generator.get_state(),
        "device_generator": torch.cuda.get_rng_state(device) if device.type == "cuda" else None,
        "phase": asdict(phase),
        "rows": to_json(Rows.of(rows).as_columns()),
        "memory": None if memory is None else memory.state(),
    }


def restore_training(
    state: dict[str, Any],
    model: nn.Module,
    optimizer: torch.optim.Optimizer,
    batches: Batches,
    memory: Memory | None,
) -> tuple[int, TerminalPhase, list[Row]] | None:
    """Put everything back as it was; the epoch reached, the terminal phase and the rows so far.

    None where the state has another layout than this version saves: training then begins anew.
    """
    if state.get("layout") != _LAYOUT:
        return None
    model.load_state_dict(state["model"])
    optimizer.load_state_dict(state["optimizer"])
    batches.passes = state["passes"]
    torch.default_generator.set_state(state["generator"].cpu())
    if state["device_generator"] is not None:
        torch.cuda.set_rng_state(state["device_generator"].cpu(), next(model.parameters()).device)
    if memory is not None and state["memory"] is not None:
        memory.restore(state["memory"])
    rows = Rows.from_columns(json.loads(state["rows"]))
    return state["epoch"], TerminalPhase(**state["phase"]), list(rows)
