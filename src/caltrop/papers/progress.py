"""How far the cells of a run have come, read from the points that they save, wherever they are computed."""

from __future__ import annotations

import sys
import threading
import time
from collections.abc import Callable
from types import TracebackType

from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

from caltrop.record import Cell, Planned

_LOOK_SECONDS = 1.0
# lines of a log, not of a screen
_LINE_SECONDS = 15.0


class RunProgress:
    """Shows a run on stderr: nothing if not `shown`, a bar on a terminal, else a line now and then.

    `progress(key)` gives (done, total) of a cell that is being computed, or None. Cells are told to `after` as they
    are done.
    """

    def __init__(
        self,
        planned: tuple[Planned, ...],
        progress: Callable[[str], tuple[int, int] | None],
        called: Callable[[str], str],
        *,
        shown: bool,
    ) -> None:
        self._left = {cell.key: called(cell.key) for cell in planned}
        self._cells, self._progress, self._shown = len(planned), progress, shown
        self._failed = 0
        self._bar: Progress | None = None
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._watch, daemon=True)
        self._last_line, self._last_state = -_LINE_SECONDS, ""

    def __enter__(self) -> RunProgress:
        if not self._shown:
            return self
        if sys.stderr.isatty():
            self._bar = Progress(
                BarColumn(),
                TextColumn("{task.fields[state]}"),
                TimeElapsedColumn(),
                console=Console(stderr=True),
                transient=True,
            )
            self._bar.start()
            self._task = self._bar.add_task("cells", total=self._cells, state="")
        self._show()
        self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._ended.set()
        if self._thread.is_alive():
            self._thread.join()
        if self._bar is not None:
            self._bar.stop()

    def after(self, cell: Cell) -> None:
        """One more cell is done."""
        name = self._left.pop(cell.config["key"], "")
        self._failed += cell.error is not None
        if self._shown and self._bar is None:
            self._say(f"{name} failed: {cell.error}" if cell.error else f"{name} done")

    def _watch(self) -> None:
        while not self._ended.wait(_LOOK_SECONDS):
            self._show()

    def _show(self) -> None:
        left = dict(self._left)
        points = {key: found for key in left if (found := self._progress(key)) is not None}
        share = sum(done / total for done, total in points.values() if total)
        finished = self._cells - len(left)
        running = ", ".join(f"{left[key]} at {done} of {total}" for key, (done, total) in points.items())
        failed = f", {self._failed} failed" if self._failed else ""
        state = f"{finished} of {self._cells} cells{failed}{f'; {running}' if running else ''}"
        if self._bar is not None:
            self._bar.update(self._task, completed=finished + share, state=state)
        elif state != self._last_state and time.monotonic() - self._last_line >= _LINE_SECONDS:
            self._last_line, self._last_state = time.monotonic(), state
            self._say(state)

    @staticmethod
    def _say(line: str) -> None:
        sys.stderr.write(line + "\n")
        sys.stderr.flush()
