"""What a person sees on stderr during a sweep: a bar on a terminal, lines elsewhere."""

from __future__ import annotations

import sys
import time
from types import TracebackType

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

# lines of a log, not of a screen
_LINE_SECONDS = 10.0
_REASON_LENGTH = 160


class SweepProgress:
    """Counts cells as they are done: nothing if not `shown`, a bar on a terminal, else a line now and then."""

    def __init__(self, cells: int, *, found: int = 0, shown: bool) -> None:
        self.cells, self.found, self.shown = cells, found, shown
        self.done, self.failed = found, 0
        self._bar: Progress | None = None
        self._last = time.monotonic()

    def __enter__(self) -> SweepProgress:
        if self.shown and sys.stderr.isatty():
            self._bar = Progress(
                TextColumn("cells"),
                MofNCompleteColumn(),
                BarColumn(),
                TextColumn("{task.fields[state]}"),
                TimeElapsedColumn(),
                console=Console(stderr=True),
                transient=True,
            )
            self._bar.start()
            self._task = self._bar.add_task("cells", total=self.cells, completed=self.found, state="")
        elif self.shown:
            there = f", {self.found} found in the folder" if self.found else ""
            self._say(f"cells to compute: {self.cells - self.found}{there}")
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._bar is not None:
            self._bar.stop()

    def after(self, error: str | None) -> None:
        """One more cell is done, or failed with `error`."""
        self.done += 1
        self.failed += error is not None
        state = f"{self.failed} failed" if self.failed else ""
        if self._bar is not None:
            self._bar.update(self._task, completed=self.done, state=state)
        elif self.shown and (error or self.done == self.cells or time.monotonic() - self._last >= _LINE_SECONDS):
            self._last = time.monotonic()
            reason = f" ({error[:_REASON_LENGTH]})" if error else ""
            self._say(f"{self.done} of {self.cells} cells{f', {state}{reason}' if state else ''}")

    def _say(self, line: str) -> None:
        sys.stderr.write(line + "\n")
        sys.stderr.flush()
