"""The deep model with cross-entropy: explicit points against their closed forms, optima and bounds against descent."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis.strategies import booleans, floats, integers, sampled_from

from caltrop.observe import measure_problem
from caltrop.theory import DeepUfmCrossEntropy, UfmCrossEntropy
from caltrop.theory.logit_families import logit_shape
from theory.descent import descended

EVEN = {"weight_decay": 2**-10, "feature_decay": 2**-10}
UNEVEN = {"weight_decay": (0.002, 0.006, 0.001, 0.004), "feature_decay": 3e-4, "per_class": 7, "depth": 4}
SIZES = [
    {},
    UNEVEN,
    {"num_classes": 9, "depth": 2, "dim": 9, "bias": True},
    {"num_classes": 8, "depth": 7, "per_class": 3},
    {"num_classes": 2, "depth": 3, "label_smoothing": 0.1},
    {"num_classes": 3, "depth": 5, "label_smoothing": 0.02},
    {"num_classes": 5, "depth": 1, "per_class": 2},
    {"num_classes": 12, "weight_decay": 1e-9, "feature_decay": 1e-7},
]


def deep(num_classes=6, depth=3, dim=None, **more):
    return DeepUfmCrossEntropy(num_classes=num_classes, depth=depth, dim=dim or num_classes + 2, **{**EVEN, **more})


def points(sizes, relu):
    problem = deep(**sizes, relu=relu)
    return [(problem, name, point) for name, point in problem.families().items()]


def every(relu):
    found = [one for sizes in SIZES for one in points(sizes, relu)]
    return [pytest.param(*one, id=f"{one[0].num_classes}-{one[0].depth}-{relu}-{one[1]}") for one in found]


linear = pytest.mark.parametrize(("problem", "name", "point"), every(False))
rectified = pytest.mark.parametrize(("problem", "name", "point"), every(True))
either = pytest.mark.parametrize(("problem", "name", "point"), every(False) + every(True))


def slow_loss(problem, params):
    """Written from the definition, one sample at a time."""
    names = [*(f"weights_{layer}" for layer in range(1, problem.depth)), "weights"]
    decays = problem.weight_decay if isinstance(problem.weight_decay, tuple) else [problem.weight_decay] * len(names)
    arrays = {name: value.numpy() for name, value in params.items()}
    total = problem.feature_decay / 2 * sum(h @ h for h in arrays["features"])
    for name, decay in zip(names, decays, strict=True):
        total += decay / 2 * sum(row @ row for row in arrays[name])
    smoothing, classes = problem.label_smoothing, problem.num_classes
    for h, label in zip(arrays["features"], problem.labels.tolist(), strict=True):
        for name in names[:-1]:
            h = arrays[name] @ h
            h = np.array([max(0.0, x) for x in h]) if problem.relu else h
        scores = arrays["weights"] @ h + arrays.get("bias", 0.0)
        scores = scores - math.log(sum(math.exp(score) for score in scores))
        targets = [(1 - smoothing) * (k == label) + smoothing / classes for k in range(classes)]
        total -= sum(t * score for t, score in zip(targets, scores, strict=True)) / problem.num_samples
    return total


def slopes(problem, params):
    leaves = {name: value.clone().requires_grad_() for name, value in params.items()}
    problem.loss(leaves).backward()
    return max(float(leaf.grad.abs().max()) for leaf in leaves.values())


@either
def test_the_value_of_a_family_is_the_loss_of_its_parameters(problem, name, point):
    assert not point.is_zero
    assert float(problem.loss(point.params)) == pytest.approx(point.value, abs=1e-13)
    assert slow_loss(problem, point.params) == pytest.approx(point.value, abs=1e-12)
    assert problem.family_values()[name] == problem.family(name).value == point.value
    assert torch.equal(point.features, problem.features(point.params))


@either
def test_the_logits_of_a_family_are_its_shape(problem, name, point):
    shape = logit_shape(name, problem.num_classes).logits[problem.labels]
    logits = problem.logits(point.params)
    scale = float((logits * shape).sum() / shape.square().sum())
    assert scale > 1
    assert torch.allclose(logits, scale * shape, rtol=0, atol=1e-13 * scale)
    assert int(torch.linalg.matrix_rank(logits)) == point.rank


@either
def test_all_factors_share_the_penalties_evenly(problem, name, point):
    balance = problem.samples.balance(point.params)
    assert balance.tolist() == pytest.approx([float(balance.mean())] * (problem.depth + 1), rel=1e-12)


@either
def test_no_other_scale_of_a_family_is_better(problem, name, point):
    for factor in (0.5, 0.99, 1.01, 2.0):
        assert float(problem.loss({key: factor * value for key, value in point.params.items()})) > point.value


@linear
def test_without_relu_no_factors_of_the_logits_are_cheaper(problem, name, point):
    values = torch.linalg.svdvals(problem.logits(point.params))[: point.rank]
    least = (problem.depth + 1) / 2 * problem.coupling * float((values ** (2 / (problem.depth + 1))).sum())
    assert float(problem.penalty(point.params)) == pytest.approx(least, rel=1e-12)


@linear
def test_without_relu_a_family_of_one_singular_value_is_stationary_and_others_are_not(problem, name, point):
    one = len(logit_shape(name, problem.num_classes).spectrum) == 1
    steep = slopes(problem, point.params)
    assert (steep < 1e-13) if one else (steep > 1e-12 * problem.coupling)
    assert one or steep > 1e-3 * problem.coupling


@rectified
def test_with_relu_the_hidden_layers_of_a_family_are_not_negative(problem, name, point):
    layers = problem.layers(point.params)
    assert len(layers) == 2 * problem.depth - 1
    for layer in range(2, problem.depth + 1):
        before = layers[f"layer {layer} pre"]
        assert float(before.min()) > -1e-14 * float(before.max())


def test_with_relu_the_simplex_is_stationary_from_the_negative_side_of_its_kinks():
    problem = deep(relu=True, **UNEVEN)
    params = problem.family("simplex").params
    # entries that are 0 but for rounding are put a little below
    nudged = {key: torch.where(value.abs() < 1e-12, -1e-12, value) for key, value in params.items() if key != "weights"}
    assert slopes(problem, {**params, **nudged}) < 1e-10


def test_with_relu_simplex_logits_cost_more_than_without():
    problem = deep(num_classes=10, depth=5, relu=True)
    assert problem.linear_simplex_value == deep(num_classes=10, depth=5).family("simplex").value
    assert problem.lower_bound < problem.linear_simplex_value < problem.family("simplex").value
    assert deep(num_classes=3, counts=(1, 2, 3)).linear_simplex_value is None


@pytest.mark.parametrize("relu", [False, True])
@pytest.mark.parametrize("more", [{}, {"per_class": 3, "label_smoothing": 0.1}, {"dim": 3}, {"counts": (1, 2, 1, 2)}])
def test_at_depth_one_it_is_the_one_layer_model(relu, more):
    sizes = {"num_classes": 4, "dim": 6, "weight_decay": 1e-2, "feature_decay": 2e-3, **more}
    problem, other = DeepUfmCrossEntropy(**sizes, depth=1, relu=relu), UfmCrossEntropy(**sizes)
    assert problem.optimal_value == other.optimal_value
    assert problem.lower_bound == other.lower_bound
    params = other.init(3)
    assert float(problem.loss(params)) == float(other.loss(params))
    if other.optimum() is None:
        assert problem.optimum() is None
        assert problem.families() == {}
    else:
        assert float(problem.loss(problem.optimum().params)) == pytest.approx(other.optimal_value, abs=1e-13)
        # its best scale is found there by another formula
        assert problem.family("simplex").value == pytest.approx(other.optimal_value, rel=1e-13)
        assert min(problem.family_values().values()) == problem.family("simplex").value


def test_more_than_two_classes_have_no_known_optimum_and_simplices_are_beaten():
    problem = deep(num_classes=4, depth=3)
    assert problem.optimal_value is None
    assert problem.optimum() is None
    assert problem.family("pairs").value < problem.family("simplex").value * (1 - 1e-3)
    with pytest.raises(ValueError, match="measure one of its families: simplex, pairs, polygon, hypercube"):
        measure_problem(problem)


@pytest.mark.parametrize("more", [{}, {"dim": 1}, {"bias": True}, {"label_smoothing": 0.2}, {"per_class": 4}])
def test_for_two_classes_the_simplex_is_optimal(more):
    problem = deep(num_classes=2, depth=4, **more)
    optimum = problem.optimum()
    assert optimum.value == problem.optimal_value == problem.lower_bound
    assert optimum.value == pytest.approx(problem.family("simplex").value, rel=1e-15)
    assert float(problem.loss(optimum.params)) == pytest.approx(optimum.value, abs=1e-13)
    assert deep(num_classes=2, depth=4, relu=True, dim=2).optimal_value is None


@pytest.mark.parametrize("more", [{}, {"relu": True}, {"dim": 1}, {"bias": True}, {"label_smoothing": 0.5}])
def test_zero_is_optimal_where_the_bound_is_reached_there(more):
    problem = deep(num_classes=4, weight_decay=0.5, feature_decay=0.5, **more)
    optimum = problem.optimum()
    assert (optimum.is_zero, optimum.rank, dict(optimum.predictions)) == (True, 0, {})
    assert optimum.value == problem.optimal_value == problem.lower_bound == math.log(4)
    assert float(problem.loss(optimum.params)) == pytest.approx(math.log(4), abs=1e-15)
    assert all(point.is_zero and point.value == math.log(4) for point in problem.families().values())
    assert all(float(value.abs().max()) == 0 for value in optimum.params.values())


KINDS = {
    "classes": integers(2, 5),
    "depth": integers(1, 5),
    "decay": floats(-6, 0),
    "bias": booleans(),
    "smoothing": sampled_from([0.0, 0.1, 0.7]),
    "even": booleans(),
    "seed": integers(0, 10_000),
    "size": floats(-2, 1.5),
}


def drawn(classes, depth, decay, bias, smoothing, even, seed, relu=False):
    random = np.random.default_rng(seed)
    counts = (2,) * classes if even else tuple(random.integers(1, 6, classes).tolist())
    decays = (10**decay * random.uniform(0.5, 2, depth + 1)).tolist()
    return DeepUfmCrossEntropy(
        num_classes=classes,
        depth=depth,
        dim=classes,
        weight_decay=tuple(decays[1:]),
        feature_decay=decays[0],
        counts=counts,
        bias=bias,
        label_smoothing=smoothing,
        relu=relu,
    )


@settings(max_examples=80, deadline=None)
@given(**KINDS)
def test_no_logits_with_the_least_penalties_they_can_have_lie_below_the_bound(
    classes, depth, decay, bias, smoothing, even, seed, size
):
    problem = drawn(classes, depth, decay, bias, smoothing, even, seed)
    random = torch.Generator().manual_seed(seed)
    noise = torch.randn(problem.num_samples, classes, generator=random, dtype=torch.float64)
    centred = torch.eye(classes, dtype=torch.float64)[problem.labels] - 1 / classes
    bound = problem.lower_bound
    for share in (0.0, 0.1, 1.0):
        logits = 10**size * ((1 - share) * centred + share * noise)
        free = problem.fit_of.values(logits + (noise[0] if bias else 0), problem.labels).mean()
        nuclear = float(torch.linalg.svdvals(logits).sum())
        least = (depth + 1) / 2 * problem.coupling * nuclear ** (2 / (depth + 1))
        assert bound <= float(free) + least + 1e-14


@settings(max_examples=50, deadline=None)
@given(relu=booleans(), **KINDS)
def test_no_parameters_cost_less_than_their_logits_nuclear_norm_allows(
    classes, depth, decay, bias, smoothing, even, seed, size, relu
):
    problem = drawn(classes, depth, decay, False, smoothing, even, seed, relu)
    params = {name: 10 ** (size / 3) * value for name, value in problem.init(seed).items()}
    nuclear = float(torch.linalg.svdvals(problem.logits(params)).sum())
    least = (depth + 1) / 2 * problem.coupling * nuclear ** (2 / (depth + 1))
    assert least <= float(problem.penalty(params)) * (1 + 1e-12)
    assert problem.lower_bound <= float(problem.loss(params)) + 1e-14


@pytest.mark.parametrize("relu", [False, True])
@pytest.mark.parametrize("more", [{}, {"bias": True}, {"label_smoothing": 0.1}, {"counts": (1, 2, 4)}])
@pytest.mark.parametrize("decay", [1e-3, 3e-2])
def test_descent_never_goes_below_the_bound(decay, more, relu):
    problem = deep(num_classes=3, depth=3, weight_decay=decay, feature_decay=decay, relu=relu, **more)
    reached = min(descended(problem, seed) for seed in range(2))
    assert 0 < problem.lower_bound <= reached + 1e-13
    # where there are families, the bound lies not too far below the least of them
    for value in problem.family_values().values():
        assert problem.lower_bound <= value


@pytest.mark.parametrize("depth", [2, 3, 7])
@pytest.mark.parametrize("decay", [1e-5, 1e-3, 3e-2, 0.3])
@pytest.mark.parametrize("smoothing", [0.0, 0.1])
def test_the_bound_of_unequal_counts_is_that_of_equal_ones_where_they_are_equal(depth, decay, smoothing):
    problem = deep(
        num_classes=4, depth=depth, per_class=3, weight_decay=decay, feature_decay=decay, label_smoothing=smoothing
    )
    one_layer, bound = problem._bound_of_any_counts, problem.lower_bound
    assert one_layer <= bound * (1 + 1e-14)
    # lines at 256 places, where the scalar problem has the best of all lines
    assert one_layer == pytest.approx(bound, rel=1e-2)


@pytest.mark.parametrize("bias", [False, True])
def test_the_bound_of_unequal_counts_is_the_loss_of_zero_under_strong_penalties(bias):
    problem = deep(num_classes=3, counts=(1, 2, 5), weight_decay=0.6, feature_decay=0.6, bias=bias)
    entropy = -sum(share * math.log(share) for share in (1 / 8, 2 / 8, 5 / 8))
    assert problem.lower_bound == pytest.approx(entropy if bias else math.log(3), rel=1e-14)


def test_the_bound_of_unequal_counts_survives_numbers_beyond_floats():
    extreme = {"num_classes": 3, "counts": (1, 2, 3)}
    for decay, depth in ((1e-30, 60), (1e-300, 2), (1e-3, 400), (1e300, 3)):
        problem = deep(**extreme, depth=depth, weight_decay=decay, feature_decay=decay, label_smoothing=0.1)
        assert problem.fit_of.infimum(3) <= problem.lower_bound <= math.log(3) * (1 + 1e-15)
    assert problem.lower_bound == pytest.approx(math.log(3), rel=1e-14)


@pytest.mark.parametrize("relu", [False, True])
@pytest.mark.parametrize("depth", [1, 2, 4])
@pytest.mark.parametrize("classes", [2, 3, 4, 5, 6, 8, 9, 12])
def test_predicted_measures_are_those_of_the_families_features(classes, depth, relu):
    problem = deep(num_classes=classes, depth=depth, relu=relu, per_class=2, weight_decay=1e-5, feature_decay=1e-5)
    for name, point in problem.families().items():
        seen = measure_problem(problem, name)
        assert len(point.predictions) > 6
        for measure, value in point.predictions.items():
            # the rounding of the explicit features, as far as a measure magnifies it
            assert seen["features", measure] == pytest.approx(value, abs=1e-10), (name, measure)


def test_a_family_needs_room():
    assert set(deep(num_classes=8, dim=2).families()) == {"polygon"}
    assert set(deep(num_classes=8, dim=4).families()) == {"polygon", "hypercube", "pairs", "product 4x2"}
    with pytest.raises(ValueError, match=r"there is no simplex of Deep.*: it needs dim ≥ 7, not 4"):
        deep(num_classes=8, dim=4).family("simplex")
    # with ReLU every class has a neuron
    assert deep(num_classes=8, dim=7, relu=True).families() == {}
    with pytest.raises(ValueError, match=r"it needs dim ≥ 8, not 7"):
        deep(num_classes=8, dim=7, relu=True).family("polygon")
    assert "polygon" in deep(num_classes=8, dim=2, depth=1, relu=True).families()


def test_a_family_that_does_not_exist_says_why():
    with pytest.raises(ValueError, match=r"a hypercube has 2, 4, 8, … corners, but num_classes=6"):
        deep().family("hypercube")
    with pytest.raises(KeyError, match="'dnc' is no family of logits; for 6 classes there are: simplex, pairs"):
        deep().family("dnc")
    unequal = deep(num_classes=3, counts=(1, 2, 3))
    assert unequal.families() == unequal.family_values() == {}
    with pytest.raises(ValueError, match="it needs the same number of samples in every class"):
        unequal.family("pairs")


@pytest.mark.parametrize("value", [1.0, -0.1, math.nan])
def test_label_smoothing_must_be_a_share(value):
    sizes = {"num_classes": 3, "depth": 2, "dim": 3, **EVEN}
    with pytest.raises(ValueError, match=r"label_smoothing=.* must lie in \[0, 1\)"):
        DeepUfmCrossEntropy(**sizes, label_smoothing=value)
