"""What long work shows on stderr: a bar on a terminal, lines elsewhere, nothing where it is not wanted."""

from __future__ import annotations

import sys
from types import TracebackType
from typing import TypeVar

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, ProgressColumn, TextColumn

S = TypeVar("S", bound="Status")


class Status:
    """A bar headed `title` over `total` steps, with what `update` says beside it; gone when the work is over.

    `timing` is the column of time, elapsed or left. Without a terminal there is no bar, and `say` writes lines.
    """

    def __init__(self, title: str, total: int, timing: ProgressColumn, *, done: int = 0, shown: bool) -> None:
        self.shown = shown
        self._title, self._total, self._timing, self._done = title, total, timing, done
        self._bar: Progress | None = None

    @property
    def has_bar(self) -> bool:
        """Whether a bar is shown, so that lines are not."""
        return self._bar is not None

    def __enter__(self: S) -> S:
        if self.shown and sys.stderr.isatty():
            state = TextColumn("{task.fields[state]}")
            columns = (TextColumn(self._title), MofNCompleteColumn(), BarColumn(), state, self._timing)
            self._bar = Progress(*columns, console=Console(stderr=True), transient=True)
            self._bar.start()
            self._task = self._bar.add_task(self._title, total=self._total, completed=self._done, state="")
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._bar is not None:
            self._bar.stop()

    def update(self, done: int | float, state: str) -> None:
        """Move the bar, if there is one."""
        if self._bar is not None:
            self._bar.update(self._task, completed=done, state=state)

    def say(self, line: str) -> None:
        """A line, where there is no bar."""
        if self.shown and self._bar is None:
            sys.stderr.write(line + "\n")
            sys.stderr.flush()
