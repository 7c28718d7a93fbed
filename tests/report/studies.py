"""Made-up studies that look like real ones: pictures of drawn features, rows that follow plausible courses.

Everything is seeded; the numbers mean nothing beyond having realistic sizes and shapes.
"""

from __future__ import annotations

import functools
import math

import numpy as np

from caltrop.rows import ClassValues, Picture, Row, Study

EPOCHS = (1, 2, 3, 4, 6, 8, 11, 16, 23, 32, 45, 63, 87, 120)
LAYERS = ("conv1", "layer1", "layer2", "layer3", "layer4", "fc:input")

# name: symbol, value at the first epoch, at the last, at exact collapse
COURSES = {
    "within_class_variability": ("NC1", 0.29, 0.0077, 0.0),
    "within_class_variability_resolved": ("NC1", 0.28, 0.0074, 0.0),
    "variability_ratio": ("NC1", 1.9, 0.031, 0.0),
    "class_distance_normalized_variance": ("NC1", 0.8, 0.0135, 0.0),
    "means_rank": ("r", 9, 9, 9.0),
    "means_rank_resolved": ("r", 7, 9, 9.0),
    "variability_noise_floor": ("ν", 4e-3, 6.1e-5, 0.0),
    "effective_rank": ("r_e", 21.4, 9.03, 9.0),
    "stable_rank": ("r_s", 3.1, 8.4, 9.0),
    "norm_deviation": ("NC2", 0.21, 0.034, 0.0),
    "angle_deviation": ("NC2", 0.19, 0.022, 0.0),
    "simplex_distance": ("NC2", 0.61, 0.083, 0.0),
    "orthogonal_frame_distance": ("NC2", 0.83, 0.21, 0.0),
    "head_norm_deviation": ("NC2", 0.12, 0.028, 0.0),
    "head_angle_deviation": ("NC2", 0.14, 0.035, 0.0),
    "head_simplex_distance": ("NC2", 0.55, 0.11, 0.0),
    "head_orthogonal_frame_distance": ("NC2", 0.9, 0.8, 0.0),
    "self_duality_gap": ("NC3", 0.92, 0.12, 0.0),
    "duality_simplex_distance": ("NC3", 0.41, 0.06, 0.0),
    "nearest_centre_disagreement": ("NC4", 0.061, 0.0, 0.0),
    "nearest_centre_accuracy": ("", 0.905, 0.9996, 1.0),
    "bias_collapse": ("", 0.4, 0.02, 0.0),
    "minority_merge": ("", 0.31, -0.08, -1 / 9),
    "coherence": ("", 0.48, 0.14, 1 / 9),
    "welch_gap": ("", 0.37, 0.03, 0.0),
    "uniformity": ("", -0.27, -0.29, -0.29),
}
HEAD_MEASURES = {
    name for name in COURSES if name.startswith(("head_", "self_", "duality", "bias", "minority", "nearest_centre_d"))
}


@functools.cache
def demo_study(num_classes: int = 10, layers: tuple[str, ...] = LAYERS, epochs: tuple[int, ...] = EPOCHS) -> Study:
    """A run into the terminal phase: every measure, every layer, train and test, a picture of each."""
    rng = np.random.default_rng(20260101)
    rows: list[Row] = []
    for step in epochs:
        rows += _rows_at(step, epochs, layers, rng)
    pictures = [
        picture(
            num_classes,
            layer,
            split,
            step,
            max(0.0, _progress(step, epochs, place, len(layers))),
            seed=place * 2 + (split == "test"),
        )
        for step in epochs
        for split in ("train", "test")
        for place, layer in enumerate(layers)
    ]
    return Study(
        rows=tuple(rows),
        per_class=tuple(_per_class(rows, num_classes, epochs[-1], rng)),
        pictures=tuple(pictures),
        title="ResNet on MNIST, into the terminal phase",
        clock="epoch",
        notes=(
            "Training error is zero since epoch 23: what follows is the terminal phase.",
            "Layers were chosen automatically: the output of every block and the input of the head `fc`; "
            "convolutional maps are averaged over positions.",
        ),
        provenance={
            "data": "MNIST, 5 000 training and 1 000 test images, 10 classes",
            "network": "a small ResNet (4 blocks, 64 channels, 78 042 parameters)",
            "command": "caltrop demo --seed 0",
            "date": "2026-01-01T12:00:00+00:00",
            "seconds": 187.4,
            "devices": ["cpu: 2 cores"],
            "versions": {"caltrop": "0.1.0", "torch": "2.13.0", "numpy": "2.4.6"},
        },
    )


def caltrop_study() -> Study:
    """Four classes: the class means span three dimensions."""
    study = demo_study(4, layers=("hidden1", "hidden2", "head:input"), epochs=(1, 3, 10, 30, 100))
    return Study(**{**vars(study), "title": "Four classes"})


def single_look(
    num_classes: int = 10, split: str = "all", layers: tuple[str, ...] = ("features",), **names: str
) -> Study:
    """One measurement without a step, as `measure` gives it."""
    study = demo_study(num_classes, layers=layers, epochs=(1, 120))
    rows = [_without_step(row, split) for row in study.rows if row.step == 120 and row.split == "train"]
    pictures = [picture(num_classes, layer, split, None, 0.9, seed=place) for place, layer in enumerate(layers)]
    return Study(rows=tuple(rows), pictures=tuple(pictures), title=names.get("title", "One look"))


