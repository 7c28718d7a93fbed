"""What measures are where features have collapsed, by name."""

from __future__ import annotations

import math

from caltrop.geometry import flatness_floor

NO_SPREAD = {"within_class_variability": 0.0, "variability_ratio": 0.0}


def collapsed_simplex(num_classes: int) -> dict[str, float]:
    """Features equal within classes, class means a simplex around 0, the head parallel to them.

    Arrangement is left out for two classes, whose centred means are opposite and equally long whatever happens.
    """
    others = num_classes - 1
    uncentred = flatness_floor(num_classes, others)
    same = {
        **NO_SPREAD,
        "class_distance_normalized_variance": 0.0,
        "head_norm_deviation": 0.0,
        "self_duality_gap": 0.0,
        "duality_simplex_distance": 0.0,
        "nearest_centre_disagreement": 0.0,
        "nearest_centre_accuracy": 1.0,
        "accuracy": 1.0,
        "bias_collapse": 0.0,
        "means_rank": float(others),
        "minority_merge": -1 / others,
        "orthogonal_frame_distance": uncentred,
        "head_orthogonal_frame_distance": uncentred,
    }
    arranged = {
        "norm_deviation": 0.0,
        "simplex_distance": 0.0,
        "head_simplex_distance": 0.0,
        "angle_deviation": 0.0,
        "head_angle_deviation": 0.0,
        "coherence": 1 / others,
        "welch_gap": 0.0,
        "uniformity": -0.5 * math.log(2 * num_classes / others),
    }
    return same | (arranged if num_classes > 2 else {})


def collapsed_frame(num_classes: int) -> dict[str, float]:
    """As a simplex, but around a mean that makes the class means orthogonal to each other.

    The head is then parallel to the uncentred means, so that its distance to the centred ones is that of an
    orthogonal frame from the simplex inside it: with norms √K and √(K−1) and inner product K−1,
    √(2 − 2√((K−1)/K)). W Mᵀ is centred on one side and so a simplex.
    """
    # angles of the head are those of its rows as they are: right ones
    angles = {"head_angle_deviation": 1 / (num_classes - 1)} if num_classes > 2 else {}
    return collapsed_simplex(num_classes) | {
        **angles,
        "self_duality_gap": flatness_floor(num_classes, num_classes - 1),
        "minority_merge": 0.0,
        "orthogonal_frame_distance": 0.0,
        "head_orthogonal_frame_distance": 0.0,
    }


def flat_simplex(num_classes: int, rank: int) -> dict[str, float]:
    """Collapsed features in fewer than K−1 directions of the simplex, equally strong, any of them.

    Which ones is free, so norms and angles are not determined; the spectrum is.
    """
    floor = flatness_floor(num_classes - 1, rank)
    return {
        **NO_SPREAD,
        "means_rank": float(rank),
        "simplex_distance": floor,
        "head_simplex_distance": floor,
        "duality_simplex_distance": floor,
        "self_duality_gap": 0.0,
        "bias_collapse": 0.0,
    }


def flat_frame(num_classes: int, rank: int) -> dict[str, float]:
    """Collapsed features in fewer than K directions of an orthogonal frame, equally strong, any of them.

    Only the spectrum of the uncentred means is determined.
    """
    floor = flatness_floor(num_classes, rank)
    return {**NO_SPREAD, "orthogonal_frame_distance": floor, "head_orthogonal_frame_distance": floor}
