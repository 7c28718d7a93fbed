"""The table of one-layer closed forms of our notes on classification (section 2), at its twelve digits."""

from __future__ import annotations

import pytest

from caltrop.theory import UfmCrossEntropy, UfmMse

# K, n, d, λ_W, λ_H, α (None for squared error), optimal value
TABLE = [
    (UfmCrossEntropy, 3, 4, 5, 5e-3, 5e-3, 4.584967478671, 0.111902056891),
    (UfmCrossEntropy, 4, 5, 8, 1e-2, 2e-3, 4.574710978503, 0.167700536840),
    (UfmCrossEntropy, 10, 3, 12, 5e-3, 1e-3, 5.518251331635, 0.227827706364),
    (UfmCrossEntropy, 10, 5, 9, 1e-3, 1e-4, 7.247944571906, 0.052509934164),
    (UfmCrossEntropy, 4, 5, 8, 0.2, 0.1, 0.0, 1.386294361120),
    (UfmMse, 4, 5, 8, 5e-3, 5e-3, None, 0.043721359550),
    (UfmMse, 10, 3, 12, 5e-3, 1e-3, None, 0.037979833462),
    (UfmMse, 3, 4, 3, 1e-2, 4e-3, None, 0.037227331922),
]


@pytest.mark.parametrize(("kind", "classes", "per_class", "dim", "weights", "features", "alpha", "value"), TABLE)
def test_the_table_is_met_at_its_digits(kind, classes, per_class, dim, weights, features, alpha, value):
    problem = kind(num_classes=classes, per_class=per_class, dim=dim, weight_decay=weights, feature_decay=features)
    assert problem.optimal_value == pytest.approx(value, abs=6e-13)
    if alpha is not None:
        assert problem.alpha == pytest.approx(alpha, abs=6e-13)
