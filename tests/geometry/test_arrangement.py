"""Names of arrangements: right for every order, length and small noise; never a name for what is not one."""

from __future__ import annotations

import math
from itertools import combinations, permutations

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis.strategies import integers, sampled_from

from caltrop.geometry import Structure, deviation_from, name_arrangement, shapes_of, structure_counts
from caltrop.geometry.arrangement import twins

approx = pytest.approx
SIZES = (2, 3, 4, 5, 6, 7, 8, 9, 10, 12, 15, 16, 21, 27, 31, 32)
SHAPES = [(number, shape.name) for number in SIZES for shape in shapes_of(number)]


def shape_of(number, name):
    return next(shape for shape in shapes_of(number) if shape.name == name)


def lengths_of(shape):
    """Different ones, where a shape has several."""
    return tuple(1 + 0.37 * part for part in range(len(shape.parts)))


def shuffled(matrix, seed, scale=1.0):
    order = np.random.default_rng(seed).permutation(len(matrix))
    return scale * matrix[np.ix_(order, order)]


def noisy(matrix, share, seed):
    noise = np.random.default_rng(seed).standard_normal(matrix.shape)
    return matrix + share * np.linalg.norm(matrix) / np.linalg.norm(noise) * noise


def joined(*blocks):
    total = np.zeros((sum(map(len, blocks)),) * 2)
    start = 0
    for block in blocks:
        total[start : start + len(block), start : start + len(block)] = block
        start += len(block)
    return total


def simplex(number, length=1.0):
    return length * (np.eye(number) - 1 / number)


def pair(length=1.0):
    return length * np.array([[1.0, -1.0], [-1.0, 1.0]])


def cosines(number):
    steps = np.arange(number)
    return np.cos(2 * math.pi * (steps[:, None] - steps) / number)


def words(*sizes):
    """Numbers of equal letters of two words, centred: Gram matrices of a product, by definition."""
    every = np.array(np.meshgrid(*map(np.arange, sizes), indexing="ij")).reshape(len(sizes), -1).T
    return sum((every[:, None, place] == every[None, :, place]) - 1 / size for place, size in enumerate(sizes))


def edges(points):
    """Numbers of common ends of two edges, centred."""
    every = list(combinations(range(points), 2))
    return np.array([[len({*one} & {*other}) - 4 / points for other in every] for one in every])


DEFINED = {
    (7, "simplex"): simplex(7),
    (8, "pairs"): joined(*[pair()] * 4),
    (7, "polygon"): cosines(7),
    (16, "hypercube"): words(2, 2, 2, 2),
    (9, "product 3x3"): words(3, 3),
    (6, "product 3x2"): words(2, 3),
    (10, "product 5x2"): words(5, 2),
    (12, "product 3x2x2"): words(2, 3, 2),
    (10, "triangular"): edges(5),
    (21, "triangular"): edges(7),
    (8, "antiprism"): 1.4 * cosines(8) + np.outer((-1.0) ** np.arange(8), (-1.0) ** np.arange(8)),
}


@pytest.mark.parametrize("case", DEFINED, ids=str)
def test_an_arrangement_written_from_its_definition_is_named_in_any_order(case):
    found = name_arrangement(shuffled(DEFINED[case], seed=3, scale=7.3))
    assert found.name == case[1]
    assert found.deviation < 1e-14
    assert found.rank == np.linalg.matrix_rank(DEFINED[case])
    assert found.scale == approx(7.3 * np.linalg.norm(DEFINED[case], 2), rel=1e-12)


@pytest.mark.parametrize(("number", "name"), SHAPES)
def test_every_shape_is_named_and_laid_out_in_its_order(number, name):
    shape = shape_of(number, name)
    matrix = shape.of(lengths_of(shape))
    given = shuffled(matrix, seed=number, scale=0.02)
    found = name_arrangement(given)
    assert name in (found.name, *found.also)
    assert found.deviation < 1e-12
    (block,) = found.blocks
    assert sorted(block.classes) == list(range(number))
    placed = given[np.ix_(block.classes, block.classes)]
    first = shape_of(number, found.name)
    assert placed == approx(first.of(tuple(float((placed * part).sum()) for part in normed(first))), abs=1e-12)


def normed(shape):
    return [part / rank for part, rank in zip(shape.parts, shape.ranks, strict=True)]


@pytest.mark.parametrize(("number", "name"), SHAPES)
def test_noise_within_the_tolerance_keeps_the_name_and_is_the_deviation(number, name):
    shape = shape_of(number, name)
    found = name_arrangement(shuffled(noisy(shape.of(lengths_of(shape)), 5e-4, seed=number), seed=1))
    assert name in (found.name, *found.also)
    # the best lengths and order take up a little of the noise; with few classes up to a half of its square
    assert 2e-4 < found.deviation <= 5e-4


