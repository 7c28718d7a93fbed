"""The deep model with squared error: explicit points against their closed forms, optima and bounds against descent."""

from __future__ import annotations

import json
import math
from dataclasses import asdict

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis.strategies import booleans, floats, integers, sampled_from
from scipy.optimize import minimize_scalar

from caltrop.observe import measure_problem
from caltrop.theory import DeepUfmMse, UfmMse, best_graph
from theory.descent import descended

EVEN = {"weight_decay": 0.004, "feature_decay": 0.004}
UNEVEN = {"weight_decay": (0.002, 0.006, 0.001, 0.004), "feature_decay": 3e-4, "per_class": 7}
logs = floats(-4, 0)


def deep(num_classes=10, depth=4, dim=None, **more):
    return DeepUfmMse(num_classes=num_classes, depth=depth, dim=dim or num_classes + 2, **{**EVEN, **more})


def slow_loss(problem, params):
    """Written from the definition, one sample at a time."""
    names = [*(f"weights_{layer}" for layer in range(1, problem.depth)), "weights"]
    decays = problem.weight_decay if isinstance(problem.weight_decay, tuple) else [problem.weight_decay] * len(names)
    arrays = {name: value.numpy() for name, value in params.items()}
    total = problem.feature_decay / 2 * sum(h @ h for h in arrays["features"])
    for name, decay in zip(names, decays, strict=True):
        total += decay / 2 * sum(row @ row for row in arrays[name])
    for h, label in zip(arrays["features"], problem.labels.tolist(), strict=True):
        for name in names[:-1]:
            h = arrays[name] @ h
            h = np.array([max(0.0, x) for x in h]) if problem.relu else h
        scores = arrays["weights"] @ h + arrays.get("bias", 0.0)
        total += sum((score - (k == label)) ** 2 for k, score in enumerate(scores)) / (2 * problem.num_samples)
    return total


def gradients(problem, params):
    leaves = {name: value.clone().requires_grad_() for name, value in params.items()}
    problem.loss(leaves).backward()
    return {name: leaf.grad for name, leaf in leaves.items()}


def largest_slope(problem, params):
    return max(float(one.abs().max()) for one in gradients(problem, params).values())


SIZES = [
    {},
    UNEVEN,
    {"dim": 10, "depth": 3},
    {"num_classes": 6, "depth": 7, "bias": True},
    {"num_classes": 8, "depth": 5, "dim": 13, "graph": best_graph(8)},
    {"num_classes": 4, "depth": 3, "dim": 8, "graph": [(0, 1), (2, 3), (4, 5), (6, 7)], "weight_decay": 1e-3},
    {"num_classes": 3, "depth": 3, "graph": [(0, 1), (1, 2), (2, 3)], "weight_decay": 1e-3},
    {"weight_decay": 1e-6, "feature_decay": 1e-3, "depth": 5},
    {"weight_decay": 1e-9, "feature_decay": 1e-12, "depth": 6},
    {"weight_decay": 0.5, "depth": 3},
]


@pytest.mark.parametrize("size", SIZES, ids=str)
def test_every_family_s_parameters_have_its_loss_rank_and_balance(size):
    problem = deep(**size)
    assert tuple(problem.families()) == ("dnc", "srg", "kneser")
    for name, point in problem.families().items():
        assert slow_loss(problem, point.params) == pytest.approx(point.value, rel=1e-12, abs=1e-14), name
        assert float(problem.loss(point.params)) == pytest.approx(point.value, abs=1e-12)
        assert problem.family_values()[name] == point.value
        assert problem.lower_bound <= point.value <= 0.5
        assert problem.family(name).value == point.value
        levels = problem.samples.balance(point.params)
        # α of kneser is where a slope changes its sign: as exact as the slope is
        assert levels.tolist() == pytest.approx([float(levels[0])] * (problem.depth + 1), rel=1e-10, abs=1e-300)
        assert int(torch.linalg.matrix_rank(problem.logits(point.params))) == point.rank
        assert (point.rank == 0) is point.is_zero is (point.value == 0.5)


