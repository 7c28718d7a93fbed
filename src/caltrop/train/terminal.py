"""The terminal phase of training: from when on no training sample is misclassified."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass
class TerminalPhase:
    """Follows the number of misclassified training samples, epoch by epoch.

    `first` is the first epoch without any, None before that; `since` the first epoch of the unbroken run of
    such epochs that reaches to the latest one, None while there are errors; `lost` counts how often such
    a run ended. Errors are to be counted in evaluation mode over the whole training set: zero on batches
    seen along the way is another, weaker thing.
    """

    first: int | None = None
    since: int | None = None
    lost: int = 0
    epoch: int | None = None
    errors: int | None = None

    def update(self, epoch: int, errors: int) -> None:
        """Take in the errors after `epoch`. Raises ValueError for an epoch that is not after the last one."""
        if self.epoch is not None and epoch <= self.epoch:
            raise ValueError(f"epoch {epoch} comes after epoch {self.epoch}; epochs must increase.")
        if errors < 0:
            raise ValueError(f"{errors} errors are impossible; count the misclassified samples.")
        self.epoch, self.errors = epoch, errors
        if errors == 0:
            self.first = epoch if self.first is None else self.first
            self.since = epoch if self.since is None else self.since
        else:
            self.lost += self.since is not None
            self.since = None

    @property
    def reached(self) -> bool:
        """Whether training error is zero now."""
        return self.since is not None

    def sentence(self) -> str:
        """What happened, in one plain sentence."""
        if self.epoch is None:
            return "Training error was not measured."
        if self.first is None:
            return f"Training error never reached zero: {self.errors} errors remain after epoch {self.epoch}."
        if self.since is None:
            return (
                f"Training error reached zero first after epoch {self.first}, but did not stay there: "
                f"{self.errors} errors after epoch {self.epoch}."
            )
        if self.lost:
            return (
                f"Training error is truly zero without a break since epoch {self.since} "
                f"(first after epoch {self.first}, lost {self.lost} times in between)."
            )
        return f"Training error is truly zero since epoch {self.since} and stayed so to epoch {self.epoch}."
