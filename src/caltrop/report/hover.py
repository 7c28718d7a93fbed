"""What the script says over each point of each chart, with repeated words stored once."""

from __future__ import annotations

from typing import Any

from caltrop.report.drawing import Drawing


class Hover:
    """Collects the points of all charts in the order in which they stand on the page."""

    def __init__(self) -> None:
        self._places: dict[str, int] = {}
        self._charts: list[list[list[Any]]] = []

    def take(self, drawing: Drawing) -> str:
        """Remember a chart's points; its SVG for the page."""
        self._charts.append(
            [[round(x, 1), round(y, 1), self._place(where), value] for x, y, where, value in drawing.points]
        )
        return drawing.svg

    def as_dict(self) -> dict[str, Any]:
        """`charts`: [[x, y, index into places, value], …] for each chart."""
        return {"places": list(self._places), "charts": self._charts}

    def _place(self, where: str) -> int:
        return self._places.setdefault(where, len(self._places))
