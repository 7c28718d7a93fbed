"""What solutions are called: families as themselves, in any gauge; collapse only where every layer has collapsed."""

from __future__ import annotations

import itertools
import math

import numpy as np
import pytest
import torch
from scipy.optimize import minimize

from caltrop.solve.structure import name_structure, name_structures
from caltrop.theory import DeepUfmCrossEntropy, DeepUfmMse, UfmCrossEntropy, UfmMse, best_graph

approx = pytest.approx
DECAYS = {"weight_decay": 1e-3, "feature_decay": 1e-3}
# K, L, classes' graph; 7 classes are no triangle
RECTIFIED = [
    (3, 4, None),
    (6, 3, None),
    (6, 5, None),
    (10, 3, None),
    (10, 4, None),
    (15, 5, None),
    (21, 3, None),
    (7, 4, best_graph(7)),
    (9, 3, best_graph(9)),
]


def mse(num_classes, depth, graph=None, **fields):
    return DeepUfmMse(num_classes=num_classes, depth=depth, dim=num_classes + 5, graph=graph, **DECAYS | fields)


def entropy(num_classes, depth, **fields):
    return DeepUfmCrossEntropy(num_classes=num_classes, depth=depth, dim=num_classes + 5, **DECAYS | fields)


def random_rotation(dim, seed):
    generator = torch.Generator().manual_seed(seed)
    return torch.linalg.qr(torch.randn(dim, dim, generator=generator, dtype=torch.float64)).Q


def in_another_gauge(problem, params, seed):
    """Classes in another order, hidden units permuted (features below the first matrix and linear layers rotated)."""
    generator = torch.Generator().manual_seed(seed)
    order = torch.randperm(problem.num_classes, generator=generator)
    names = problem.class_means.factors
    moved = {**params, "features": params["features"][order], "weights": params["weights"][order]}
    for place, (lower, upper) in enumerate(itertools.pairwise(names)):
        turn = random_rotation(problem.dim, seed + place)
        if place > 0 and getattr(problem, "relu", False):
            turn = torch.eye(problem.dim, dtype=torch.float64)[torch.randperm(problem.dim, generator=generator)]
        moved[lower] = moved[lower] @ turn if place == 0 else turn.T @ moved[lower]
        moved[upper] = moved[upper] @ turn
    return moved


def of_class_means(problem, name):
    params = problem.family(name).params
    return {**params, "features": params["features"][:: problem.per_class]}


@pytest.mark.parametrize(("num_classes", "depth", "graph"), RECTIFIED)
@pytest.mark.parametrize("name", ["dnc", "srg", "kneser"])
def test_families_of_squared_error_are_named_in_any_gauge(num_classes, depth, graph, name):
    problem = mse(num_classes, depth, graph)
    if name not in problem.families():
        pytest.skip("any two edges share an end: ReLU leaves nothing")
    params = in_another_gauge(problem, of_class_means(problem, name), seed=num_classes)
    found = name_structure(problem, params)
    assert found.deviation < 1e-10
    assert found.is_dnc is (name == "dnc")
    if num_classes == 6 and name != "dnc":
        assert (found.name, found.also) == ("srg", ("kneser",))  # the same point of edges of a tetrahedron
    else:
        assert (found.name, found.also) == (name, ())


def test_the_families_of_six_classes_that_share_a_name_share_a_value():
    values = mse(6, 4).family_values()
    assert values["srg"] == approx(values["kneser"], rel=1e-10)


@pytest.mark.parametrize(("name", "rank"), [("dnc", 10), ("srg", 5), ("kneser", 5)])
def test_the_rank_is_the_least_of_all_layers(name, rank):
    problem = mse(10, 4)
    found = name_structure(problem, of_class_means(problem, name))
    assert found.rank == rank
    assert found.layer_ranks["layer 4 pre"] == rank
    assert found.layer_ranks["layer 4"] == 10
    assert found.scale == approx(float(np.linalg.norm(_logits(problem, name), 2)), rel=1e-12)


def _logits(problem, name):
    return problem.class_means.logits(of_class_means(problem, name)).numpy()


