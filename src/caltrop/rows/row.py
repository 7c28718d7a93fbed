"""A row: one number with everything needed to read it."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any

from caltrop.rows.strict import jsonable

ORIGINS = ("trained", "solved", "closed form")


@dataclass(frozen=True)
class Row:
    """One measured number.

    `value` may be NaN or infinite in memory; JSON turns both into null, and `reason` says why.
    `half_width` is the 95 % sampling half-width, `resolution` what the storage format of the
    features alone would give, `at_collapse` the value at exact collapse; each is None where it
    does not exist.
    """

    layer: str
    measure: str
    symbol: str
    value: float
    origin: str = "trained"
    seed: int | None = None
    case: str | None = None
    split: str = "all"
    step: int | float | None = None
    half_width: float | None = None
    resolution: float | None = None
    at_collapse: float | None = None
    reason: str | None = None
    note: str | None = None

    def as_dict(self) -> dict[str, Any]:
        """The row as strict JSON allows it: floats that are not finite become None."""
        return {name: jsonable(getattr(self, name)) for name in COLUMNS}

    @classmethod
    def from_dict(cls, row: Mapping[str, Any]) -> Row:
        """The inverse of `as_dict`: a null value comes back as NaN, or as infinity where `reason` says so."""
        unknown = sorted(set(row) - set(COLUMNS))
        if unknown:
            raise ValueError(
                f"a row has the unknown columns {unknown}; this version knows {sorted(COLUMNS)}. "
                "It was probably written by a newer version."
            )
        value = row["value"]
        if value is None:
            value = math.inf if str(row.get("reason") or "").startswith("infinite") else math.nan
        return cls(**{**row, "value": float(value)})


COLUMNS = tuple(column.name for column in fields(Row))
