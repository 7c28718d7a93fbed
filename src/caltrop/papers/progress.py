"""How far the cells of a run have come, read from the points that they save, wherever they are computed."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from types import TracebackType

from rich.progress import TimeElapsedColumn

from caltrop.record import Cell, Planned
from caltrop.record.status import Status

_LOOK_SECONDS = 1.0
# lines of a log, not of a screen
_LINE_SECONDS = 15.0


class RunProgress(Status):
    """Shows a run: a bar, or a line now and then.

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
        super().__init__("cells", len(planned), TimeElapsedColumn(), shown=shown)
        self._left = {cell.key: called(cell.key) for cell in planned}
        self._cells, self._progress, self._failed = len(planned), progress, 0
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._watch, daemon=True)
        self._last_line, self._last_state = -_LINE_SECONDS, ""

    def __enter__(self) -> RunProgress:
        super().__enter__()
        if self.shown:
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
        super().__exit__(kind, error, trace)

    def after(self, cell: Cell) -> None:
        """One more cell is done."""
        name = self._left.pop(cell.config["key"], "")
        self._failed += cell.error is not None
        self.say(f"{name} failed: {cell.error}" if cell.error else f"{name} done")

    def _watch(self) -> None:
        while not self._ended.wait(_LOOK_SECONDS):
            self._show()

    def _show(self) -> None:
        left = dict(self._left)
        points = {key: found for key in left if (found := self._progress(key)) is not None}
        share = sum(done / total for done, total in points.values() if total)
        finished = self._cells - len(left)
        running = ", ".join(f"{left[key]} at {done} of {total}" for key, (done, total) in points.items())
        failed = f"{self._failed} failed" if self._failed else ""
        self.update(finished + share, "; ".join(filter(None, [failed, running])))
        state = f"{finished} of {self._cells} cells{f', {failed}' if failed else ''}{f'; {running}' if running else ''}"
        if state != self._last_state and time.monotonic() - self._last_line >= _LINE_SECONDS:
            self._last_line, self._last_state = time.monotonic(), state
            self.say(state)