@pytest.mark.parametrize("name", ["dnc", "srg", "kneser"])
@pytest.mark.parametrize("share", [5e-3, 0.2])
def test_a_little_noise_keeps_the_name_of_a_rectified_point_and_much_takes_it(name, share):
    problem = mse(10, 4)
    params = of_class_means(problem, name)
    generator = torch.Generator().manual_seed(0)
    moved = {
        key: value + share * value.norm() / math.sqrt(value.numel()) * torch.randn(value.shape, generator=generator)
        for key, value in params.items()
    }
    found = name_structure(problem, moved)
    assert found.name == (name if share == 5e-3 else f"unknown, rank {found.rank}")
    assert name_structure(problem, moved, gram_tol=1e-4).name == f"unknown, rank {found.rank}"


def test_logits_alone_do_not_make_collapse():
    """All three have nearly the identity as logits: one layer that differs takes the name away."""
    problem = mse(10, 4)
    params = of_class_means(problem, "srg")
    # a head for the kneser sign on features of srg, and a gain in one hidden layer only
    turned = {**params, "weights_3": -params["weights_3"]}
    assert name_structure(problem, turned).name == "unknown, rank 5"
    dnc = of_class_means(problem, "dnc")
    stretched = dict(dnc)
    gains = torch.ones(problem.dim, dtype=torch.float64)
    gains[0] = 2.0
    stretched["weights_2"], stretched["weights_3"] = dnc["weights_2"] * gains[:, None], dnc["weights_3"] / gains
    assert torch.allclose(problem.class_means.logits(stretched), problem.class_means.logits(dnc))
    assert name_structure(problem, stretched).name == "unknown, rank 10"


def test_a_graph_of_other_edges_is_another_point():
    graph = best_graph(9)
    other = (*graph[:-1], (0, 5))
    params = of_class_means(mse(9, 4, graph), "srg")
    assert name_structure(mse(9, 4, graph), params).name == "srg"
    assert name_structure(mse(9, 4, other), params).name.startswith("unknown")
    assert name_structure(mse(9, 4), params).name.startswith("unknown")


@pytest.mark.parametrize("relu", [False, True])
def test_a_class_that_was_dropped_is_named(relu):
    problem = mse(10, 3, relu=relu)
    params = of_class_means(problem, "dnc")
    kept = torch.ones(10, 1, dtype=torch.float64)
    kept[3] = 0
    found = name_structure(
        problem, {**params, "features": params["features"] * kept, "weights": params["weights"] * kept}
    )
    assert found.name == "dnc without 1 class"
    assert str(found) == "dnc without class 3"
    assert not found.is_dnc
    assert found.rank == 9


@pytest.mark.parametrize("relu", [False, True])
@pytest.mark.parametrize("depth", [1, 2, 4])
@pytest.mark.parametrize("num_classes", [2, 3, 4, 5, 6, 7, 8, 9, 10, 16])
def test_families_of_cross_entropy_are_named_in_any_gauge(num_classes, depth, relu):
    problem = entropy(num_classes, depth, relu=relu, per_class=2)
    for name, point in problem.families().items():
        params = {**point.params, "features": point.params["features"][::2]}
        found = name_structure(problem, in_another_gauge(problem, params, seed=depth))
        if point.is_zero:
            assert found.name == "zero"
        else:
            assert name in (found.name, *found.also)
            assert found.deviation < 1e-10
            assert found.is_dnc is (name == "simplex" or found.name == "simplex")