@pytest.mark.parametrize("name", ["srg", "kneser"])
@pytest.mark.parametrize(("size", "rank"), [({}, 5), (UNEVEN, 5), ({"num_classes": 8, "graph": best_graph(8)}, 5)])
def test_the_low_rank_families_have_low_rank_until_the_last_relu(name, size, rank):
    problem = deep(**size)
    layers = problem.layers(problem.family(name).params)
    for key, values in layers.items():
        expected = problem.num_classes if key == "layer 4" else rank
        assert int(torch.linalg.matrix_rank(values)) == expected, key


def test_deep_neural_collapse_is_a_smooth_critical_point():
    problem = deep(**UNEVEN)
    params = problem.family("dnc").params
    assert largest_slope(problem, params) < 1e-15
    assert all(float(values.min()) >= 0 for values in problem.layers(params).values())


@pytest.mark.parametrize("size", [{}, {"num_classes": 6, "depth": 5}, {"num_classes": 15, "depth": 4}], ids=str)
def test_srg_is_an_upper_bound_and_no_critical_point(size):
    problem = deep(**size)
    params = problem.family("srg").params
    last = f"weights_{problem.depth - 1}"

    def shrunk(by):
        there = params[last]
        return float(problem.loss({**params, last: torch.where(there < 0, (1 - by) * there, there)}))

    # r − 2 of the r entries of a row are negative, and what they do to the logits is of second order
    level, vertices = float(problem.samples.balance(params)[0]), int((1 + math.sqrt(1 + 8 * problem.num_classes)) / 2)
    slope = -level * (vertices - 2) / vertices
    assert (shrunk(1e-5) - shrunk(0)) / 1e-5 == pytest.approx(slope, rel=1e-3)
    assert shrunk(0.01) < problem.family("srg").value - 1e-5


def test_shrinking_srg_gains_what_was_measured():
    problem = deep()
    level = float(problem.samples.balance(problem.family("srg").params)[0])
    assert -level * 3 / 5 == pytest.approx(-0.0213, abs=5e-5)


@pytest.mark.parametrize("size", SIZES[:7], ids=str)
def test_no_scale_of_kneser_is_better(size):
    problem = deep(**size)
    point = problem.family("kneser")
    *below, head = problem.samples.factors
    features = point.features

    def loss(log):
        # balanced below, and the best head for it: ridge regression onto the targets
        params = {**point.params, **{name: point.params[name] * math.exp(log) for name in below}}
        scaled = features * math.exp(log * problem.depth)
        decays = problem.weight_decay if isinstance(problem.weight_decay, tuple) else [problem.weight_decay]
        gram = scaled.T @ scaled + problem.num_samples * decays[-1] * torch.eye(problem.dim, dtype=torch.float64)
        params[head] = torch.linalg.solve(gram, scaled.T @ torch.eye(problem.num_classes).double()[problem.labels]).T
        return float(problem.loss(params))

    assert loss(0.0) == pytest.approx(point.value, abs=1e-12)
    assert min(loss(log) for log in np.linspace(-4, 2, 121)) >= point.value - 1e-14


def test_for_six_classes_kneser_is_srg():
    # the disjoint pairs of four vertices are a perfect matching: P is a permutation
    problem = deep(num_classes=6)
    assert problem.family("kneser").value == pytest.approx(problem.family("srg").value, abs=1e-15)


@pytest.mark.parametrize("size", [*SIZES[:5], {"num_classes": 15}, {"num_classes": 21}], ids=str)
def test_predictions_of_every_family_are_what_is_measured(size):
    problem = deep(**size)
    for name, point in problem.families().items():
        seen = measure_problem(problem, name)
        assert len(point.predictions) >= 3
        for measure, value in point.predictions.items():
            # distances are roots of a rounding where they vanish
            assert seen["features", measure] == pytest.approx(value, abs=1e-7), (name, measure)


