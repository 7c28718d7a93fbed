"""A Watch and whatever looks beside it, remembered across an interruption."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any, Protocol, runtime_checkable

from caltrop.observe import Observation, Watch
from caltrop.rows import Row, Rows, Study, to_json


@runtime_checkable
class Look(Protocol):
    """Something that measures a network at an epoch and gathers its rows."""

    rows: list[Row]

    def look(self, epoch: int) -> None:
        """Measure now."""
        ...


class WatchMemory:
    """Calls a `Watch` and further looks at every measuring epoch; what they gathered is its state."""

    def __init__(self, watch: Watch, *beside: Look) -> None:
        self._watch, self._beside = watch, beside

    @property
    def look(self) -> Callable[[int], None]:
        """What `train` calls at measuring epochs."""
        return self._look

    def state(self) -> dict[str, Any]:
        """Everything seen so far, as strict JSON; JSON keeps every digit of a float."""
        seen = self._watch.seen
        study = Study(tuple(seen.rows), tuple(seen.class_values), tuple(seen.pictures), notes=seen.notes)
        return {
            "seen": to_json(study.as_dict()),
            "beside": [to_json(Rows.of(one.rows).as_columns()) for one in self._beside],
        }

    def restore(self, state: dict[str, Any]) -> None:
        """The inverse of `state`."""
        study = Study.from_dict(json.loads(state["seen"]))
        self._watch.seen = Observation(study.rows, study.per_class, study.pictures, notes=study.notes)
        for one, rows in zip(self._beside, state["beside"], strict=True):
            one.rows[:] = list(Rows.from_columns(json.loads(rows)))

    def _look(self, epoch: int) -> None:
        self._watch(step=epoch)
        for one in self._beside:
            one.look(epoch)