@pytest.mark.parametrize(
    ("problem", "name"),
    [
        (UfmMse(num_classes=5, dim=7, **DECAYS), "dnc"),
        (UfmMse(num_classes=5, dim=7, bias=True, **DECAYS), "dnc"),
        (UfmMse(num_classes=2, dim=3, **DECAYS), "dnc"),
        (UfmMse(num_classes=2, dim=3, bias=True, **DECAYS), "dnc"),
        (UfmMse(num_classes=3, dim=7, counts=(5, 3, 2), **DECAYS), "frame of unequal lengths"),
        (UfmCrossEntropy(num_classes=5, dim=4, **DECAYS), "simplex"),
        (UfmCrossEntropy(num_classes=5, dim=7, bias=True, **DECAYS), "simplex"),
        (UfmMse(num_classes=5, dim=7, weight_decay=1.0, feature_decay=1.0), "zero"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_optima_of_one_layer_are_named(problem, name):
    found = name_structure(problem, problem.optimum().params)
    assert found.name == name
    assert found.is_dnc is (name in ("dnc", "simplex"))


def test_squared_error_in_too_few_dimensions_keeps_a_projection():
    problem = UfmMse(num_classes=6, dim=4, **DECAYS)
    optimum = problem.optimum()
    assert name_structure(problem, optimum.params).name == "dnc without 2 classes"
    # any rotation of the classes is as good: the loss is the same
    turn = random_rotation(6, seed=1)
    params = {
        **optimum.params,
        "features": turn @ optimum.params["features"],
        "weights": turn @ optimum.params["weights"],
    }
    assert float(problem.loss(params)) == approx(optimum.value, rel=1e-12)
    assert name_structure(problem, params).name == "flat frame, rank 4"


def solved(problem, seed):
    """L-BFGS of the class-mean form from one start, by SciPy."""
    chain = problem.class_means
    start = chain.init(seed)
    names, sizes = list(start), [value.numel() for value in start.values()]

    def unpacked(flat):
        parts = torch.from_numpy(flat.copy()).split(sizes)
        return {name: part.view(start[name].shape) for name, part in zip(names, parts, strict=True)}

    def value_and_slope(flat):
        value, gradient = chain.value_and_gradient(unpacked(flat))
        return float(value), torch.cat([gradient[name].reshape(-1) for name in names]).numpy()

    flat = torch.cat([value.reshape(-1) for value in start.values()]).numpy()
    options = {"maxiter": 20000, "maxfun": 40000, "ftol": 1e-16, "gtol": 1e-9, "maxcor": 30}
    found = minimize(value_and_slope, flat, jac=True, method="L-BFGS-B", options=options)
    return found.fun, unpacked(found.x)


@pytest.mark.parametrize(
    ("num_classes", "depth", "value", "names"),
    [
        # losses of the best points known, and the names that a look at their logits gives
        (4, 3, 0.0162300, "pairs"),
        (5, 2, 0.0245134, "2 pairs + 1 single"),
        (5, 4, 0.0193815, "polygon"),
        (6, 2, 0.0289321, "pairs"),
        (7, 3, 0.0293080, "polygon of 5 + 1 pair"),
        (8, 4, 0.0293560, "antiprism"),
        (10, 4, 0.0368073, "triangular"),
    ],
)
def test_solutions_are_named_like_the_values_that_they_reach(num_classes, depth, value, names):
    problem = DeepUfmCrossEntropy(
        num_classes=num_classes, depth=depth, dim=num_classes + 2, weight_decay=2**-10, feature_decay=2**-10
    )
    for seed in range(12):
        found, params = solved(problem, seed)
        if found == approx(value, abs=5e-7):
            structure = name_structure(problem, params)
            assert structure.name == names
            assert structure.deviation < 1e-5
            return
    pytest.fail(f"no start out of 12 reached {value}")


def test_points_over_samples_are_named_and_spread_within_classes_is_not_collapse():
    problem = entropy(4, 2, per_class=3)
    params = problem.family("simplex").params
    assert len(params["features"]) == 12
    assert name_structure(problem, params).name == "simplex"
    generator = torch.Generator().manual_seed(0)
    shifts = torch.randn(4, 3, problem.dim, generator=generator, dtype=torch.float64)
    # class means stay where they are
    spread = (shifts - shifts.mean(dim=1, keepdim=True)).reshape(12, -1)
    moved = {**params, "features": params["features"] + 0.1 * spread}
    assert name_structure(problem, moved).name == "unknown, rank 3"


def test_a_leading_axis_is_named_point_by_point():
    problem = entropy(6, 3)
    points = [of_class_means(problem, name) for name in ("simplex", "pairs", "polygon")]
    stacked = {key: torch.stack([point[key] for point in points]) for key in points[0]}
    assert [found.name for found in name_structures(problem, stacked)] == ["simplex", "pairs", "polygon"]
    with pytest.raises(ValueError, match=r"features of shape \[3, 6, 11\] are more than one point"):
        name_structure(problem, stacked)


def test_a_shift_of_the_logits_is_no_structure_of_cross_entropy():
    problem = UfmCrossEntropy(num_classes=4, dim=6, **DECAYS)
    params = problem.optimum().params
    shifted = {**params, "weights": params["weights"] + torch.arange(6, dtype=torch.float64)}
    assert name_structure(problem, shifted).name == "simplex"


class Other:
    """A problem that has no classes."""

    optimal_value = None
    lower_bound = 0.0

    def init(self, seed): ...
    def loss(self, params): ...
    def features(self, params): ...
    def optimum(self): ...
    def families(self): ...


def test_a_shift_of_the_features_is_no_structure_where_a_bias_takes_it_up():
    problem = UfmMse(num_classes=4, dim=6, bias=True, **DECAYS)
    params = problem.optimum().params
    shifted = {**params, "features": params["features"] + torch.arange(6, dtype=torch.float64)}
    assert name_structure(problem, shifted).name == "dnc"


def of_opposite_features(problem, params):
    """The same point with √(I − P) for I in features and first matrix, P the exchange of classes 0 and 5, 1 and 4, …"""
    root = (torch.eye(6, dtype=torch.float64) - torch.eye(6, dtype=torch.float64).flip(0)) / math.sqrt(2)
    corner = torch.eye(6, problem.dim, dtype=torch.float64)
    turned = corner.T @ root @ corner
    return {**params, "features": params["features"] @ turned, "weights_1": turned @ params["weights_1"]}


@pytest.mark.parametrize("depth", [2, 4])
def test_collapse_with_squared_error_is_collapse_behind_relu(depth):
    """Opposite pairs have half the rank before the first ReLU, the same image behind it, and the same loss."""
    problem = mse(6, depth)
    collapsed = problem.family("dnc").params
    params = of_opposite_features(problem, collapsed)
    layers = problem.class_means.layers(params)
    assert int(torch.linalg.matrix_rank(layers["layer 2 pre"])) == 3
    assert torch.allclose(layers["layer 2"], problem.class_means.layers(collapsed)["layer 2"], atol=1e-14)
    assert float(problem.loss(params)) == pytest.approx(problem.family("dnc").value, abs=1e-14)
    assert name_structure(problem, params).name == "dnc"


def test_collapse_with_cross_entropy_asks_for_a_simplex_before_relu_too():
    problem = entropy(6, 2, relu=True)
    corner = torch.eye(6, problem.dim, dtype=torch.float64)
    params = {"features": corner, "weights_1": corner.T @ corner, "weights": corner}
    assert name_structure(problem, params).is_dnc
    assert name_structure(problem, of_opposite_features(problem, params)).name == "unknown, rank 3"


def test_what_is_not_finite_or_has_no_class_logits_is_said_so():
    problem = entropy(4, 2)
    params = of_class_means(problem, "simplex")
    broken = {**params, "weights": params["weights"] * math.nan}
    assert name_structure(problem, broken).name == "not finite"
    assert name_structure(Other(), params).name == "no class logits"


def test_features_of_another_number_of_rows_are_refused():
    problem = entropy(4, 2, per_class=3)
    params = problem.family("simplex").params
    with pytest.raises(ValueError, match="features have 5 rows; they should be 4 class means or 12 samples"):
        name_structure(problem, {**params, "features": params["features"][:5]})


def test_descent_into_collapse_is_named_before_it_is_exact():
    """Negative entries before the first ReLU cost nothing, and descent ends with some of them."""
    problem = DeepUfmMse(num_classes=3, depth=3, dim=8, weight_decay=0.004, feature_decay=0.004)
    chain = problem.class_means
    generator = torch.Generator().manual_seed(1)
    start = problem.family("dnc").params
    params = {n: v + 0.1 * torch.randn(v.shape, generator=generator, dtype=v.dtype) for n, v in start.items()}
    for _ in range(3000):
        _, gradient = chain.value_and_gradient(params)
        params = {name: value - 0.5 * gradient[name] for name, value in params.items()}
    found = name_structure(problem, params)
    assert found.name == "dnc"
    assert found.deviation > 1e-6
    before = chain.layers(params)["layer 2 pre"]
    assert float(before.min()) < -0.01 * float(before.max())
    assert float(chain.loss(params)) == approx(problem.family("dnc").value, rel=1e-2)
