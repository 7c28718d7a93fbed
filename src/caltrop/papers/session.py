"""What a run is given besides its configuration: seed, device, and where its last complete point is kept."""

from __future__ import annotations

import sys
import time
from dataclasses import dataclass, field
from typing import Any

from caltrop.record import Checkpoint

_SECONDS, _SESSIONS = "session_seconds", "session_count"


@dataclass
class TimedCheckpoint:
    """A checkpoint that also keeps how long all sessions took together, by a clock that never moves back.

    Without an `inner` one, nothing is kept anywhere.
    """

    inner: Checkpoint | None
    earlier: float = 0.0
    sessions: int = 1
    _started: float = field(default_factory=time.monotonic)

    def load(self) -> dict[str, Any] | None:
        """The saved state, or None; from now on the earlier sessions count."""
        state = None if self.inner is None else self.inner.load()
        if self.inner is not None and self.inner.note:
            sys.stderr.write(f"caltrop: {self.inner.note}\n")
        if state is not None:
            self.earlier = float(state.pop(_SECONDS, 0.0))
            self.sessions = int(state.pop(_SESSIONS, 0)) + 1
        return state

    def save(self, state: dict[str, Any], *, done: int, total: int) -> None:
        """Keep `state`, whole or not at all."""
        if self.inner is not None:
            self.inner.save({**state, _SECONDS: self.seconds, _SESSIONS: self.sessions}, done=done, total=total)

    def clear(self) -> None:
        """Forget the point: the run is finished, or is to begin anew."""
        if self.inner is not None:
            self.inner.clear()

    @property
    def seconds(self) -> float:
        """Of this session and those it took up."""
        return self.earlier + time.monotonic() - self._started


@dataclass(frozen=True)
class Session:
    """One case with one seed, being run.

    `checkpoint` keeps the last complete point; a run that takes longer than seconds passes it to `train`, or saves
    by itself. `is_first` marks the first seed of a case, the one whose pictures a page shows; others need not keep
    any. `progress` says whether to show progress on stderr.
    """

    seed: int
    checkpoint: TimedCheckpoint
    device: str = "cpu"
    is_first: bool = True
    progress: bool = True
