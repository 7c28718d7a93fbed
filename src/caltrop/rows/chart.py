"""A chart that a paper asks for, as data: which rows, along what."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

STEP = "step"


@dataclass(frozen=True)
class Chart:
    """One measure at one layer, along steps or along a field of the configuration.

    `across` is "step", or the name of a configuration field ("depth"), of which each case has a value; then
    the last step of every case is drawn. `splits` limits what is drawn, empty for all there are. Every origin
    is drawn that has rows: trained, solved and closed form, told apart by line style. `says` is the caption. `about`
    limits it to cases whose name starts so, empty for all.
    """

    measure: str
    layer: str = ""
    across: str = STEP
    splits: tuple[str, ...] = ()
    says: str = ""
    about: str = ""

    def as_dict(self) -> dict[str, Any]:
        """Strict JSON."""
        return {**asdict(self), "splits": list(self.splits)}

    @classmethod
    def from_dict(cls, entry: Mapping[str, Any]) -> Chart:
        """The inverse of `as_dict`."""
        return cls(**{**entry, "splits": tuple(entry.get("splits", ()))})
