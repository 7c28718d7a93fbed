"""The class means themselves: arms from their common centre, head rows as arrows, features as faint points.

Four classes span three dimensions: at collapse their arms are the four spikes of a caltrop, drawn in
perspective-free projection that turns when dragged. Other numbers of classes are drawn in the plane of
the two leading axes of the class means, and the page says how much that plane holds.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

from caltrop.report.drawing import WIDTH, svg, text
from caltrop.report.gallery import Point, Shot
from caltrop.report.markup import coordinate
from caltrop.report.palette import CLASS_COLOURS
from caltrop.report.series import layer_name

YAW, PITCH = 0.42, 0.16
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
    if shot.axes == 0:
        return f"At {layer_name(shot.source.layer)} all class means coincide: there is nothing to draw."
    if shot.axes == 1:
        return f"Two class means lie on one line{'; arrows are rows of the last layer' if shot.head else ''}."
    if shot.axes == 3:
        return (
            f"The four class means in three dimensions, which hold {share} of their scatter; at exact collapse "
            f"the spikes{' and arrows' if shot.head else ''} are of one length and as far apart as they can be, "
            "and every feature sits on a tip."
        )
    return (
        f"{count} class means in the plane of their two leading axes, which holds {share} of their scatter; "
        "at exact collapse every feature sits on the tip of its class's arm"
        f"{', and so does the arrow' if shot.head else ''}."
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
                (depth - 99, f'<circle class="dust {colour}" cx="{coordinate(x)}" cy="{coordinate(y)}" r="1.7"/>')
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
        radius_of_tip = 4 if len(shot.labels) <= LABELS_UP_TO else 2.5
        tip = f'<circle class="tip" cx="{coordinate(x)}" cy="{coordinate(y)}" r="{radius_of_tip}"/>'
        pieces.append((depth, f'<g class="{colour}">{shape}{tip}{_label(shot, label, x, y)}</g>'))
    return pieces


def _spike(x: float, y: float) -> str:
    """A tapered arm, wide at the centre, its sides in light and in shade: the iron of a caltrop."""
    length = math.hypot(x - _CENTRE, y - _CENTRE) or 1.0
    across, down = _SPIKE * (_CENTRE - y) / length, _SPIKE * (x - _CENTRE) / length
    tip, right = f"{coordinate(x)} {coordinate(y)}", f"{coordinate(_CENTRE + across)} {coordinate(_CENTRE + down)}"
    left = f"{coordinate(_CENTRE - across)} {coordinate(_CENTRE - down)}"
    return f'<path class="spike" d="M{left}L{tip}L{right}z"/><path class="shade" d="M172 172L{tip}L{left}z"/>'


def _label(shot: Shot, label: int, x: float, y: float) -> str:
    if len(shot.labels) > LABELS_UP_TO:
        return ""
    length = math.hypot(x - _CENTRE, y - _CENTRE) or 1.0
    beyond_x, beyond_y = x + 13 * (x - _CENTRE) / length, y + 13 * (y - _CENTRE) / length + 4
    return text(beyond_x, beyond_y, str(label), "halo", "middle")


def _head(shot: Shot, radius: float) -> list[tuple[float, str]]:
    pieces = []
    for point in shot.head or ():
        if not _drawable(point):
            continue
        x, y, depth = project(point, _CENTRE / radius)
        length = math.hypot(x - _CENTRE, y - _CENTRE) or 1.0
        p, q = (x - _CENTRE) / length, (y - _CENTRE) / length
        commands = (
            f"M172 172L{coordinate(x)} {coordinate(y)}"
            f"M{coordinate(x - 7 * p + 3.5 * q)} {coordinate(y - 7 * q - 3.5 * p)}"
            f"L{coordinate(x)} {coordinate(y)}L{coordinate(x - 7 * p - 3.5 * q)} {coordinate(y - 7 * q + 3.5 * p)}"
        )
        pieces.append((depth, f'<path class="arrow" d="{commands}"/>'))
    return pieces


def _colour(shot: Shot, label: int) -> str:
    return f"k{shot.labels.index(label) % CLASS_COLOURS}"


def _drawable(point: Point) -> bool:
    return len(point) > 0 and all(map(math.isfinite, point))
