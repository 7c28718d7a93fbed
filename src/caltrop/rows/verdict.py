"""A verdict: what became of one claim, judged from rows."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from typing import Any

from caltrop.rows.strict import jsonable

REPRODUCED, CONTRADICTED, INCONCLUSIVE = "reproduced", "contradicted", "inconclusive"
OUTCOMES = (REPRODUCED, CONTRADICTED, INCONCLUSIVE)


@dataclass(frozen=True)
class Verdict:
    """The outcome of one claim, with all that a reader needs to disagree with it.

    `claim` is "paper/short-name"; `measured` the quantity's value (None where there is none), `interval` its
    95 % interval over seeds where there is one; `expected` the range that reproduces the claim, in words;
    `why` says why the outcome is what it is. `says`, `where`, `quantity`, `threshold` and `requires` are the
    claim's own words: the sentence, its place in the paper, what was computed, why that threshold, and what
    must hold before the claim can be judged. `charts` names the (layer, measure) pairs it was read from.
    """

    claim: str
    outcome: str
    measured: float | None
    expected: str
    why: str
    interval: tuple[float, float] | None = None
    says: str = ""
    where: str = ""
    quantity: str = ""
    threshold: str = ""
    requires: tuple[str, ...] = ()
    charts: tuple[tuple[str, str], ...] = ()

    def __post_init__(self) -> None:
        if self.outcome not in OUTCOMES:
            raise ValueError(f"outcome={self.outcome!r} is none of {', '.join(OUTCOMES)}.")

    @property
    def paper(self) -> str:
        """The paper's name, the part of `claim` before the slash."""
        return self.claim.partition("/")[0]

    def as_dict(self) -> dict[str, Any]:
        """Strict JSON: a measured value that is not finite is null, and `why` says so."""
        return {name: jsonable(value) for name, value in asdict(self).items()}

    @classmethod
    def from_dict(cls, entry: Mapping[str, Any]) -> Verdict:
        """The inverse of `as_dict`; entries that this version does not know are left out."""
        known = {field.name for field in fields(cls)}
        kept = {name: value for name, value in entry.items() if name in known}
        for name in ("interval", "requires"):
            if kept.get(name) is not None:
                kept[name] = tuple(kept[name])
        kept["charts"] = tuple((layer, measure) for layer, measure in kept.get("charts", ()))
        return cls(**kept)

    def __str__(self) -> str:
        return f"{self.claim}: {self.outcome}. {self.why}"
