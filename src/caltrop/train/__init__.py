"""Training into the terminal phase, with a look at the network at log-spaced epochs."""

from __future__ import annotations

from caltrop.train.config import TrainConfig, log_spaced
from caltrop.train.loop import Trained, train
from caltrop.train.terminal import TerminalPhase

__all__ = ["TerminalPhase", "TrainConfig", "Trained", "log_spaced", "train"]