@pytest.mark.parametrize("depth", [3, 4, 6])
def test_beyond_the_threshold_a_family_is_zero_and_before_it_is_not(depth):
    edge = deep(depth=depth).collapse_threshold / 10
    for share, is_zero in ((0.999, False), (1.001, True)):
        # κ = Kλ where all penalties are equal and n = 1
        problem = deep(depth=depth, weight_decay=share * edge, feature_decay=share * edge)
        point = problem.family("dnc")
        assert (point.is_zero, point.rank == 0, point.value == 0.5, not point.predictions) == (is_zero,) * 4
        assert problem.stationary_dnc.value == pytest.approx(0.5, abs=1e-2)
        assert (problem.stationary_dnc.value > 0.5) is is_zero
    beyond = 1.001 * problem.existence_threshold / 10
    assert deep(depth=depth, weight_decay=beyond, feature_decay=beyond).stationary_dnc is None
    assert all(point.is_zero for point in deep(depth=depth, weight_decay=1.0).families().values())


@pytest.mark.parametrize("relu", [False, True])
def test_between_the_thresholds_collapse_is_critical_but_worse_than_zero(relu):
    decay = deep(num_classes=3, depth=3).collapse_threshold * 1.02 / 3
    problem = deep(num_classes=3, depth=3, weight_decay=decay, feature_decay=decay, relu=relu)
    found = problem.stationary_dnc
    each = torch.eye(3, 5, dtype=torch.float64) * found.scale**0.25
    params = {**problem.init(0), "features": each, "weights": each}
    params |= {
        name: torch.eye(5).double() * (torch.arange(5) < 3) * found.scale**0.25 for name in params if "_" in name
    }
    assert largest_slope(problem, params) < 1e-15
    assert float(problem.loss(params)) == pytest.approx(found.value, abs=1e-14)
    assert found.value > 0.5 == problem.family("dnc").value


@pytest.mark.parametrize("relu", [False, True])
@pytest.mark.parametrize("bias", [False, True])
@pytest.mark.parametrize("dim", [1, 3, 6])
@pytest.mark.parametrize("more", [{"per_class": 3}, {"counts": (5, 1, 2, 9)}, {"weight_decay": 0.3}], ids=str)
def test_depth_one_is_the_one_layer_model(more, dim, bias, relu):
    size = {"num_classes": 4, "dim": dim, "bias": bias, "weight_decay": 0.02, "feature_decay": 0.01, **more}
    problem, one = DeepUfmMse(depth=1, relu=relu, **size), UfmMse(**size)
    # what the one-layer model states for unequal counts as a bound is reached
    assert problem.optimal_value == pytest.approx(one.lower_bound, abs=1e-15)
    assert float(one.loss(problem.optimum().params)) == pytest.approx(problem.optimal_value, abs=1e-14)
    assert problem.lower_bound == problem.optimal_value


@settings(max_examples=60)
@given(integers(2, 6), integers(1, 6), integers(1, 5), logs, logs, booleans(), sampled_from([None, 1, 2]))
def test_the_optimum_without_relu_is_attained_stationary_and_separable(
    num_classes, dim, depth, first, second, bias, skew
):
    counts = None if skew is None else [1 + skew * k for k in range(num_classes)]
    problem = deep(
        num_classes, depth, dim, relu=False, bias=bias, counts=counts, weight_decay=10**first, feature_decay=10**second
    )
    optimum = problem.optimum()
    assert float(problem.loss(optimum.params)) == pytest.approx(problem.optimal_value, abs=1e-13)
    assert optimum.value == problem.optimal_value == problem.lower_bound
    # the rounding of a residual times the product of the other factors, up to 100 at the most unequal penalties here
    assert largest_slope(problem, optimum.params) < 1e-13
    assert int(torch.linalg.matrix_rank(problem.logits({**optimum.params, "bias": torch.zeros(num_classes)}))) <= dim
    # every singular value on its own, by a search in one variable
    targets = np.eye(num_classes)[problem.labels.numpy()]
    targets = targets - targets.mean(axis=0) if bias else targets
    total = 0.0
    for place, target in enumerate(np.linalg.svd(targets, compute_uv=False)[: num_classes - bias]):

        def price(value, target=target):
            fit = (value - target) ** 2 / (2 * problem.num_samples)
            return fit + (depth + 1) / 2 * problem.coupling * value ** (2 / (depth + 1))

        grid = np.linspace(0, target, 2001)
        near = grid[price(grid).argmin()]
        ends = (max(0.0, near - grid[1]), near + grid[1])
        found = minimize_scalar(price, bounds=ends, method="bounded", options={"xatol": 1e-12}).fun
        total += min(found, price(0.0)) if place < dim else price(0.0)
    assert total == pytest.approx(problem.optimal_value, abs=1e-12)