@pytest.mark.parametrize(("number", "name"), SHAPES)
def test_noise_beyond_the_tolerance_takes_the_name(number, name):
    shape = shape_of(number, name)
    # of four entries of noise the length takes up one, so that a few times the tolerance is surely too far
    found = name_arrangement(shuffled(noisy(shape.of(lengths_of(shape)), 5e-3, seed=number), seed=1))
    assert found.name.startswith("unknown")
    assert math.isnan(found.deviation)
    assert found.name == f"unknown, rank {found.rank}"


@pytest.mark.parametrize(("number", "name"), SHAPES)
def test_a_looser_tolerance_brings_it_back(number, name):
    shape = shape_of(number, name)
    given = shuffled(noisy(shape.of(lengths_of(shape)), 5e-3, seed=number), seed=1)
    found = name_arrangement(given, tol=1e-2)
    assert name in (found.name, *found.also)


def name_of(shape):
    return name_arrangement(shape.of(lengths_of(shape))).name


@pytest.mark.parametrize("number", SIZES)
def test_no_shape_has_the_name_of_one_with_other_entries(number):
    shapes = shapes_of(number)
    for one, other in combinations(shapes, 2):
        left, right = (np.sort(shape.of(lengths_of(shape)), axis=None) for shape in (one, other))
        if np.linalg.norm(left / np.linalg.norm(left) - right / np.linalg.norm(right)) > 1e-6:
            # the entries differ whatever the order is
            assert name_of(one) != name_of(other)


@pytest.mark.parametrize("number", [6, 8, 9, 10, 12, 16])
@pytest.mark.parametrize("share", [0.01, 0.3, 0.7, 0.99])
def test_what_lies_between_two_shapes_is_neither(number, share):
    shapes = [shape for shape in shapes_of(number) if len(shape.parts) == 1]
    for one, other in combinations(shapes, 2):
        if other.name in _names(one):
            continue
        left, right = one.of((1.0,)), other.of((1.0,))
        mixed = (1 - share) * left / np.linalg.norm(left) + share * right / np.linalg.norm(right)
        found = name_arrangement(shuffled(mixed, seed=2))
        assert found.name not in _names(one) | _names(other)


def _names(shape):
    found = name_arrangement(shape.of(lengths_of(shape)))
    return {found.name, *found.also}


@given(seed=integers(0, 10**6), name=sampled_from(["simplex", "pairs", "polygon", "antiprism", "product 3x2"]))
@settings(max_examples=40)
def test_the_order_is_as_good_as_the_best_of_all_orders(seed, name):
    """Noise about as large as the tolerance: the name is given exactly where some order of all 720 is near enough."""
    shape = shape_of(6, name)
    share = 0.02 * np.random.default_rng(seed).uniform(0.5, 1.5)
    given_matrix = shuffled(noisy(shape.of(lengths_of(shape)), share, seed), seed)
    best = math.inf
    for order in permutations(range(6)):
        placed = given_matrix[np.ix_(order, order)]
        fitted = shape.of(tuple(float((placed * part).sum()) for part in normed(shape)))
        best = min(best, float(np.linalg.norm(placed - fitted) / np.linalg.norm(placed)))
    found = name_arrangement(given_matrix, tol=0.02)
    if best < 0.02:
        assert name in (found.name, *found.also)
        assert name != found.name or found.deviation == approx(best, rel=1e-9)
    else:
        assert name not in (found.name, *found.also)


SUMS = {
    "simplex of 5 + 2 pairs": [simplex(5, 7.0), pair(3.1), pair(3.3)],
    "simplex of 6 + 2 simplices of 3": [simplex(6), simplex(3, 2.0), simplex(3, 2.1)],
    "polygon of 5 + 1 pair": [cosines(5), pair(2.0)],
    "antiprism of 8 + 1 pair": [DEFINED[8, "antiprism"], pair(4.0)],
    "product 3x3 + 1 pair": [words(3, 3), pair()],
    "2 polygons of 5 + 3 pairs": [cosines(5), cosines(5), pair(), pair(), pair()],
    "pairs of unequal lengths": [pair(), pair(2.0), pair()],
    "frame": [np.eye(5)],
    "frame of unequal lengths": [np.diag([1.0, 1.0, 2.0])],
    "simplex without 1 class": [simplex(9), np.zeros((1, 1))],
    "pairs without 2 classes": [pair(), pair(), pair(), np.zeros((2, 2))],
    "polygon of 5 + 1 pair without 1 class": [cosines(5), pair(), np.zeros((1, 1))],
    "frame without 3 classes": [2 * np.eye(4), np.zeros((3, 3))],
}


