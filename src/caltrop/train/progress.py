"""What a person sees on stderr while a network trains: a bar on a terminal, lines elsewhere."""

from __future__ import annotations

import sys
from types import TracebackType

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from caltrop.train.fit import Fit


class TrainingProgress:
    """Shows epochs as they pass: nothing if not `shown`, a bar if stderr is a terminal, else short lines."""

    def __init__(self, epochs: int, *, shown: bool) -> None:
        self.epochs = epochs
        self.shown = shown
        self.bar: Progress | None = None

    def __enter__(self) -> TrainingProgress:
        if self.shown and sys.stderr.isatty():
            self.bar = Progress(
                TextColumn("training, epoch"),
                MofNCompleteColumn(),
                BarColumn(),
                TextColumn("{task.fields[state]}"),
                TimeRemainingColumn(),
                console=Console(stderr=True),
                transient=True,
            )
            self.bar.start()
            self.task = self.bar.add_task("training", total=self.epochs, state="")
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self.bar is not None:
            self.bar.stop()

    def resumed(self, epoch: int) -> None:
        """Say that training goes on after `epoch`."""
        if self.shown:
            sys.stderr.write(f"going on after epoch {epoch} of {self.epochs}\n")
            sys.stderr.flush()

    def after(self, epoch: int, fit: Fit, *, measured: bool) -> None:
        """Take note of the state after `epoch`; lines appear at measured epochs only."""
        state = f"loss {fit.loss:.4g}, {fit.errors} errors of {fit.samples}"
        if self.bar is not None:
            self.bar.update(self.task, completed=epoch, state=state)
        elif self.shown and measured:
            sys.stderr.write(f"epoch {epoch} of {self.epochs}: {state}\n")
            sys.stderr.flush()
