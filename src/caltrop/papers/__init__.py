"""Papers as experiments: run, judged and shown.

`caltrop.papers.run("papyan2020prevalence", scale="smoke")` gives a record whose `verdicts` say which claims were
reproduced, contradicted or left inconclusive.
"""

from caltrop.papers.claim import Claim, Within, at_least, at_most, exactly
from caltrop.papers.estimate import Estimate, mean_estimate, over_seeds, share_estimate
from caltrop.papers.evidence import Evidence
from caltrop.papers.experiment import SCALES, Case, Experiment, Outcome, one_case
from caltrop.papers.judging import JudgedRecord, judge
from caltrop.papers.preconditions import (
    NO_CONTRADICTIONS,
    TRAINED,
    ZERO_TRAINING_ERROR,
    Precondition,
    weight_decay_times,
)
from caltrop.papers.registry import UnknownExperiment, experiments, get, names, register
from caltrop.papers.running import run
from caltrop.papers.session import Session

__all__ = [
    "NO_CONTRADICTIONS",
    "SCALES",
    "TRAINED",
    "ZERO_TRAINING_ERROR",
    "Case",
    "Claim",
    "Estimate",
    "Evidence",
    "Experiment",
    "JudgedRecord",
    "Outcome",
    "Precondition",
    "Session",
    "UnknownExperiment",
    "Within",
    "at_least",
    "at_most",
    "exactly",
    "experiments",
    "get",
    "judge",
    "mean_estimate",
    "names",
    "one_case",
    "over_seeds",
    "register",
    "run",
    "share_estimate",
    "weight_decay_times",
]
