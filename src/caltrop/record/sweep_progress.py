"""What a person sees on stderr during a sweep: a bar on a terminal, lines elsewhere."""

from __future__ import annotations

import time

from rich.progress import TimeElapsedColumn

from caltrop.record.status import Status

# lines of a log, not of a screen
_LINE_SECONDS = 10.0
_REASON_LENGTH = 160


class SweepProgress(Status):
    """Counts cells as they are done: a bar, or a line now and then."""

    def __init__(self, cells: int, *, found: int = 0, shown: bool) -> None:
        super().__init__("cells", cells, TimeElapsedColumn(), done=found, shown=shown)
        self.cells, self.found = cells, found
        self.done, self.failed = found, 0
        self._last = time.monotonic()

    def __enter__(self) -> SweepProgress:
        super().__enter__()
        there = f", {self.found} found in the folder" if self.found else ""
        self.say(f"cells to compute: {self.cells - self.found}{there}")
        return self

    def after(self, error: str | None) -> None:
        """One more cell is done, or failed with `error`."""
        self.done += 1
        self.failed += error is not None
        state = f"{self.failed} failed" if self.failed else ""
        self.update(self.done, state)
        if error or self.done == self.cells or time.monotonic() - self._last >= _LINE_SECONDS:
            self._last = time.monotonic()
            reason = f" ({error[:_REASON_LENGTH]})" if error else ""
            self.say(f"{self.done} of {self.cells} cells{f', {state}{reason}' if state else ''}")
