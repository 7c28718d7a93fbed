"""A claim: a paper's sentence as data, that rows can reproduce or contradict."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

from caltrop.papers.estimate import Estimate
from caltrop.papers.evidence import Evidence
from caltrop.papers.preconditions import FIT, TIME, Precondition
from caltrop.rows import CONTRADICTED, INCONCLUSIVE, ORIGINS, REPRODUCED, Verdict


@dataclass(frozen=True)
class Within:
    """The closed range of values that reproduces a claim; a strict inequality is a closed one at our precision."""

    low: int | float = -math.inf
    high: int | float = math.inf

    def __post_init__(self) -> None:
        if math.isnan(self.low) or math.isnan(self.high) or self.low > self.high:
            raise ValueError(f"no number lies within [{self.low}, {self.high}].")

    def __contains__(self, value: int | float) -> bool:
        return self.low <= value <= self.high

    def __str__(self) -> str:
        if self.low == self.high:
            return f"{self.low:g}"
        if math.isinf(self.low):
            return f"≤ {self.high:g}" if math.isfinite(self.high) else "any number"
        return f"≥ {self.low:g}" if math.isinf(self.high) else f"{self.low:g} to {self.high:g}"


def at_least(low: int | float) -> Within:
    """Everything from `low` upwards."""
    return Within(low=low)


def at_most(high: int | float) -> Within:
    """Everything up to `high`."""
    return Within(high=high)


def exactly(value: int | float) -> Within:
    """That number and no other."""
    return Within(value, value)


@dataclass(frozen=True)
class Claim:
    """One statement of a paper, and how it is judged.

    id
        "paper/short-name".
    says
        The sentence, in our words.
    where
        Its place in the paper, or "abstract".
    quantity
        Evidence to a number, or to an `Estimate` with an interval over seeds (`over_seeds`, `share_estimate`).
        Whatever it raises makes the claim inconclusive.
    computes
        What the quantity is, in words.
    expected
        The values that reproduce the claim; all others contradict it.
    threshold
        Why that threshold: whose it is and what it separates.
    origin
        Where the rows come from: "trained", "solved" or "closed form". A claim on a trained network must
        require that the data are fitted and that training was long enough; otherwise missing collapse would
        only mean "too early". ValueError where it does not.
    requires
        Preconditions; an unmet one makes the claim inconclusive.
    charts
        (layer, measure) pairs that show it.
    about
        The cases of a sweep that it is about: those whose name starts so; all of them where empty. Others may be
        missing, or fail, without touching this claim.
    """

    id: str
    says: str
    where: str
    quantity: Callable[[Evidence], float | Estimate]
    computes: str
    expected: Within
    threshold: str
    origin: str
    requires: tuple[Precondition, ...] = ()
    charts: tuple[tuple[str, str], ...] = ()
    about: str = ""

    def __post_init__(self) -> None:
        paper, slash, name = self.id.partition("/")
        if not (paper and slash and name):
            raise ValueError(f"id={self.id!r} must be written as paper/short-name.")
        if self.origin not in ORIGINS:
            raise ValueError(f"claim {self.id}: origin={self.origin!r} is none of {', '.join(ORIGINS)}.")
        kinds = {precondition.kind for precondition in self.requires}
        if self.origin == "trained" and not {FIT, TIME} <= kinds:
            raise ValueError(
                f"claim {self.id} is about a trained network but does not require that the data are fitted "
                "and that training was long enough; add preconditions of the kinds 'fit' and 'time'."
            )

    def judge(self, evidence: Evidence) -> Verdict:
        """The verdict on the evidence; never raises for what the evidence holds."""
        evidence = evidence.about(self.about)
        reason = self._why_not_judged(evidence)
        if reason is not None:
            return self._verdict(INCONCLUSIVE, None, reason)
        try:
            found = self.quantity(evidence)
            estimate = found if isinstance(found, Estimate) else Estimate(float(found))
        except Exception as error:
            told = str(error.args[0]) if isinstance(error, KeyError) and error.args else str(error)
            return self._verdict(
                INCONCLUSIVE, None, f"the quantity could not be computed: {told or type(error).__name__}"
            )
        if not math.isfinite(estimate.value):
            values = ", ".join(f"{value:g}" for value in estimate.values)
            return self._verdict(
                INCONCLUSIVE, None, f"the quantity is not a finite number ({values or estimate.value:g})"
            )
        return self._compared(estimate)

    def _why_not_judged(self, evidence: Evidence) -> str | None:
        if len(evidence.rows) == 0:
            told = f" ({'; '.join(evidence.missing)})" if evidence.missing else ""
            return f"there are no rows{told}"
        if evidence.missing:
            return f"not all runs are there: {'; '.join(evidence.missing)}"
        for precondition in self.requires:
            try:
                unmet = precondition.unmet(evidence)
            except Exception as error:
                unmet = f"it could not be checked: {error}"
            if unmet is not None:
                return f"precondition unmet ({precondition.says}): {unmet}"
        return None

    def _compared(self, estimate: Estimate) -> Verdict:
        low, high = estimate.interval or (estimate.value, estimate.value)
        seeds = f" ({estimate.how})" if estimate.how else ""
        at = f"{estimate.value:.4g}"
        interval = f", 95 % interval {low:.4g} to {high:.4g}" if estimate.interval else ""
        if low in self.expected and high in self.expected:
            return self._verdict(REPRODUCED, estimate, f"{at}{interval}{seeds} is {self.expected}")
        apart = high < self.expected.low or low > self.expected.high
        if apart:
            return self._verdict(CONTRADICTED, estimate, f"{at}{interval}{seeds} is not {self.expected}")
        return self._verdict(
            INCONCLUSIVE, estimate, f"{at}{interval}{seeds}: the interval straddles the threshold, {self.expected}"
        )

    def _verdict(self, outcome: str, estimate: Estimate | None, why: str) -> Verdict:
        return Verdict(
            claim=self.id,
            outcome=outcome,
            measured=None if estimate is None else estimate.value,
            expected=str(self.expected),
            why=why,
            interval=None if estimate is None else estimate.interval,
            says=self.says,
            where=self.where,
            quantity=self.computes,
            threshold=self.threshold,
            requires=tuple(precondition.says for precondition in self.requires),
            charts=self.charts,
        )
