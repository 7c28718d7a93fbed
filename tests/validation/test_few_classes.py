"""Three and four classes with ReLU and squared error: points below deep neural collapse, found here.

Our notes know none (sixteen of sixteen descents ended in collapse there); a caption of sukenik2024lowrank, read at
second hand, says that low rank wins for K = 3, 4, 5 too. These are explicit parameters to three digits, all of L = 4
and λ = .004, with their loss written out: no solver is trusted.
"""

from __future__ import annotations

import numpy as np
import pytest

from caltrop.theory import DeepUfmMse

THREE = (
    [[-0.949, -0.266, -0.384], [-0.745, 0.566, -0.168], [-0.309, -0.861, -0.258]],
    [[-0.636, -0.952, -0.39], [-1.071, 0.475, -0.301], [0.0, 0.0, 0.0]],
    [[0.0, 0.0, 0.0], [1.21, 0.0, 0.0], [0.0, 1.21, 0.0]],
    [[0.0, -0.767, 0.767], [0.0, 0.767, -0.767], [0.0, 0.535, 0.535]],
    [[-0.522, -0.522, 0.757], [0.951, -0.003, 0.005], [-0.003, 0.951, 0.005]],
)
FOUR = (
    [[-0.842, -0.288, -0.223, -0.246], [-0.525, 0.341, -0.692, -0.494], [0.34, -0.254, 0.552, -0.714],
     [0.258, 0.667, -0.546, -0.304]],
    [[0.0, 0.0, 0.0, 0.0], [0.078, 0.784, -0.784, -0.474], [-1.023, -0.171, -0.461, -0.415],
     [0.34, -0.254, 0.552, -0.714]],
    [[0.0, 1.208, 0.0, 0.0], [0.0, 0.0, 1.208, 0.0], [0.0, 0.0, 0.0, 0.0], [0.0, 0.0, 0.0, 0.997]],
    [[0.766, -0.766, 0.0, 0.0], [-0.766, 0.766, 0.0, 0.0], [0.535, 0.535, 0.0, 0.0], [0.0, 0.0, 0.0, 0.997]],
    [[-0.004, 0.95, 0.006, 0.0], [-0.521, -0.521, 0.757, 0.0], [0.0, 0.0, 0.0, 0.997], [0.95, -0.004, 0.006, 0.0]],
)  # fmt: skip
DECAY = 4e-3


def loss(features, *matrices):
    """1/(2K)‖Z − I‖² + λ/2 Σ‖·‖², one sample a class; rows are samples."""
    values = np.array(features)
    penalty = (values**2).sum()
    for number, matrix in enumerate(map(np.array, matrices)):
        values = (np.maximum(values, 0) if number else values) @ matrix.T
        penalty += (matrix**2).sum()
    classes = len(values)
    return ((values - np.eye(classes)) ** 2).sum() / (2 * classes) + DECAY / 2 * penalty


@pytest.mark.parametrize(("point", "least"), [(THREE, 0.0293682030), (FOUR, 0.0392987377)])
def test_a_point_of_lower_rank_lies_below_collapse(point, least):
    classes = len(point[0])
    problem = DeepUfmMse(num_classes=classes, dim=classes, depth=4, weight_decay=DECAY, feature_decay=DECAY)
    found = loss(*point)
    # its own digits: ten of them
    assert found == pytest.approx(least, abs=5e-11)
    # more than 1 % below, where the closed form is exact to 1e-15
    assert found < problem.family("dnc").value * 0.99
    ranks = [np.linalg.matrix_rank(np.array(matrix), tol=1e-6) for matrix in point[1:]]
    assert min(ranks) == classes - 1