def picture(
    num_classes: int, layer: str, split: str, step: int | None, progress: float, seed: int, cloud: int = 200
) -> Picture:
    """Pictures of drawn features: class means move from random to a simplex, clouds shrink onto them."""
    rng = np.random.default_rng(seed)
    dim = max(16, num_classes)
    simplex = np.eye(num_classes, dim)
    simplex[:, :num_classes] -= 1 / num_classes
    means = progress * simplex + (1 - progress) * 0.5 * rng.standard_normal((num_classes, dim))
    means -= means.mean(0)
    norm = np.linalg.norm(means, axis=1).mean()
    axes = np.linalg.svd(means, full_matrices=False)[2][: min(3, num_classes - 1)]
    shares = np.linalg.svd(means, compute_uv=False) ** 2
    unit = means / np.linalg.norm(means, axis=1, keepdims=True)
    labels = rng.integers(num_classes, size=cloud)
    spread = 0.02 + 0.45 * (1 - progress) ** 1.5
    samples = means[labels] + spread * norm * rng.standard_normal((cloud, dim))
    head = means + (0.05 + 0.4 * (1 - progress)) * norm * rng.standard_normal(means.shape) / math.sqrt(dim)
    return Picture(
        layer=layer,
        labels=tuple(range(num_classes)),
        cosines=_rounded(unit @ unit.T),
        points=_rounded(means @ axes.T / norm),
        explained=tuple(float(share) for share in (shares / shares.sum())[: len(axes)]),
        cloud=tuple(
            (int(label), point) for label, point in zip(labels, _rounded(samples @ axes.T / norm), strict=True)
        ),
        head=_rounded(head @ axes.T / np.linalg.norm(head, axis=1).mean()) if layer.endswith(":input") else None,
        split=split,
        step=step,
    )


def _rows_at(step: int, epochs: tuple[int, ...], layers: tuple[str, ...], rng: np.random.Generator) -> list[Row]:
    rows = []
    for split in ("train", "test"):
        for place, layer in enumerate(layers):
            progress = _progress(step, epochs, place, len(layers))
            for name in COURSES:
                if name in HEAD_MEASURES and place < len(layers) - 1:
                    continue
                rows.append(_row(name, layer, split, step, progress, rng))
        accuracy = (0.91 + 0.09 * min(1.0, _share(step, epochs) * 1.7)) - (0.013 if split == "test" else 0)
        rows.append(Row("", "accuracy", "", accuracy, split=split, step=step, half_width=0.004, at_collapse=1.0))
    return rows


def _row(name: str, layer: str, split: str, step: int, progress: float, rng: np.random.Generator) -> Row:
    symbol, first, last, ideal = COURSES[name]
    if name == "orthogonal_frame_distance" and layer == "conv1":
        reason = "class means coincide to working precision: no direction is left"
        return Row(layer, name, symbol, math.nan, split=split, step=step, at_collapse=ideal, reason=reason)
    value = first + (last - first) * progress
    if first > 0 and last > 0 and first / last > 5:
        value = first * (last / first) ** progress
    if split == "test":
        value += abs(last - ideal) * 0.5 + 0.02 * abs(first - last)
    value *= 1 + 0.02 * rng.standard_normal()
    if name.startswith("means_rank"):
        return Row(layer, name, symbol, float(round(value)), split=split, step=step, at_collapse=ideal)
    if name.startswith("nearest_centre"):
        value = min(max(value, 0.0), 1.0)
    if name == "nearest_centre_disagreement" and step > 23 and split == "train":
        value = 0.0
    varies = name.startswith(("within", "variab", "class_dist"))
    return Row(
        layer,
        name,
        symbol,
        value,
        split=split,
        step=step,
        half_width=0.04 * abs(value) + 1e-5,
        resolution=2.1e-13 if varies else None,
        at_collapse=ideal,
        note="one pass with scatter" if varies else None,
    )


def _per_class(rows: list[Row], num_classes: int, step: int, rng: np.random.Generator) -> list[ClassValues]:
    names = ("within_class_variability", "variability_ratio", "norm_deviation", "nearest_centre_accuracy")
    return [
        ClassValues(
            row.layer,
            row.measure,
            {k: row.value * float(rng.uniform(0.6, 1.5)) for k in range(num_classes)},
            row.split,
            step,
        )
        for row in rows
        if row.step == step and row.measure in names
    ]


def _share(step: int, epochs: tuple[int, ...]) -> float:
    return math.log(step / epochs[0]) / math.log(epochs[-1] / epochs[0])


def _progress(step: int, epochs: tuple[int, ...], place: int, count: int) -> float:
    """0 at random, 1 at the end of the demo: deeper layers go further."""
    depth = (place + 1) / count
    return _share(step, epochs) * (0.15 + 0.85 * depth**1.5) - 0.9 * (1 - depth)


def _without_step(row: Row, split: str) -> Row:
    return Row(**{**vars(row), "step": None, "split": split})


def _rounded(values: np.ndarray) -> tuple[tuple[float, ...], ...]:
    return tuple(tuple(round(float(value), 5) for value in row) for row in values)
