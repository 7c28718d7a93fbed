"""What measures are where features have collapsed onto a shape of class logits."""

from __future__ import annotations

from caltrop.geometry import flatness_floor
from caltrop.theory.logit_families import LogitShape
from caltrop.theory.predictions import collapsed_simplex


def shape_predictions(shape: LogitShape, lifted: bool) -> dict[str, float]:
    """Measures by name. `lifted`: the features have a mean, so that nothing is said of them uncentred."""
    if len(shape.spectrum) > 1:
        return _told_apart(shape)
    found = _even(shape) if shape.rank < shape.num_classes - 1 else collapsed_simplex(shape.num_classes)
    if lifted:
        del found["orthogonal_frame_distance"]
    return found


def _told_apart(shape: LogitShape) -> dict[str, float]:
    return {
        "within_class_variability": 0.0,
        "variability_ratio": 0.0,
        "class_distance_normalized_variance": 0.0,
        "nearest_centre_disagreement": 0.0,
        "nearest_centre_accuracy": 1.0,
        "accuracy": 1.0,
        "means_rank": float(shape.rank),
    }


def _even(shape: LogitShape) -> dict[str, float]:
    """One singular value: the Gram matrices of head and centred means are S but for scale."""
    classes, rank = shape.num_classes, shape.rank
    ((strength, _),) = shape.spectrum
    ((_, margins),) = shape.margins.groups
    own = strength * rank / classes
    cosines = [(1 - margin / own, times) for margin, times in margins if times]
    largest = max(cosine for cosine, _ in cosines)
    deviation = sum(times * abs(cosine + 1 / (classes - 1)) for cosine, times in cosines) / (classes - 1)
    simplex_floor, frame_floor = flatness_floor(classes - 1, rank), flatness_floor(classes, rank)
    return _told_apart(shape) | {
        "norm_deviation": 0.0,
        "head_norm_deviation": 0.0,
        "angle_deviation": deviation,
        "head_angle_deviation": deviation,
        "simplex_distance": simplex_floor,
        "head_simplex_distance": simplex_floor,
        "duality_simplex_distance": simplex_floor,
        "orthogonal_frame_distance": frame_floor,
        "head_orthogonal_frame_distance": frame_floor,
        "self_duality_gap": 0.0,
        "bias_collapse": 0.0,
        "minority_merge": largest,
        "coherence": max(abs(cosine) for cosine, _ in cosines),
    }
