"""What stands behind rows and cannot be recomputed from them: values of single classes, class means."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from typing import Any

from caltrop.rows.strict import jsonable


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
        """The inverse of `as_dict`; ValueError where it was not written by it."""
        _check_place(entry)
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
        """The inverse of `as_dict`; ValueError where it was not written by it."""
        _check_place(entry)
        head = entry.get("head")
        read = cls(
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
        read._check_shapes()
        return read

    def _check_shapes(self) -> None:
        count, axes = len(self.labels), len(self.explained)
        matrices = [(self.cosines, count), (self.points, axes), *([] if self.head is None else [(self.head, axes)])]
        fits = all(len(rows) == count and all(len(row) == width for row in rows) for rows, width in matrices)
        if not (count and axes and fits and all(len(point) == axes for _, point in self.cloud)):
            raise ValueError(f"the picture of layer '{self.layer}' has parts of different sizes")


def _check_place(entry: Mapping[str, Any]) -> None:
    place = {name: entry[name] for name in ("layer", "measure", "split", "step") if name in entry}
    step = place.get("step")
    is_step = step is None or (isinstance(step, int | float) and not isinstance(step, bool))
    if not is_step or not all(isinstance(held, str) for name, held in place.items() if name != "step"):
        raise ValueError(f"what stands behind a row is at no place that can be: {place}")


def _matrix(rows: Iterable[Iterable[Any]]) -> tuple[tuple[float, ...], ...]:
    return tuple(tuple(math.nan if x is None else float(x) for x in row) for row in rows)
