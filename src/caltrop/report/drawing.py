"""Hand-written SVG, shared by all charts.

Why not matplotlib: colours must follow the reader's colour scheme through CSS variables, text must stay
text at 11 pixels on a phone, and every point must carry a value for hover and keyboard. Doing that to
another tool's output means taking it apart again; writing the few shapes needed is shorter, imports in
no time, and gives identical bytes everywhere. Every chart is drawn for a width of 344 units, a phone's.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from caltrop.report.markup import coordinate, esc

WIDTH = 344.0


@dataclass(frozen=True)
class Drawing:
    """A chart and what hovering over it says: points as (x, y, where, value) in drawing units."""

    svg: str
    points: tuple[tuple[float, float, str, str], ...] = ()


def svg(body: Sequence[str], height: float, label: str, kind: str, width: float = WIDTH) -> str:
    """The outer element; `label` is what a screen reader says."""
    return (
        f'<svg class="chart {kind}" viewBox="0 0 {coordinate(width)} {coordinate(height)}" role="img" '
        f'tabindex="0" aria-label="{esc(label)}">{"".join(body)}</svg>'
    )


def text(x: int | float, y: int | float, content: str, kind: str = "", anchor: str = "start") -> str:
    """One line of text; `kind` is a CSS class."""
    side = "" if anchor == "start" else f' text-anchor="{anchor}"'
    css = f' class="{kind}"' if kind else ""
    return f'<text x="{coordinate(x)}" y="{coordinate(y)}"{side}{css}>{esc(content)}</text>'


def path(commands: str, kind: str, dashes: str = "") -> str:
    """One path; nothing where there is nothing to draw."""
    if not commands:
        return ""
    broken = f' stroke-dasharray="{dashes}"' if dashes else ""
    return f'<path class="{kind}" d="{commands}"{broken}/>'


def line(points: Sequence[tuple[float, float] | None]) -> str:
    """Path commands through `points`; None breaks the line, and a point alone stays a point."""
    runs: list[list[str]] = [[]]
    for point in points:
        if point is None:
            runs.append([])
        else:
            runs[-1].append(f"{coordinate(point[0])} {coordinate(point[1])}")
    # without a second vertex a renderer draws neither line nor marker
    return "".join(f"M{'L'.join(run)}{'h0' if len(run) == 1 else ''}" for run in runs if run)


def marks(points: Sequence[tuple[float, float]], shape: str) -> str:
    """Path commands for one marker at each point."""
    return "".join(f"M{coordinate(x)} {coordinate(y)}{shape}" for x, y in points)
