"""Colours, markers and dashes. Colour is never the only carrier: every colour has a shape or a number beside it.

Layers are ordered, so they take a ramp that darkens with depth (readable without colour vision), and
the last one an accent; classes are not, so they take the Okabe-Ito set, extended, and their label.
"""

from __future__ import annotations

_RAMP_LIGHT = ("#43a09b", "#3a7fc0", "#44389c")
_RAMP_DARK = ("#8fded2", "#78aff5", "#b9a5ff")
_LAST_LIGHT, _LAST_DARK = "#d1480f", "#ff9d5c"

# each shape is drawn relative to its centre, so that one path holds all markers of a series
MARKERS = (
    "m-2.3 0a2.3 2.3 0 1 0 4.6 0a2.3 2.3 0 1 0-4.6 0",
    "m-2.1-2.1h4.2v4.2h-4.2z",
    "m0-3.1l3.1 3.1l-3.1 3.1l-3.1-3.1z",
    "m0-2.8l2.8 4.8h-5.6z",
    "m0 2.8l-2.8-4.8h5.6z",
    "m-2.9-1h1.9v-1.9h2v1.9h1.9v2h-1.9v1.9h-2v-1.9h-1.9z",
    "m-1.6-2.8h3.2l1.6 2.8l-1.6 2.8h-3.2l-1.6-2.8z",
)
DASHES = ("", "5 2", "2 2", "7 2 2 2", "9 3", "4 2 1 2", "1 2")
CLASS_COLOURS = 12


def marker(index: int) -> str:
    """The shape of the index-th layer or split."""
    return MARKERS[index % len(MARKERS)]


def dash(place: int, count: int) -> str:
    """The dashes of a layer's line; the last layer's is always full."""
    return "" if place >= count - 1 else DASHES[place % len(DASHES)]


def layer_style(count: int) -> str:
    """CSS that gives classes `l0` … their colour `--c` in both schemes, and their marker to lines.

    The last of `count` layers takes the accent; class `l<count>`, the network as a whole, the colour of text.
    """
    light = _variables(_RAMP_LIGHT, _LAST_LIGHT, count)
    dark = _variables(_RAMP_DARK, _LAST_DARK, count)
    classes = "".join(
        f".l{place}{{--c:var(--l{place})}}.l{place} .line,.l{place} .solved{{marker:url(#m{place})}}"
        for place in range(count + 1)
    )
    return f":root{{{light}}}{classes}@media screen and (prefers-color-scheme:dark){{:root{{{dark}}}}}"


def marker_definitions(count: int) -> str:
    """The markers behind `layer_style`, once for the whole page; one shape per layer."""
    shapes = "".join(
        f'<marker id="m{place}" class="l{place}" markerUnits="userSpaceOnUse" overflow="visible">'
        f'<path class="dots" d="M0 0{marker(place)}"/></marker>'
        for place in range(count + 1)
    )
    return f'<svg class="chart definitions" width="0" height="0" aria-hidden="true"><defs>{shapes}</defs></svg>'


def _variables(ramp: tuple[str, ...], last: str, count: int) -> str:
    colours = [_between(ramp, index / max(1, count - 2)) for index in range(count - 1)]
    named = [*colours, *([last] if count else []), "var(--ink)"]
    return "".join(f"--l{place}:{colour};" for place, colour in enumerate(named))


def _between(ramp: tuple[str, ...], share: float) -> str:
    position = min(share, 1.0) * (len(ramp) - 1)
    index = min(int(position), len(ramp) - 2)
    part = position - index
    mixed = [
        round(int(ramp[index][at : at + 2], 16) * (1 - part) + int(ramp[index + 1][at : at + 2], 16) * part)
        for at in (1, 3, 5)
    ]
    return "#{:02x}{:02x}{:02x}".format(*mixed)
