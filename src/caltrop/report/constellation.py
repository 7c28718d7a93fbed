"""The class means themselves: arms from their common centre, head rows as arrows, features as faint points.

Four classes span three dimensions: at collapse their arms are the four spikes of a caltrop, drawn in
perspective-free projection that turns when dragged. Other numbers of classes are drawn in the plane of
the two leading axes of the class means, and the page says how much that plane holds.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

from caltrop.report.drawing import WIDTH, svg
from caltrop.report.gallery import Point, Shot
from caltrop.report.markup import coordinate, esc
from caltrop.report.palette import CLASS_COLOURS
from caltrop.report.series import layer_name

YAW, PITCH = 0.55, 0.3
LABELS_UP_TO = 30
_CENTRE = WIDTH / 2
_SPIKE = 9.0


def constellation(shot: Shot, radius: float, label: str) -> str:
    """The SVG of one picture; the page's script redraws the group `space` by the same rules."""
    pieces = sorted([*_cloud(shot, radius), *_arms(shot, radius), *_head(shot, radius)], key=lambda piece: piece[0])
    kind = "constellation turns" if shot.axes == 3 else "constellation"
    body = [
        '<rect class="sky" x="0.5" y="0.5" width="343" height="343" rx="6"/>',
        '<g class="space">',
        *(markup for _, markup in pieces),
        "</g>",
    ]
    return svg(body, WIDTH, label, kind)


def constellation_sentence(shot: Shot) -> str:
    """Which projection is shown, how much of the class means it holds, and what exact collapse looks like."""
    count = len(shot.source.labels)
    share = f"{100 * min(1.0, sum(shot.source.explained[: shot.axes])):.0f} %"
    arrows = " and arrows (rows of the last layer)" if shot.head else ""
    if shot.axes == 0:
        return f"At {layer_name(shot.source.layer)} all class means coincide: there is nothing to draw."
    if shot.axes == 1:
        return f"Two class means lie on one line{'; arrows are rows of the last layer' if shot.head else ''}."
    if shot.axes == 3:
        return (
            f"The four class means in three dimensions, which hold {share} of their scatter; "
            f"at exact collapse the four spikes{arrows} are equal and as far apart as they can be, and the points are gone."
        )
    return (
        f"{count} class means in the plane of their two leading axes, which holds {share} of their scatter; "
        f"at exact collapse the points of a class sit on the tip of its arm{' and its arrow on top' if shot.head else ''}."
    )


def project(point: Sequence[float], scale: float) -> tuple[float, float, float]:
    """Screen x, y and depth (larger is nearer) of a point with 1, 2 or 3 coordinates."""
    if len(point) < 3:
        y = point[1] if len(point) > 1 else 0.0
        return _CENTRE + scale * point[0], _CENTRE - scale * y, 0.0
    x, y, z = point
    across = x * math.cos(YAW) + z * math.sin(YAW)
    away = z * math.cos(YAW) - x * math.sin(YAW)
    up = y * math.cos(PITCH) - away * math.sin(PITCH)
    return _CENTRE + scale * across, _CENTRE - scale * up, y * math.sin(PITCH) + away * math.cos(PITCH)


def _cloud(shot: Shot, radius: float) -> list[tuple[float, str]]:
    pieces = []
    for index, (label, point) in enumerate(shot.cloud):
        if not _drawable(point):
            continue
        x, y, depth = project(point, _CENTRE / radius)
        # on a line all points would hide each other, so they are spread across it, by order and not by chance
        y += (index * 37 % 61 - 30) if shot.axes == 1 else 0
        if 0 < x < WIDTH and 0 < y < WIDTH:
            colour = _colour(shot, label)
            pieces.append(
                (depth - 9, f'<circle class="dust {colour}" cx="{coordinate(x)}" cy="{coordinate(y)}" r="1.7"/>')
            )
    return pieces


def _arms(shot: Shot, radius: float) -> list[tuple[float, str]]:
    pieces = []
    for label, point in zip(shot.labels, shot.points, strict=True):
        if not _drawable(point):
            continue
        x, y, depth = project(point, _CENTRE / radius)
        colour = _colour(shot, label)
        shape = _spike(x, y) if shot.axes == 3 else f'<path class="arm" d="M172 172L{coordinate(x)} {coordinate(y)}"/>'
        tip = f'<circle class="tip" cx="{coordinate(x)}" cy="{coordinate(y)}" r="{4 if len(shot.labels) <= 30 else 2.5}"/>'
        pieces.append((depth, f'<g class="{colour}">{shape}{tip}{_label(shot, label, x, y)}</g>'))
    return pieces


def _spike(x: float, y: float) -> str:
    """A tapered arm, wide at the centre: the iron of a caltrop."""
    length = math.hypot(x - _CENTRE, y - _CENTRE) or 1.0
    across, down = _SPIKE * (_CENTRE - y) / length, _SPIKE * (x - _CENTRE) / length
    corners = f"M{coordinate(_CENTRE + across)} {coordinate(_CENTRE + down)}L{coordinate(x)} {coordinate(y)}"
    return f'<path class="spike" d="{corners}L{coordinate(_CENTRE - across)} {coordinate(_CENTRE - down)}z"/>'


def _label(shot: Shot, label: int, x: float, y: float) -> str:
    if len(shot.labels) > LABELS_UP_TO:
        return ""
    length = math.hypot(x - _CENTRE, y - _CENTRE) or 1.0
    beyond_x, beyond_y = x + 13 * (x - _CENTRE) / length, y + 13 * (y - _CENTRE) / length + 4
    return f'<text class="halo" x="{coordinate(beyond_x)}" y="{coordinate(beyond_y)}" text-anchor="middle">{esc(label)}</text>'


def _head(shot: Shot, radius: float) -> list[tuple[float, str]]:
    pieces = []
    for point in shot.head or ():
        if not _drawable(point):
            continue
        x, y, depth = project(point, _CENTRE / radius)
        turn = math.atan2(y - _CENTRE, x - _CENTRE)
        barbs = [(x - 8 * math.cos(turn + side), y - 8 * math.sin(turn + side)) for side in (0.45, -0.45)]
        (ax, ay), (bx, by) = barbs
        commands = (
            f"M172 172L{coordinate(x)} {coordinate(y)}M{coordinate(ax)} {coordinate(ay)}"
            f"L{coordinate(x)} {coordinate(y)}L{coordinate(bx)} {coordinate(by)}"
        )
        pieces.append((depth + 0.01, f'<path class="arrow" d="{commands}"/>'))
    return pieces


def _colour(shot: Shot, label: int) -> str:
    return f"k{shot.labels.index(label) % CLASS_COLOURS}"


def _drawable(point: Point) -> bool:
    return len(point) > 0 and all(map(math.isfinite, point))
