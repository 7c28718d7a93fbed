"""What measures are at exact collapse onto a simplex, by name."""

from __future__ import annotations

import math


def collapsed_simplex(num_classes: int) -> dict[str, float]:
    """Features equal within classes, class means a simplex around 0, the head parallel to them.

    Arrangement is left out for two classes, whose centred means are opposite and equally long whatever happens.
    """
    same = {
        "within_class_variability": 0.0,
        "variability_ratio": 0.0,
        "class_distance_normalized_variance": 0.0,
        "head_norm_deviation": 0.0,
        "self_duality_gap": 0.0,
        "duality_simplex_distance": 0.0,
        "nearest_centre_disagreement": 0.0,
        "nearest_centre_accuracy": 1.0,
        "accuracy": 1.0,
        "means_rank": float(num_classes - 1),
    }
    arranged = {
        "norm_deviation": 0.0,
        "simplex_distance": 0.0,
        "head_simplex_distance": 0.0,
        "angle_deviation": 0.0,
        "head_angle_deviation": 0.0,
    }
    return same | (arranged if num_classes > 2 else {})


def collapsed_frame(num_classes: int) -> dict[str, float]:
    """As a simplex, but around a mean that makes the class means orthogonal to each other.

    The head is then parallel to the uncentred means, so that its distance to the centred ones is that of an
    orthogonal frame from the simplex inside it: with norms √K and √(K−1) and inner product K−1,
    √(2 − 2√((K−1)/K)).
    """
    kept = {
        name: value
        for name, value in collapsed_simplex(num_classes).items()
        if name not in ("self_duality_gap", "duality_simplex_distance")
    }
    gap = math.sqrt(2 - 2 * math.sqrt((num_classes - 1) / num_classes))
    # angles of the head are those of its rows as they are: right ones
    angles = {"head_angle_deviation": 1 / (num_classes - 1)} if num_classes > 2 else {}
    return kept | {
        **angles,
        "self_duality_gap": gap,
        "orthogonal_frame_distance": 0.0,
        "head_orthogonal_frame_distance": 0.0,
    }
