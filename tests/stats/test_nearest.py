"""Nearest-centre decisions: the certificate decides as the comparison with all centres does."""

from __future__ import annotations

import pytest
import torch

from caltrop.stats import nearest
from caltrop.stats.nearest import NearestCentre

CLASSES, SAMPLES = 60, 4000


def drawn(dim, spread, seed=0):
    generator = torch.Generator().manual_seed(seed)
    centres = torch.randn(CLASSES, dim, generator=generator, dtype=torch.float64)
    inside = (spread * torch.randn(SAMPLES, dim, generator=generator)).float()
    where = torch.randint(0, CLASSES, (SAMPLES,), generator=generator)
    said = torch.randint(-1, CLASSES, (SAMPLES,), generator=generator)
    return centres, inside, where, torch.where(torch.rand(SAMPLES, generator=generator) < 0.7, where, said)


def norms(inside):
    return torch.linalg.vector_norm(inside.double(), dim=1)


def slowly(centres, inside, where, said):
    places = centres[where] + inside.double()
    closest = torch.cdist(places, centres, compute_mode="donot_use_mm_for_euclid_dist").argmin(1)
    return closest == where, closest == said


@pytest.mark.parametrize("spread", [0.01, 0.1, 0.3, 1.0])
@pytest.mark.parametrize("dim", [1, 2, 5, 30])
def test_certified_or_compared_the_nearest_centre_is_the_same(monkeypatch, dim, spread):
    monkeypatch.setattr(nearest, "MANY_CLASSES", 2)
    centres, inside, where, said = drawn(dim, spread)
    own, agrees = NearestCentre(centres, float(SAMPLES)).decide(inside, where, said, norms(inside))
    expected = slowly(centres, inside, where, said)
    assert torch.equal(own, expected[0])
    assert torch.equal(agrees, expected[1])


def test_the_certificate_saves_most_comparisons_where_classes_are_tight(monkeypatch):
    monkeypatch.setattr(nearest, "MANY_CLASSES", 2)
    centres, inside, where, _ = drawn(30, 0.1)
    assert len(NearestCentre(centres, float(SAMPLES))._uncertified(inside, where, norms(inside))) < SAMPLES / 20


def test_a_sample_is_never_certified_where_two_centres_coincide(monkeypatch):
    monkeypatch.setattr(nearest, "MANY_CLASSES", 2)
    centres = torch.tensor([[1.0, 0.0], [1.0, 0.0], [0.0, 1.0]], dtype=torch.float64)
    own, agrees = NearestCentre(centres, 10.0).decide(
        torch.zeros(2, 2), torch.tensor([0, 2]), torch.tensor([1, 0]), torch.zeros(2, dtype=torch.float64)
    )
    assert own.tolist() == [True, True]
    assert agrees.tolist() == [True, False]


def test_centres_without_any_distance_are_all_nearest(monkeypatch):
    monkeypatch.setattr(nearest, "MANY_CLASSES", 2)
    own, agrees = NearestCentre(torch.zeros(3, 2, dtype=torch.float64), 10.0).decide(
        torch.zeros(3, 2), torch.arange(3), torch.tensor([2, 1, -1]), torch.zeros(3, dtype=torch.float64)
    )
    assert own.tolist() == [True, True, True]
    assert agrees.tolist() == [True, True, False]


@pytest.mark.parametrize("outside", [0.0, 1e2, 1e4, 1e6])
def test_the_certificate_knows_how_wide_a_tie_is(monkeypatch, outside):
    """Residuals that are long outside the span make projections uncertain, and ties wide."""
    centres, inside, where, said = drawn(2, 0.05)
    sizes = norms(inside) + outside
    plain = NearestCentre(centres, float(SAMPLES)).decide(inside, where, said, sizes)
    monkeypatch.setattr(nearest, "MANY_CLASSES", 2)
    certified = NearestCentre(centres, float(SAMPLES)).decide(inside, where, said, sizes)
    assert torch.equal(plain[0], certified[0])
    assert torch.equal(plain[1], certified[1])