@pytest.mark.parametrize("bias", [False, True])
@pytest.mark.parametrize("counts", [None, (6, 1, 3)])
@pytest.mark.parametrize("dim", [2, 5])
def test_descent_without_relu_reaches_the_optimum_and_never_goes_below(dim, counts, bias):
    problem = deep(3, 3, dim, relu=False, bias=bias, counts=counts, weight_decay=2e-3, feature_decay=2e-3)
    found = [descended(problem, seed) - problem.optimal_value for seed in range(6)]
    assert min(found) > -1e-13
    # some starts lose a direction, which is a local minimum of a deep model
    assert min(found) < 1e-8


@pytest.mark.parametrize("per_class", [1, 3])
@pytest.mark.parametrize("depth", [2, 3, 4])
def test_two_classes_with_relu_are_never_below_collapse(depth, per_class):
    problem = deep(2, depth, 16, per_class=per_class)
    assert problem.optimum().value == problem.optimal_value == problem.family("dnc").value
    found = [descended(problem, seed) - problem.optimal_value for seed in range(4)]
    assert min(found) > -1e-13
    # kinks of ReLU stop some starts short of it
    assert min(found) < 1e-8


@settings(max_examples=100)
@given(
    integers(2, 5),
    integers(1, 4),
    integers(1, 6),
    integers(0, 1000),
    floats(-1, 1),
    logs,
    booleans(),
    booleans(),
    booleans(),
)
def test_no_parameters_have_a_loss_below_the_bound(num_classes, depth, dim, seed, scale, log, relu, bias, uneven):
    counts = [1 + k * k for k in range(num_classes)] if uneven else None
    problem = deep(
        num_classes, depth, dim, relu=relu, bias=bias, counts=counts, weight_decay=10**log, feature_decay=10**log / 2
    )
    params = problem.samples.init(seed, 10**scale)
    if bias:
        params["bias"] = torch.full((num_classes,), 1 / num_classes, dtype=torch.float64)
    assert float(problem.loss(params)) >= problem.lower_bound - 1e-13
    # the steps of the proof: products of norms, then their means
    hidden = problem.logits({**params, "bias": torch.zeros(num_classes, dtype=torch.float64)})
    nuclear = float(torch.linalg.matrix_norm(hidden, "nuc"))
    norms = [float(params[name].norm()) for name in problem.samples.factors]
    assert nuclear <= math.prod(norms) * (1 + 1e-12)
    price = (depth + 1) / 2 * problem.coupling * nuclear ** (2 / (depth + 1))
    assert price <= float(problem.penalty(params)) * (1 + 1e-12)


@pytest.mark.parametrize(
    "size",
    [{}, {"bias": True}, {"dim": 2}, {"counts": (1, 4, 2)}, {"counts": (1, 4, 2), "bias": True}, {"depth": 2}],
    ids=str,
)
def test_descent_with_relu_stays_above_the_bound(size):
    problem = deep(**{"num_classes": 3, "depth": 3, "dim": 5, "weight_decay": 2e-3, "feature_decay": 2e-3, **size})
    assert problem.optimum() is None
    assert problem.optimal_value is None
    assert 0.003 < problem.lower_bound < min(descended(problem, seed) for seed in range(4))


