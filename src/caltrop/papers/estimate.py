"""A quantity over seeds with its interval: bootstrap for means, exact binomial for shares."""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Iterable
from dataclasses import dataclass

import numpy as np
from scipy.stats import binomtest

from caltrop.papers.evidence import Evidence
from caltrop.rows import Rows

LEVEL = 0.95
RESAMPLES = 10_000
# up to 6 seeds all n^n resamples are enumerated, so that the interval carries no chance of its own
ENUMERATED = 6


@dataclass(frozen=True)
class Estimate:
    """A value, its 95 % interval over seeds (None where one seed leaves it unknown), and the values behind it."""

    value: float
    interval: tuple[float, float] | None = None
    values: tuple[float, ...] = ()
    how: str = ""


def over_seeds(quantity: Callable[[Rows], float], **where: object) -> Callable[[Evidence], Estimate]:
    """The mean over seeds of `quantity(rows of one seed)`, with a percentile bootstrap interval of that mean.

    `where` limits the rows first (`layer=`, `measure=`, `split=`, `case=`, …). One seed has no interval.
    """

    def estimate(evidence: Evidence) -> Estimate:
        rows = evidence.rows.where(**where)
        # a seed whose run is there but was not measured is missing: a mean over the others would hide it
        among = evidence.rows.where(case=where["case"]) if "case" in where else evidence.rows
        absent = [seed for seed in among.distinct("seed") if seed not in rows.distinct("seed")]
        if len(rows) == 0 or absent:
            of = "" if len(rows) == 0 else f" of seed {', '.join(map(str, absent))}"
            raise LookupError(f"there are no rows{of} with {', '.join(f'{k}={v}' for k, v in where.items())}")
        return mean_estimate(rows.per("seed", quantity).values())

    return estimate


def mean_estimate(values: Iterable[float]) -> Estimate:
    """The mean of values, one of each seed, with its bootstrap interval; not finite where one of them is not."""
    listed = tuple(float(value) for value in values)
    mean = math.fsum(listed) / len(listed) if all(map(math.isfinite, listed)) else math.nan
    if len(listed) < 2 or not math.isfinite(mean):
        return Estimate(mean, None, listed, "one seed" if len(listed) == 1 else f"{len(listed)} seeds")
    means = _resampled(np.array(listed)).mean(axis=1)
    # values that occur, not between them: of three seeds the least mean alone has a chance of 1/27, more than 2.5 %
    low, high = np.quantile(means, [(1 - LEVEL) / 2, (1 + LEVEL) / 2], method="inverted_cdf")
    # a mean of equal numbers may differ from them in the last bit, and an interval must hold its own value
    interval = (min(float(low), mean), max(float(high), mean)) if low < high else (mean, mean)
    return Estimate(mean, interval, listed, f"mean over {len(listed)} seeds, bootstrap interval")


def share_estimate(successes: int, trials: int, of: str = "seeds") -> Estimate:
    """The share of trials (`of` names them) that succeeded, with the exact (Clopper–Pearson) binomial interval."""
    if trials < 1 or not 0 <= successes <= trials:
        raise ValueError(f"{successes} successes of {trials} trials are impossible.")
    found = binomtest(successes, trials).proportion_ci(LEVEL, method="exact")
    how = f"{successes} of {trials} {of}, exact binomial interval"
    return Estimate(successes / trials, (float(found.low), float(found.high)), (), how)


def _resampled(values: np.ndarray) -> np.ndarray:
    """Samples with repetition of `values`, [resamples, seeds]: all of them where few, drawn from a fixed seed else."""
    count = len(values)
    if count <= ENUMERATED:
        chosen = np.array(list(itertools.product(range(count), repeat=count)))
    else:
        chosen = np.random.default_rng(0).integers(0, count, (RESAMPLES, count))
    found: np.ndarray = values[chosen]
    return found
