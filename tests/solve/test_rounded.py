"""ReLU rounded at its kink: its gradient, its limit, and minima at kinks that plain L-BFGS does not settle at."""

from __future__ import annotations

import dataclasses

import pytest
import torch

from caltrop.solve.landscape import grid_landscape, landscape_of, starts
from caltrop.solve.rounded import RoundedChain, RoundedLandscape, lbfgs_rounded
from caltrop.theory import DeepUfmCrossEntropy, DeepUfmMse

DEEP = {"num_classes": 4, "dim": 6, "depth": 3, "weight_decay": 4e-3, "feature_decay": 4e-3}
PROBLEMS = [DeepUfmMse(**DEEP, bias=True, per_class=2), DeepUfmCrossEntropy(**DEEP, relu=True)]


@pytest.mark.parametrize("problem", PROBLEMS)
def test_the_gradient_by_hand_is_autograd_s(problem):
    points = starts(problem, range(3), 1.0)
    landscape = RoundedLandscape.of(landscape_of(problem), points, 0.1)
    leaves = points.clone().requires_grad_()
    values = landscape.values(leaves)
    (expected,) = torch.autograd.grad(values.sum(), leaves)
    found, gradient = landscape.slopes(points)
    assert torch.allclose(found, values.detach(), rtol=1e-14, atol=0)
    assert torch.allclose(gradient, expected, rtol=1e-11, atol=1e-15)


def test_rounding_is_half_of_x_and_its_root():
    problem = PROBLEMS[0]
    params = problem.class_means.init(0)
    batch = {name: value[None] for name, value in params.items()}
    chain = RoundedChain.of(problem.class_means, batch, 0.1)
    layers = chain.layers(batch)
    for hidden, layer in enumerate((2, 3)):
        values = layers[f"layer {layer} pre"].flatten().tolist()
        radius = float(chain.radii[0, hidden])
        slow = [(x + (x * x + radius * radius) ** 0.5) / 2 for x in values]
        assert layers[f"layer {layer}"].flatten().tolist() == pytest.approx(slow, rel=1e-14)
    plain = problem.class_means.layers(batch)["layer 2 pre"]
    assert float(chain.radii[0, 0]) == pytest.approx(0.1 * float(plain.abs().max()), rel=1e-15)


def test_less_rounding_is_nearer_to_the_chain_itself():
    problem = PROBLEMS[1]
    landscape, points = landscape_of(problem), starts(problem, range(2), 1.0)
    exact = landscape.values(points)
    away = [
        (RoundedLandscape.of(landscape, points, share).values(points) - exact).abs().max()
        for share in (1e-2, 1e-4, 1e-6)
    ]
    assert away[0] > 10 * away[1] > 100 * away[2] > 0


def test_each_row_keeps_its_own_rounding_and_penalties():
    problems = [dataclasses.replace(PROBLEMS[1], weight_decay=decay) for decay in (1e-3, 1e-2)]
    points = torch.cat([starts(problems[0], (0,), 1.0), starts(problems[0], (1,), 3.0)])
    rounded = RoundedLandscape.of(grid_landscape(problems, 1), points, 0.1)
    alone = RoundedLandscape.of(landscape_of(problems[1]), points[1:], 0.1)
    assert torch.allclose(rounded.select(torch.tensor([1])).values(points[1:]), alone.values(points[1:]), rtol=1e-14)


def test_the_steps_of_all_stages_stay_within_what_is_allowed():
    problem = PROBLEMS[0]
    found = lbfgs_rounded(landscape_of(problem), starts(problem, range(3), 1.0), steps=60)
    assert int(found.steps.max()) <= 60
    assert found.looks == sorted(found.looks)
    assert found.seen_values.shape == (len(found.looks), 3)
    assert torch.allclose(landscape_of(problem).slopes(found.points)[0], found.values, rtol=1e-14, atol=0)


@pytest.mark.slow
def test_where_minima_lie_at_kinks_it_reaches_a_lower_value_than_srg_and_dnc():
    """K=6, L=4: of six random starts one ends below everything that was known."""
    problem = DeepUfmMse(num_classes=6, dim=20, depth=4, weight_decay=4e-3, feature_decay=4e-3)
    found = lbfgs_rounded(landscape_of(problem), starts(problem, range(6), 0.6), steps=5_000)
    families = problem.families()
    assert float(found.values.min()) < min(point.value for point in families.values()) - 1e-4
    # within rounding of 1e-4 of the largest pre-activation all are below deep neural collapse
    assert bool((found.values < families["dnc"].value).all())