@pytest.mark.parametrize(
    "more", [{}, {"bias": True}, {"counts": (1, 4, 2)}, {"counts": (1, 4, 2), "bias": True}], ids=str
)
def test_with_relu_zero_is_optimal_where_the_bound_is_least_there(more):
    size = {"num_classes": 3, "depth": 3, "dim": 5, **more}
    decay = 1e-3
    while deep(**size, weight_decay=decay, feature_decay=decay).optimum() is None:
        decay *= 1.01
    problem = deep(**size, weight_decay=decay, feature_decay=decay)
    assert problem.optimum().is_zero
    assert slow_loss(problem, problem.optimum().params) == pytest.approx(problem.optimal_value, abs=1e-14)
    assert largest_slope(problem, problem.optimum().params) < 1e-15
    assert -1e-13 < min(descended(problem, seed) for seed in range(2)) - problem.optimal_value < 1e-9
    just_below = deep(**size, weight_decay=decay / 1.01, feature_decay=decay / 1.01)
    assert just_below.lower_bound == pytest.approx(problem.optimal_value, rel=0.02)
    assert just_below.lower_bound < problem.optimal_value


def test_the_balanced_bound_is_the_scalar_problem_at_its_kappa():
    problem = deep(10, 4, per_class=3)
    kappa = problem.class_coupling * 10 ** (2 / 5)

    def price(scale):
        return (1 - scale) ** 2 / 2 + 2.5 * kappa * scale**0.4

    found = minimize_scalar(price, bounds=(0.5, 1), method="bounded", options={"xatol": 1e-12})
    assert problem.lower_bound == pytest.approx(found.fun, abs=1e-13)


@pytest.mark.parametrize(
    ("size", "name", "says"),
    [
        (
            {"num_classes": 7},
            "srg",
            r"no srg of .*: num_classes=7 is not r\(r−1\)/2, .* such as best_graph\(7\)",
        ),
        ({"num_classes": 2}, "kneser", r"num_classes=2 is not r\(r−1\)/2"),
        ({"dim": 9}, "dnc", "it needs dim ≥ 10, not 9"),
        ({"dim": 9}, "srg", "it needs dim ≥ 10, not 9"),
        (SIZES[5] | {"dim": 7}, "srg", "it needs dim ≥ 8, not 7"),
        ({"depth": 2}, "srg", "it needs relu=True and depth ≥ 3"),
        ({"relu": False}, "kneser", "it needs relu=True and depth ≥ 3"),
        ({"num_classes": 3}, "kneser", "any two edges of its graph share an end"),
        ({"counts": range(1, 11)}, "dnc", "it needs the same number of samples in every class"),
    ],
)
def test_a_family_that_does_not_exist_is_left_out_and_says_why(size, name, says):
    problem = deep(**size)
    assert name not in problem.families()
    assert name not in problem.family_values()
    with pytest.raises(ValueError, match=says):
        problem.family(name)


def test_unequal_classes_have_no_families_and_unknown_names_are_an_error():
    problem = deep(3, counts=(1, 2, 3))
    assert dict(problem.families()) == {}
    assert (problem.kappa, problem.stationary_dnc) == (None, None)
    with pytest.raises(KeyError, match="'etf' is not a family of deep-ufm-mse; there are: dnc, srg, kneser"):
        deep().family("etf")


def test_a_graph_is_checked_and_stored_as_plain_integers():
    problem = deep(3, graph=[(2, 1), (0, 1), (2, 0)])
    assert problem == deep(3, graph=((0, 1), (0, 2), (1, 2)))
    assert json.loads(json.dumps(asdict(problem)))["graph"] == [[0, 1], [0, 2], [1, 2]]
    assert problem.family_values() == deep(3).family_values()
    with pytest.raises(ValueError, match="graph has 2 edges, but every one of 3 classes is an edge"):
        deep(3, graph=[(0, 1), (1, 2)])