@pytest.mark.parametrize("name", SUMS)
@pytest.mark.parametrize("share", [0, 5e-4])
def test_sums_are_told_apart_into_their_parts(name, share):
    matrix = joined(*SUMS[name])
    found = name_arrangement(shuffled(noisy(matrix, share, seed=0), seed=5, scale=3.0))
    assert found.name == name
    assert found.is_known
    assert found.deviation <= max(share, 1e-14)
    assert found.rank == np.linalg.matrix_rank(matrix)
    assert sorted(label for block in found.blocks for label in block.classes) == list(range(len(matrix)))
    assert sum(block.rank for block in found.blocks) == found.rank


@pytest.mark.parametrize("name", SUMS)
def test_sums_with_noise_beyond_the_tolerance_are_unknown(name):
    # 1 % of the whole is a few times the tolerance of every part
    found = name_arrangement(shuffled(noisy(joined(*SUMS[name]), 1e-2, seed=0), seed=5))
    assert not found.is_known


@pytest.mark.parametrize(("gap", "known"), [(1e-2, False), (1e-5, True)])
def test_a_sum_with_a_bridge_between_its_parts_is_none(gap, known):
    matrix = joined(*SUMS["polygon of 5 + 1 pair"])
    matrix[0, 5] = matrix[5, 0] = gap * np.linalg.norm(matrix)
    assert name_arrangement(matrix).is_known is known


def grouped(sizes, lengths, means):
    """Simplices inside groups, and `means` between them."""
    labels = np.repeat(np.arange(len(sizes)), sizes)
    return joined(*map(simplex, sizes, lengths)) + np.asarray(means)[np.ix_(labels, labels)]


def test_pairs_and_a_single_class_are_named_where_rows_are_centred():
    """Five classes at depth 2: the logits of the best point known, singular values 14.12 (twice) and 6.96."""
    found = name_arrangement(
        shuffled(grouped([2, 2, 1], [14.12, 14.12, 0], [[0.207, 0.207, -0.828]] * 2 + [[-1.5, -1.5, 6.0]]), seed=0)
    )
    assert found.name == "2 pairs + 1 single"
    assert found.also == ("pairs",)
    assert (found.rank, len(found.blocks)) == (3, 3)


@pytest.mark.parametrize("last", [1.0, 1.7])
def test_an_odd_number_of_classes_in_pairs_is_named_like_its_optimum(last):
    matrix = joined(pair(), pair(), pair(), np.full((1, 1), last))
    centred = matrix - matrix.mean(axis=1, keepdims=True)
    assert name_arrangement(shuffled(centred, seed=4)).name == "3 pairs + 1 single"


def test_groups_that_are_apart_are_simplices_with_a_rank_between_them():
    found = name_arrangement(shuffled(grouped([4, 3], [2.0, 1.0], [[0.3, -0.4], [-0.3, 0.4]]), seed=1))
    assert found.name == "simplex of 4 + simplex of 3, rank 1 between"
    assert found.rank == 6


def test_classes_that_have_merged_are_named():
    """Minority collapse: rows of the small classes are equal."""
    found = name_arrangement(shuffled(grouped([4, 3], [2.0, 0.0], [[0.3, -0.4], [-0.3, 0.4]]), seed=1))
    assert found.name == "simplex of 4 + merged of 3, rank 1 between"
    assert found.rank == 4


def test_a_simplex_around_a_mean_is_a_simplex_beside_a_constant():
    found = name_arrangement(np.eye(5) * 3 + 0.4)
    assert found.name == "simplex beside a constant"
    assert found.is_dnc


@pytest.mark.parametrize("rank", [1, 2, 5])
def test_a_projection_of_some_directions_is_flat(rank):
    axes = np.linalg.qr(np.random.default_rng(rank).standard_normal((8, rank)))[0]
    assert name_arrangement(4 * axes @ axes.T).name == f"flat frame, rank {rank}"
    centred = np.linalg.qr(simplex(8) @ np.random.default_rng(rank).standard_normal((8, rank)))[0]
    assert name_arrangement(4 * centred @ centred.T).name == f"flat simplex, rank {rank}"


@given(seed=integers(0, 10**6), number=integers(3, 12), rank=integers(1, 12))
@settings(max_examples=60)
def test_random_logits_are_unknown_with_their_rank(seed, number, rank):
    random = np.random.default_rng(seed)
    left, right = random.standard_normal((2, number, min(rank, number)))
    values = np.linspace(1, 2, min(rank, number))
    matrix = (np.linalg.qr(left)[0] * values) @ np.linalg.qr(right)[0].T
    assert name_arrangement(matrix).name == f"unknown, rank {min(rank, number)}"


