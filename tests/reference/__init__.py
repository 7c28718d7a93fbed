"""Slow twins of every classification measure, written from the definitions alone.

One function per measure, named as the measure, `(features, labels, weights=None, bias=None) -> float`,
and `per_class_<measure>` where a measure has values per class. NumPy in float64 and wider, explicit
loops, full matrices. Nothing here imports caltrop or torch: a twin that shared code with what it
checks would share its mistakes.
"""

from __future__ import annotations

from . import decisions, structure, variability
from .clusters import frame, make, polygon, simplex, unequal
from .sampling import half_width

VARIABILITY = (
    "within_class_variability",
    "within_class_variability_resolved",
    "variability_ratio",
    "class_distance_normalized_variance",
)
RANK = ("means_rank", "means_rank_resolved", "variability_noise_floor", "effective_rank", "stable_rank")
MEANS = ("norm_deviation", "angle_deviation", "simplex_distance", "orthogonal_frame_distance")
HEAD = tuple(f"head_{name}" for name in MEANS)
DECISIONS = (
    "self_duality_gap",
    "duality_simplex_distance",
    "nearest_centre_disagreement",
    "nearest_centre_accuracy",
    "accuracy",
    "bias_collapse",
    "minority_merge",
)
PACKING = ("coherence", "welch_gap", "uniformity")
NAMES = VARIABILITY + RANK + MEANS + HEAD + DECISIONS + PACKING

NEED_HEAD = frozenset((*HEAD, *DECISIONS)) - {"nearest_centre_accuracy"}


def twin(name):
    """The slow definition of one measure."""
    for module in (variability, structure, decisions):
        if hasattr(module, name):
            return getattr(module, name)
    raise KeyError(f"no twin for {name!r}")


def per_class_twin(name):
    """The slow per-class values of one measure, or None where there are none."""
    for module in (variability, structure, decisions):
        if hasattr(module, f"per_class_{name}"):
            return getattr(module, f"per_class_{name}")
    return None


__all__ = [
    "NAMES",
    "NEED_HEAD",
    "frame",
    "half_width",
    "make",
    "per_class_twin",
    "polygon",
    "simplex",
    "twin",
    "unequal",
]
