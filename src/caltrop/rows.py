"""The plain types that flow right through the pipeline: rows, per-class values, pictures.

A `Row` is one number with everything needed to read it. Rows are tidy: one measure of one layer at
one step. Nothing here computes; nothing here needs torch.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, field, fields
from numbers import Integral, Real
from typing import Any

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
    split: str = "all"
    step: int | float | None = None
    half_width: float | None = None
    resolution: float | None = None
    at_collapse: float | None = None
    reason: str | None = None
    note: str | None = None

    def as_dict(self) -> dict[str, Any]:
        """The row as strict JSON allows it: floats that are not finite become None."""
        return {name: jsonable(value) for name, value in asdict(self).items()}

    @classmethod
    def from_dict(cls, row: Mapping[str, Any]) -> Row:
        """The inverse of `as_dict`: a null value comes back as NaN, or as infinity where `reason` says so."""
        known = {field.name for field in fields(cls)}
        unknown = sorted(set(row) - known)
        if unknown:
            raise ValueError(
                f"a row has the unknown columns {unknown}; this version knows {sorted(known)}. "
                "It was probably written by a newer version."
            )
        value = row["value"]
        if value is None:
            value = math.inf if str(row.get("reason") or "").startswith("infinite") else math.nan
        return cls(**{**row, "value": float(value)})


@dataclass(frozen=True)
class ClassValues:
    """Per-class values behind one row, keyed by label."""

    layer: str
    measure: str
    values: dict[int, float]
    split: str = "all"
    step: int | float | None = None

    def as_dict(self) -> dict[str, Any]:
        """Strict JSON: labels become strings, as JSON keys must be; non-finite values become None."""
        values = {str(label): jsonable(value) for label, value in self.values.items()}
        return {**asdict(self), "values": values}

    @classmethod
    def from_dict(cls, entry: Mapping[str, Any]) -> ClassValues:
        """The inverse of `as_dict`."""
        values = {int(label): math.nan if v is None else float(v) for label, v in entry["values"].items()}
        return cls(**{**entry, "values": values})


@dataclass(frozen=True)
class Picture:
    """What a page draws of one layer at one step and cannot recompute from rows.

    `labels` names the classes in order. `cosines` [classes][classes] are the cosines of the centred
    class means. `points` [classes][axes] are class-mean coordinates on the leading principal axes of
    the class means (at most 3), in units of the mean norm of the centred class means; `cloud` is a
    bounded sample of features on the same axes, as (label, coordinates), or empty.
    `explained` is the share of the between-class variance on each axis.
    `head` [classes][axes]: rows of the last layer on the same axes, scaled to the same mean norm,
    or None where there is no head.
    """

    layer: str
    labels: tuple[int, ...]
    cosines: tuple[tuple[float, ...], ...]
    points: tuple[tuple[float, ...], ...]
    explained: tuple[float, ...]
    cloud: tuple[tuple[int, tuple[float, ...]], ...] = ()
    head: tuple[tuple[float, ...], ...] | None = None
    split: str = "all"
    step: int | float | None = None

    def as_dict(self) -> dict[str, Any]:
        """Strict JSON; coordinates rounded to 5 digits, which is finer than any screen."""
        out: dict[str, Any] = jsonable(asdict(self), digits=5)
        return out

    @classmethod
    def from_dict(cls, entry: Mapping[str, Any]) -> Picture:
        """The inverse of `as_dict`."""
        head = entry.get("head")
        return cls(
            layer=entry["layer"],
            labels=tuple(int(label) for label in entry["labels"]),
            cosines=_matrix(entry["cosines"]),
            points=_matrix(entry["points"]),
            explained=tuple(float(share) for share in entry["explained"]),
            cloud=tuple((int(label), tuple(float(x) for x in point)) for label, point in entry["cloud"]),
            head=None if head is None else _matrix(head),
            split=entry["split"],
            step=entry["step"],
        )


@dataclass(frozen=True)
class Study:
    """Everything one page or one record holds: rows, what stands behind them, and where they came from.

    `provenance` is a plain dict (versions, device, data set, network, command, duration, …);
    `clock` gives the unit of `step`: "epoch", "iteration", "log t", or None for a single look.
    """

    rows: tuple[Row, ...]
    per_class: tuple[ClassValues, ...] = ()
    pictures: tuple[Picture, ...] = ()
    title: str = "Neural collapse"
    clock: str | None = None
    notes: tuple[str, ...] = ()
    provenance: dict[str, Any] = field(default_factory=dict)

    def as_dict(self) -> dict[str, Any]:
        """Strict JSON."""
        return {
            "title": self.title,
            "clock": self.clock,
            "notes": list(self.notes),
            "provenance": jsonable(self.provenance),
            "rows": [row.as_dict() for row in self.rows],
            "per_class": [entry.as_dict() for entry in self.per_class],
            "pictures": [picture.as_dict() for picture in self.pictures],
        }

    @classmethod
    def from_dict(cls, study: Mapping[str, Any]) -> Study:
        """The inverse of `as_dict`."""
        return cls(
            rows=tuple(Row.from_dict(row) for row in study["rows"]),
            per_class=tuple(ClassValues.from_dict(entry) for entry in study.get("per_class", ())),
            pictures=tuple(Picture.from_dict(entry) for entry in study.get("pictures", ())),
            title=study.get("title", "Neural collapse"),
            clock=study.get("clock"),
            notes=tuple(study.get("notes", ())),
            provenance=dict(study.get("provenance", {})),
        )


def jsonable(value: Any, digits: int | None = None) -> Any:
    """`value` with tuples as lists and every non-finite float as None, ready for strict JSON."""
    if isinstance(value, bool):
        return value
    if isinstance(value, Integral):  # of NumPy, too, which is no int
        return int(value)
    if isinstance(value, Real):
        number = float(value)
        if not math.isfinite(number):
            return None
        return number if digits is None else round(number, digits)
    if isinstance(value, Mapping):
        return {str(key): jsonable(entry, digits) for key, entry in value.items()}
    if isinstance(value, list | tuple):
        return [jsonable(entry, digits) for entry in value]
    return value


def to_json(value: Any) -> str:
    """Strict JSON text (NaN is refused, never written), stable for equal input."""
    return json.dumps(jsonable(value), allow_nan=False, ensure_ascii=False)


def _matrix(rows: Iterable[Iterable[Any]]) -> tuple[tuple[float, ...], ...]:
    return tuple(tuple(math.nan if x is None else float(x) for x in row) for row in rows)
