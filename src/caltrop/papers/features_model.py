"""The one-layer unconstrained features model beside a trained classifier, its feature penalty fitted."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace

from caltrop import measures
from caltrop.observe import measure_problem
from caltrop.rows import Row, Rows
from caltrop.theory import Optimum, UfmCrossEntropy


def beside_training(
    measured_rows: Sequence[Row],
    *,
    num_classes: int,
    per_class: int,
    weight_decay: float,
    dim: int,
    layer: str,
    seed: int,
) -> tuple[tuple[Row, ...], tuple[str, ...]]:
    r"""Rows of the model's optimum (origin "closed form") at the layer and norms of the network, and what was fitted.

    $\lambda_H := \lambda_W\|W\|_F^2/\|H-\mu_G\|_F^2$ from the network's norms at its last step (`head_norm`,
    `feature_norm`): the balance that every optimum of the model obeys. No rows, and a sentence saying why, where
    these norms leave no model (no weight decay, features that are all equal, norms that are not finite).
    """
    table = Rows.of(measured_rows).where(split="train", layer="")
    head, feature = (table.where(measure=measure).last() for measure in ("head_norm", "feature_norm"))
    samples = num_classes * per_class
    if not (weight_decay > 0 and math.isfinite(head) and math.isfinite(feature) and feature > 0 and head > 0):
        return (), ("No features model stands beside the network: without weight decay or features it has no penalty.",)
    feature_decay = weight_decay * head**2 / (samples * feature**2)
    problem = UfmCrossEntropy(
        num_classes=num_classes, dim=dim, weight_decay=weight_decay, feature_decay=feature_decay, per_class=per_class
    )
    optimum = problem.optimum()
    if optimum is None:
        return (), (f"The features model has no known optimum at width {dim} for {num_classes} classes.",)
    note = f"λ_H = {feature_decay:.4g} fitted to the network at its last epoch: λ_W‖W‖² = λ_H‖H−μ_G‖²"
    measured = [] if optimum.is_zero else measure_problem(problem).rows
    numbers = [*_norms(optimum, samples, num_classes), ("fitted_feature_decay", "λ_H", feature_decay)]
    rows = [*measured, *(Row("", name, symbol, value, origin="closed form") for name, symbol, value in numbers)]
    placed = [
        replace(
            row,
            layer=layer if row.layer and not measures.get(row.measure).is_whole_model else "",
            seed=seed,
            split="train",
            note="; ".join(filter(None, [row.note, note])),
        )
        for row in rows
    ]
    told = (
        "Beside the network stands the optimum of the one-layer unconstrained features model. Its feature penalty is "
        "fitted to each network at its last epoch, λ_H := λ_W‖W‖²/‖H−μ_G‖², the balance that every optimum obeys."
    )
    return tuple(placed), (told,)


def _norms(optimum: Optimum, samples: int, num_classes: int) -> list[tuple[str, str, float]]:
    """The same three numbers that are measured of a network."""
    features, weights = optimum.features, optimum.weights
    per_class = samples // num_classes
    logits = features[::per_class] @ weights.T
    own = logits.diagonal()
    scale = float((own - (logits.sum(dim=1) - own) / (num_classes - 1)).mean())
    return [
        ("head_norm", "‖W‖", float(weights.norm())),
        ("feature_norm", "‖h−μ_G‖", float(features.norm()) / math.sqrt(samples)),
        ("logit_scale", "α", scale),
    ]
