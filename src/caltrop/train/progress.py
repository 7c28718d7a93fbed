"""What a person sees on stderr while a network trains: a bar on a terminal, lines elsewhere."""

from __future__ import annotations

from rich.progress import TimeRemainingColumn

from caltrop.record.status import Status
from caltrop.train.fit import Fit


class TrainingProgress(Status):
    """Shows epochs as they pass."""

    def __init__(self, epochs: int, *, shown: bool) -> None:
        super().__init__("training, epoch", epochs, TimeRemainingColumn(), shown=shown)
        self.epochs = epochs

    def resumed(self, epoch: int) -> None:
        """Say that training goes on after `epoch`."""
        self.say(f"going on after epoch {epoch} of {self.epochs}")

    def after(self, epoch: int, fit: Fit, *, measured: bool) -> None:
        """Take note of the state after `epoch`; lines appear at measured epochs only."""
        state = f"loss {fit.loss:.4g}, {fit.errors} errors of {fit.samples}"
        self.update(epoch, state)
        if measured:
            self.say(f"epoch {epoch} of {self.epochs}: {state}")
