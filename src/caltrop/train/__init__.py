"""Training into the terminal phase, with a look at the network at log-spaced epochs."""

from __future__ import annotations

from caltrop.train.config import TrainConfig, log_spaced
from caltrop.train.loop import Trained, train
from caltrop.train.objective import Objective, squared_error
from caltrop.train.terminal import TerminalPhase

__all__ = ["Objective", "TerminalPhase", "TrainConfig", "Trained", "log_spaced", "squared_error", "train"]
