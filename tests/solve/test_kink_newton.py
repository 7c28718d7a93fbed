"""The last digits at kinks: points that are stationary there to rounding, never higher than where they began."""

from __future__ import annotations

import pytest
import torch

from caltrop.solve.certificate import certify
from caltrop.solve.kink_newton import polish_at_kinks
from caltrop.solve.landscape import landscape_of, starts
from caltrop.solve.rounded import lbfgs_rounded
from caltrop.theory import DeepUfmMse

DEEP = {"num_classes": 4, "dim": 8, "depth": 3, "weight_decay": 4e-3, "feature_decay": 4e-3}


@pytest.fixture(scope="module")
def polished():
    problem = DeepUfmMse(**DEEP)
    landscape = landscape_of(problem)
    near = lbfgs_rounded(landscape, starts(problem, range(4), 0.6), steps=3_000)
    never = torch.zeros(4, dtype=torch.bool)
    return problem, near, polish_at_kinks(landscape, near.points, tol=1e-9, skipped=never)


def test_most_starts_become_stationary_points(polished):
    _, near, found = polished
    assert int(found.is_polished.sum()) >= 3
    assert bool((found.residuals[found.is_polished] <= 1e-9).all())
    # the plain gradient says nothing here
    assert float(near.slopes.min()) > 1e-6
    assert bool((found.values <= near.values + 1e-9).all())


def test_a_certificate_agrees(polished):
    problem, _, found = polished
    layout = landscape_of(problem).layout
    for row in found.is_polished.nonzero()[:, 0].tolist():
        seen = certify(problem, layout.unpack(found.points[row]), tol=1e-9, curvature=False)
        assert seen.is_stationary
        assert seen.kink_reach <= 1e-12
        assert seen.value == pytest.approx(float(found.values[row]), abs=1e-15)


def test_deep_neural_collapse_s_value_is_reached_to_rounding(polished):
    problem, _, found = polished
    dnc = problem.families()["dnc"].value
    assert float((found.values[found.is_polished] - dnc).abs().min()) < 1e-13


def test_rows_that_are_skipped_stay():
    problem = DeepUfmMse(**DEEP)
    points = starts(problem, range(2), 1.0)
    found = polish_at_kinks(landscape_of(problem), points, tol=1e-9, skipped=torch.ones(2, dtype=torch.bool))
    assert torch.equal(found.points, points)
    assert not bool(found.is_polished.any())


def test_a_random_start_is_not_called_stationary():
    problem = DeepUfmMse(**DEEP)
    points = starts(problem, range(2), 1.0)
    found = polish_at_kinks(landscape_of(problem), points, tol=1e-9, skipped=torch.zeros(2, dtype=torch.bool))
    values = landscape_of(problem).slopes(points)[0]
    assert torch.equal(found.is_polished, found.residuals <= 1e-9)
    layout = landscape_of(problem).layout
    for point, residual in zip(found.points, found.residuals.tolist(), strict=True):
        seen = certify(problem, layout.unpack(point), tol=1e-9, curvature=False)
        assert seen.is_stationary == (residual <= 1e-9)
    assert bool((found.values <= values + 1e-9).all())


def test_where_newton_s_method_itself_arrives_nothing_is_rounded(monkeypatch):
    """Zero is a strict minimum, and near it the loss is its penalties."""
    problem = DeepUfmMse(**DEEP)

    def never(chain, params, tol):
        raise AssertionError("a point without kinks in its way was taken for one with")

    monkeypatch.setattr("caltrop.solve.kink_newton._polished", never)
    points = 1e-3 * starts(problem, range(3), 1.0)
    found = polish_at_kinks(landscape_of(problem), points, tol=1e-9, skipped=torch.zeros(3, dtype=torch.bool))
    assert bool(found.is_polished.all())
    assert found.values.tolist() == pytest.approx([0.5] * 3, abs=1e-15)
