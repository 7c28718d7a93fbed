"""The last complete point of a cell that is still being computed."""

from __future__ import annotations

import contextlib
import io
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from caltrop.record.files import remove_parts, write_bytes

# what a pickle of tensors and plain values cannot be: anything that torch reads must have begun with a ZIP
_TOTAL = "total"


@dataclass
class Checkpoint:
    """A file that holds one state (nested dicts and lists of tensors and plain values), or is absent.

    `note` says why a state that was there could not be used.
    """

    path: Path
    note: str | None = None

    def load(self) -> dict[str, Any] | None:
        """The saved state; None where there is none, or a damaged one (`note` then says so)."""
        import torch

        try:
            content = self.path.read_bytes()
        except FileNotFoundError:
            return None
        try:
            # weights_only: a checkpoint can hold numbers and text, and run nothing
            held = torch.load(io.BytesIO(content), map_location="cpu", weights_only=True)
            state: dict[str, Any] = held["state"]
        except Exception as error:
            self.note = f"{self.path.name} could not be read ({type(error).__name__}); this cell begins anew"
            return None
        return state

    def save(self, state: dict[str, Any], *, done: int, total: int) -> None:
        """Replace the state, whole or not at all.

        Raises:
            OSError: the file cannot be written, or the disk is full; the old state is still there.
        """
        import torch

        buffer = io.BytesIO()
        torch.save({"state": state, "done": done, _TOTAL: total}, buffer)
        remove_parts(self.path)
        write_bytes(self.path, buffer.getvalue())
        # a side file that a progress bar reads without loading the state; losing it loses nothing
        with contextlib.suppress(OSError):
            write_bytes(self._side, f"{done} {total}\n".encode())

    def progress(self) -> tuple[int, int] | None:
        """How far the saved point is, as (done, total); None where there is none."""
        try:
            done, total = self._side.read_text().split()
            return int(done), int(total)
        except (OSError, ValueError):
            return None

    def clear(self) -> None:
        """Remove the state: the cell is finished, or begins anew."""
        for path in (self.path, self._side):
            remove_parts(path)
            with contextlib.suppress(FileNotFoundError):
                path.unlink()

    @property
    def _side(self) -> Path:
        return self.path.with_suffix(".progress")
