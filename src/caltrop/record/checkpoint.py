"""The last complete point of a cell that is still being computed."""

from __future__ import annotations

import contextlib
import io
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from caltrop.files import remove_parts, write_bytes

# of the file, which holds {"format", "key", "state"}
_FORMAT = 1


@dataclass
class Checkpoint:
    """A file that holds one state (nested dicts and lists of tensors and plain values), or is absent.

    The file's name is the key of the cell, and stands in it too. `note` says why a state that was there could not
    be used.
    """

    path: Path
    note: str | None = None

    def load(self) -> dict[str, Any] | None:
        """The saved state; None where there is none, or one that cannot be used (`note` then says why)."""
        try:
            self.note = None
            return self._read()
        except FileNotFoundError:
            return None
        except OSError as error:
            self.note = f"{self.path.name} cannot be read ({error.strerror}); this cell begins anew"
        except ValueError as error:
            self.note = f"{self.path.name} {error}; this cell begins anew"
        return None

    def save(self, state: dict[str, Any], *, done: int, total: int) -> None:
        """Replace the state, whole or not at all.

        Raises:
            OSError: the file cannot be written, or the disk is full; the old state is still there.
        """
        import torch

        # in memory first: torch says of a full disk only that some position was unexpected
        buffer = io.BytesIO()
        torch.save({"format": _FORMAT, "key": self.path.stem, "state": state}, buffer)
        for path in (self.path, self._side):
            remove_parts(path)
        write_bytes(self.path, buffer.getbuffer())
        # a side file that a progress bar reads without loading the state; losing it loses nothing
        with contextlib.suppress(OSError):
            write_bytes(self._side, f"{done} {total}\n".encode())

    def progress(self) -> tuple[int, int] | None:
        """How far the saved point is, as (done, total); None where there is none."""
        if not self.path.is_file():
            return None
        try:
            done, total = self._side.read_text(encoding="utf-8").split()
            return int(done), int(total)
        except (OSError, ValueError):
            return None

    def clear(self) -> None:
        """Remove the state: the cell is finished, or begins anew."""
        for path in (self.path, self._side):
            remove_parts(path)
            path.unlink(missing_ok=True)

    @property
    def _side(self) -> Path:
        return self.path.with_suffix(".progress")

    def _read(self) -> dict[str, Any]:
        import torch

        content = io.BytesIO(self.path.read_bytes())
        try:
            # weights_only: a checkpoint can hold numbers and text, and run nothing
            held = torch.load(content, map_location="cpu", weights_only=True)
            written, key = held["format"], held["key"]
            state: dict[str, Any] = held["state"]
        except MemoryError:
            raise  # which says nothing about the file
        except Exception as error:
            raise ValueError(f"is damaged ({type(error).__name__})") from error
        if written != _FORMAT:
            raise ValueError(f"is of format {written}, and this version of Caltrop reads format {_FORMAT}")
        if key != self.path.stem or not isinstance(state, dict):
            raise ValueError(f"is a point of {key}: it was copied or renamed")
        return state
