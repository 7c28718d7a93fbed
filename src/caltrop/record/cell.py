"""One cell of a run: one case with one seed, self-contained."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import NoneType
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
        """The inverse of `as_dict`.

        Raises:
            KeyError: an entry is missing.
            TypeError: one is of another type.
        """
        return cls(
            key=_typed(entry, "key", str),
            case=_typed(entry, "case", str, NoneType),
            seed=_typed(entry, "seed", int, NoneType),
            config=_typed(entry, "config", dict),
        )


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

    @property
    def planned(self) -> Planned:
        """What the plan says of it."""
        return Planned(self.key, self.case, self.seed, self.config)

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
        """The inverse of `as_dict`.

        Raises:
            KeyError: an entry is missing.
            TypeError, ValueError: one is not what `as_dict` writes.
        """
        planned = Planned.from_dict(cell)
        return cls(
            experiment=_typed(cell, "experiment", str),
            scale=_typed(cell, "scale", str),
            key=planned.key,
            case=planned.case,
            seed=planned.seed,
            config=planned.config,
            rows=Rows.from_columns(_typed(cell, "rows", dict)),
            preconditions=_all(_typed(cell, "preconditions", dict), float, int, str, bool, NoneType),
            provenance=_typed(cell, "provenance", dict),
            clock=_typed(cell, "clock", str, NoneType),
            notes=tuple(_all(dict(enumerate(_typed(cell, "notes", list))), str).values()),
            per_class=tuple(ClassValues.from_dict(entry) for entry in _typed(cell, "per_class", list)),
            pictures=tuple(Picture.from_dict(entry) for entry in _typed(cell, "pictures", list)),
        )


def _all(held: dict[Any, Any], *types: type) -> dict[Any, Any]:
    for name in held:
        _typed(held, name, *types)
    return held


def _typed(held: Mapping[Any, Any], name: Any, *types: type) -> Any:
    value = held[name]
    if not isinstance(value, types) or (isinstance(value, bool) and bool not in types):
        raise TypeError(f"{name}, which is {value!r:.60}")
    return value
