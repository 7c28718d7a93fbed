"""One cell of a run: one case with one seed, self-contained."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from caltrop.rows import ClassValues, Picture, Rows, jsonable

Condition = float | int | str | bool | None


@dataclass(frozen=True)
class Planned:
    """A cell that is to be computed: its key, what tells it apart, and its configuration as plain JSON."""

    key: str
    case: str | None
    seed: int | None
    config: dict[str, Any]

    def as_dict(self) -> dict[str, Any]:
        """Strict JSON."""
        return {"key": self.key, "case": self.case, "seed": self.seed, "config": jsonable(self.config)}

    @classmethod
    def from_dict(cls, entry: Mapping[str, Any]) -> Planned:
        """The inverse of `as_dict`."""
        return cls(entry["key"], entry["case"], entry["seed"], dict(entry["config"]))


@dataclass(frozen=True)
class CellRecord:
    """A finished cell: configuration, provenance, rows, and the conditions under which claims may be judged.

    `preconditions` are facts about the run as a whole ({"training_error": 0.0, "weight_decay_time": 5.01, …}); a
    claim says which of them it needs, and how good.
    """

    experiment: str
    scale: str
    key: str
    case: str | None
    seed: int | None
    config: dict[str, Any]
    rows: Rows
    preconditions: dict[str, Condition] = field(default_factory=dict)
    provenance: dict[str, Any] = field(default_factory=dict)
    clock: str | None = None
    notes: tuple[str, ...] = ()
    per_class: tuple[ClassValues, ...] = ()
    pictures: tuple[Picture, ...] = ()

    def as_dict(self) -> dict[str, Any]:
        """Strict JSON."""
        return {
            "experiment": self.experiment,
            "scale": self.scale,
            "key": self.key,
            "case": self.case,
            "seed": self.seed,
            "config": jsonable(self.config),
            "preconditions": jsonable(self.preconditions),
            "provenance": jsonable(self.provenance),
            "clock": self.clock,
            "notes": list(self.notes),
            "rows": self.rows.as_columns(),
            "per_class": [entry.as_dict() for entry in self.per_class],
            "pictures": [picture.as_dict() for picture in self.pictures],
        }

    @classmethod
    def from_dict(cls, cell: Mapping[str, Any]) -> CellRecord:
        """The inverse of `as_dict`."""
        return cls(
            experiment=cell["experiment"],
            scale=cell["scale"],
            key=cell["key"],
            case=cell["case"],
            seed=cell["seed"],
            config=dict(cell["config"]),
            rows=Rows.from_columns(cell["rows"]),
            preconditions=dict(cell["preconditions"]),
            provenance=dict(cell["provenance"]),
            clock=cell["clock"],
            notes=tuple(cell["notes"]),
            per_class=tuple(ClassValues.from_dict(entry) for entry in cell["per_class"]),
            pictures=tuple(Picture.from_dict(entry) for entry in cell["pictures"]),
        )
