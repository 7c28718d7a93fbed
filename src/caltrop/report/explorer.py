"""Class means at every layer and step: the cosine matrix and the constellation behind one set of controls."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from caltrop.report.constellation import constellation, constellation_sentence
from caltrop.report.encoding import encode
from caltrop.report.gallery import MOST_CLASSES, Gallery, Shot
from caltrop.report.markup import esc
from caltrop.report.matrix import matrix, matrix_sentence
from caltrop.report.series import layer_name, moment
from caltrop.rows import Picture


def explorer(shown: Gallery, clock: str | None) -> str:
    """Controls and both pictures, drawn for the opening choice, so that they also read without a script."""
    shot = shown.opening
    if shot is None:
        return '<p class="empty">This study holds no pictures of class means.</p>'
    about, view = matrix_sentence(shot), constellation_sentence(shot)
    radius = shown.radius(shot.source.layer, shot.source.split)
    return (
        f"{_controls(shown, shot, clock)}"
        f'<p class="chosen" id="chosen" aria-live="polite">{esc(_chosen(shot.source, clock))}</p>'
        '<div class="pair">'
        '<figure class="card"><h3>Cosines between class means</h3>'
        f'<figcaption id="matrix-says">{esc(about)}</figcaption>{matrix(shot, about)}</figure>'
        '<figure class="card"><h3>The class means themselves</h3>'
        f'<figcaption id="space-says">{esc(view)}</figcaption>{constellation(shot, radius, view)}'
        f'<p class="key">{esc(_key(shot))}</p></figure></div>{_small_print(shown, shot)}'
    )


def explorer_data(shown: Gallery, clock: str | None) -> dict[str, Any]:
    """What the script needs to draw any choice; `shots` runs over layers, then splits, then steps."""
    words: dict[str, int] = {}
    shots = [
        _packed(shown, shown.shots.get((layer, split, step)), clock, words)
        for layer in shown.layers
        for split in shown.splits
        for step in shown.steps
    ]
    return {
        "words": list(words),
        "steps": [moment(clock, step) for step in shown.steps],
        "splits": len(shown.splits),
        "shots": shots,
    }


def _packed(shown: Gallery, shot: Shot | None, clock: str | None, words: dict[str, int]) -> dict[str, Any] | None:
    if shot is None:
        return None
    radius = shown.radius(shot.source.layer, shot.source.split)
    said = [_chosen(shot.source, clock), matrix_sentence(shot), constellation_sentence(shot)]
    upper = [value for row, values in enumerate(shot.cosines) for value in values[row + 1 :]]
    cloud = sorted(shot.cloud, key=lambda entry: shot.labels.index(entry[0]))
    return {
        "k": list(shot.labels),
        "a": shot.axes,
        "r": round(radius, 4),
        "m": encode(upper, 1.0),
        "p": _points(shot.points, radius),
        "h": _points(shot.head or (), radius),
        "c": _points([point for _, point in cloud], radius),
        "n": [sum(label == own for label, _ in cloud) for own in shot.labels],
        "s": [words.setdefault(sentence, len(words)) for sentence in said],
    }


def _points(points: Sequence[tuple[float, ...]], radius: float) -> str:
    # four times the drawing: what lies beyond is cut off by its edge anyway
    return encode([value for point in points for value in point], 4 * radius)


def _controls(shown: Gallery, shot: Shot, clock: str | None) -> str:
    parts = [
        _select("layer", "Layer", [layer_name(layer) for layer in shown.layers], shown.layers.index(shot.source.layer)),
        _select("split", "Split", shown.splits, shown.splits.index(shot.source.split)),
    ]
    if len(shown.steps) > 1:
        last, now = len(shown.steps) - 1, shown.steps.index(shot.source.step)
        name = esc((clock or "step").capitalize())
        here = esc(moment(clock, shot.source.step))
        parts.append(
            f'<label class="slide">{name} <input type="range" id="step" min="0" max="{last}" value="{now}" '
            f'aria-valuetext="{here}"><output id="now" for="step">{here}</output></label>'
            '<button type="button" id="play" aria-label="Play through the steps">▶ Play</button>'
        )
    return f'<form class="controls" id="controls" hidden>{"".join(parts)}</form>'


def _select(identity: str, title: str, names: Sequence[str], chosen: int) -> str:
    if len(names) < 2:
        return ""
    options = "".join(
        f'<option value="{index}"{" selected" if index == chosen else ""}>{esc(name)}</option>'
        for index, name in enumerate(names)
    )
    return f'<label>{title} <select id="{identity}" autocomplete="off">{options}</select></label>'


def _chosen(picture: Picture, clock: str | None) -> str:
    split = "" if picture.split == "all" else picture.split
    return " · ".join(filter(None, [layer_name(picture.layer), split, moment(clock, picture.step)]))


def _key(shot: Shot) -> str:
    parts = ["Spikes are class means" if shot.axes == 3 else "Arms are class means"]
    parts += ["arrows are rows of the last layer"] if shot.head else []
    parts += ["faint points a sample of the features"] if shot.cloud else []
    lengths = "Lengths are relative to the average class mean; points beyond the frame are cut off."
    if shot.axes == 3:
        still = " The view is turned so that the first class points up; drag it, or use the arrow keys, to turn it."
    elif shot.axes == 2:
        still = " The plane is turned so that classes move as little as possible between steps."
    else:
        still = ""
    return f"{', '.join(parts)}. {lengths}{still}"


def _small_print(shown: Gallery, shot: Shot) -> str:
    count = len(shot.source.labels)
    fewer = f"{MOST_CLASSES} of {count} classes are drawn, evenly spread." if count > MOST_CLASSES else ""
    words = " ".join(filter(None, [shown.left_out, fewer]))
    return f'<p class="aside">{esc(words)}</p>' if words else ""
