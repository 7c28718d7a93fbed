"""What must hold before a claim can be judged at all: unmet is inconclusive, never contradicted."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from caltrop.papers.evidence import Evidence

FIT, TIME, DATA = "fit", "time", "data"
# Weight decay acts in about one unit of its own time; five of them leave e^-5 < 1 % of what decays.
WEIGHT_DECAY_TIMES = 5.0


@dataclass(frozen=True)
class Precondition:
    """`says` in words; `unmet(evidence)` gives a sentence where it does not hold, else None.

    `kind`: "fit" (the data are fitted), "time" (trained long enough), "data" (collapse is possible), or "".
    """

    says: str
    unmet: Callable[[Evidence], str | None]
    kind: str = ""


ZERO_TRAINING_ERROR = Precondition(
    "training error is zero at the end",
    lambda evidence: evidence.unmet("training_error", lambda error: error == 0, "training error is {value}"),
    FIT,
)


def weight_decay_times(least: float = WEIGHT_DECAY_TIMES) -> Precondition:
    """At least so many weight-decay times of training: before, no collapse only means too early."""
    return Precondition(
        f"trained for at least {least:g} weight-decay times",
        lambda evidence: evidence.unmet(
            "weight_decay_time", lambda time: time >= least, "trained for {value} weight-decay times only"
        ),
        TIME,
    )


NO_CONTRADICTIONS = Precondition(
    "no two equal inputs carry different labels",
    lambda evidence: evidence.unmet(
        "contradictory_share", lambda share: share == 0, "a share of {value} of the inputs also has another label"
    ),
    DATA,
)

# what every claim on a trained classifier asks for
TRAINED = (ZERO_TRAINING_ERROR, weight_decay_times(), NO_CONTRADICTIONS)
