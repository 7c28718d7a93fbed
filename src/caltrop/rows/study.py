"""A study: everything that one page shows."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from caltrop.rows.chart import Chart
from caltrop.rows.phase_map import PhaseMap
from caltrop.rows.pictures import ClassValues, Picture
from caltrop.rows.row import Row
from caltrop.rows.strict import jsonable
from caltrop.rows.table import Rows
from caltrop.rows.verdict import Verdict


@dataclass(frozen=True)
class Study:
    """Everything one page or one record holds: rows, what stands behind them, and where they came from.

    `provenance` is a plain dict (versions, device, data set, network, command, duration, …);
    `clock` gives the unit of `step`: "epoch", "iteration", "log t", or None for a single look.
    `verdicts` are shown, never stored: they are judged anew from the rows. `charts` are those that a paper
    asks for; `cases` says for each case of a sweep what its configuration is. `glosses` explains measures that the
    page's own glossary does not know, in one sentence each. `maps` are phase diagrams.
    """

    rows: Sequence[Row]
    per_class: tuple[ClassValues, ...] = ()
    pictures: tuple[Picture, ...] = ()
    title: str = "Neural collapse"
    clock: str | None = None
    notes: tuple[str, ...] = ()
    provenance: dict[str, Any] = field(default_factory=dict)
    verdicts: tuple[Verdict, ...] = ()
    charts: tuple[Chart, ...] = ()
    cases: dict[str, dict[str, Any]] = field(default_factory=dict)
    glosses: dict[str, str] = field(default_factory=dict)
    maps: tuple[PhaseMap, ...] = ()

    def as_dict(self) -> dict[str, Any]:
        """Strict JSON, rows by column; verdicts are left out."""
        return {
            "title": self.title,
            "clock": self.clock,
            "notes": list(self.notes),
            "provenance": jsonable(self.provenance),
            "charts": [chart.as_dict() for chart in self.charts],
            "cases": jsonable(self.cases),
            "glosses": dict(self.glosses),
            "maps": [one.as_dict() for one in self.maps],
            "rows": Rows.of(self.rows).as_columns(),
            "per_class": [entry.as_dict() for entry in self.per_class],
            "pictures": [picture.as_dict() for picture in self.pictures],
        }

    @classmethod
    def from_dict(cls, study: Mapping[str, Any]) -> Study:
        """The inverse of `as_dict`; reads rows one by one (as format 1 had them) and by column."""
        rows = study["rows"]
        return cls(
            rows=Rows.from_columns(rows) if isinstance(rows, Mapping) else Rows.of(map(Row.from_dict, rows)),
            per_class=tuple(ClassValues.from_dict(entry) for entry in study.get("per_class", ())),
            pictures=tuple(Picture.from_dict(entry) for entry in study.get("pictures", ())),
            title=study.get("title", "Neural collapse"),
            clock=study.get("clock"),
            notes=tuple(study.get("notes", ())),
            provenance=dict(study.get("provenance", {})),
            charts=tuple(Chart.from_dict(entry) for entry in study.get("charts", ())),
            cases=dict(study.get("cases", {})),
            glosses=dict(study.get("glosses", {})),
            maps=tuple(PhaseMap.from_dict(entry) for entry in study.get("maps", ())),
        )