@pytest.mark.parametrize(("last", "rank"), [(2e-3, 3), (5e-4, 2)])
def test_the_rank_is_by_a_stated_cut(last, rank):
    axes = np.linalg.qr(np.random.default_rng(0).standard_normal((6, 3)))[0]
    found = name_arrangement((axes * [1.0, 0.7, last]) @ axes.T)
    assert (found.name, found.rank) == (f"unknown, rank {rank}", rank)
    assert name_arrangement((axes * [1.0, 0.7, last]) @ axes.T, rank_cut=1e-5).rank == 3


@pytest.mark.parametrize("sign", [-1, 1])
def test_the_sign_of_logits_matters(sign):
    for number, name in [(5, "simplex"), (6, "pairs"), (7, "polygon"), (9, "product 3x3")]:
        found = name_arrangement(sign * shape_of(number, name).of((1.0,)))
        assert (found.name == name) is (sign == 1)


@pytest.mark.parametrize(
    "blocks", [[simplex(4), [[-1.0]]], [-simplex(4), np.eye(1)], [simplex(4), -pair(0.3)], [-np.eye(3)]], ids=str
)
def test_a_part_of_the_wrong_sign_has_no_name(blocks):
    assert not name_arrangement(joined(*map(np.asarray, blocks))).is_known


def test_classes_that_drift_in_small_steps_are_not_alike():
    """Neighbours differ by less than the tolerance, the first and the last by ten times as much."""
    part = simplex(12)
    drift = np.diag(np.linspace(0, 0.012, 12)) * np.linalg.norm(part)
    assert name_arrangement(joined(part, pair(5.0))).name == "simplex of 12 + 1 pair"
    assert name_arrangement(joined(part + drift, pair(5.0))).name == "unknown of 12, rank 12 + 1 pair"


def test_a_deviation_is_from_a_positive_multiple():
    assert deviation_from(3 * simplex(4), simplex(4)) == approx(0, abs=1e-15)
    assert deviation_from(-simplex(4), simplex(4)) == 1


def test_nothing_is_zero_and_nothing_is_not_a_number():
    assert name_arrangement(np.zeros((4, 4))) == name_arrangement(np.full((4, 4), 1e-7))
    assert name_arrangement(np.zeros((4, 4))).name == "zero"
    assert name_arrangement(torch.full((3, 3), math.nan)).name == "not finite"
    assert name_arrangement(np.diag([math.inf, 1.0])).name == "not finite"


@pytest.mark.parametrize("shape", [(3, 4), (3,), (2, 3, 3)])
def test_only_square_matrices_have_a_name(shape):
    with pytest.raises(ValueError, match=r"class logits form a square matrix, \[classes, classes\], not "):
        name_arrangement(np.zeros(shape))


def test_it_says_which_classes_are_missing_but_not_in_the_name():
    matrix = joined(simplex(3), np.zeros((2, 2)))[np.ix_([0, 3, 1, 4, 2], [0, 3, 1, 4, 2])]
    found = name_arrangement(matrix)
    assert found.dropped == (1, 3)
    assert found.name == "simplex without 2 classes"
    assert str(found) == "simplex without classes 1, 3"
    assert str(name_arrangement(np.diag([1.0, 0, 1.0]))) == "frame without class 1"
    assert str(name_arrangement(simplex(4))) == "simplex"


def test_names_are_counted_the_commonest_first():
    structures = [Structure(name, 1, 0.0, 1.0) for name in ("pairs", "simplex", "zero", "simplex", "polygon", "pairs")]
    assert list(structure_counts(structures).items()) == [("pairs", 2), ("simplex", 2), ("polygon", 1), ("zero", 1)]


def test_twins_are_classes_whose_exchange_changes_nothing():
    matrix = grouped([3, 2, 1, 1], [1.0, 2.0, 0, 0], np.random.default_rng(0).standard_normal((4, 4)))
    order = [4, 0, 5, 1, 6, 2, 3]
    matrix = matrix[np.ix_(order, order)]
    by_definition = set()
    for one, other in combinations(range(7), 2):
        traded = list(range(7))
        traded[one], traded[other] = other, one
        if np.linalg.norm(matrix - matrix[np.ix_(traded, traded)]) < 1e-12:
            by_definition.add((one, other))
    found = {couple for group in twins(matrix, 1e-6) for couple in combinations(group, 2)}
    assert found == by_definition
    assert len(found) == 4
