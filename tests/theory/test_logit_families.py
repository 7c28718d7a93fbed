"""Shapes of class logits: what is stated of them in closed form against the matrices themselves."""

from __future__ import annotations

import itertools
import math

import pytest
import torch

from caltrop.theory.logit_families import factorisations, logit_shape, logit_shapes

EVERY = [shape for classes in (2, 3, 4, 5, 6, 7, 8, 12, 16) for shape in logit_shapes(classes)]
shapes = pytest.mark.parametrize("shape", EVERY, ids=[f"{shape.num_classes}-{shape.name}" for shape in EVERY])


def defined(name, classes):
    """Entry by entry from the definition."""
    if name == "simplex":
        return [[(i == j) - 1 / classes for j in range(classes)] for i in range(classes)]
    if name == "pairs":
        return [[(i == j) - (i != j and i // 2 == j // 2) for j in range(classes)] for i in range(classes)]
    if name == "polygon":
        return [[math.cos(2 * math.pi * (i - j) / classes) for j in range(classes)] for i in range(classes)]
    if name == "hypercube":
        bits = int(math.log2(classes))
        return [[1 - 2 * (i ^ j).bit_count() / bits for j in range(classes)] for i in range(classes)]
    sizes = [int(size) for size in name.split()[1].split("x")]
    words = list(itertools.product(*map(range, sizes)))
    return [
        [sum((a == b) - 1 / size for a, b, size in zip(one, other, sizes, strict=True)) for other in words]
        for one in words
    ]


@shapes
def test_a_shape_is_its_definition(shape):
    expected = torch.tensor(defined(shape.name, shape.num_classes), dtype=torch.float64)
    assert torch.allclose(shape.logits, expected, rtol=0, atol=1e-14)


@shapes
def test_the_axes_are_orthonormal_and_the_spectrum_is_that_of_the_matrix(shape):
    axes = shape.axes
    assert axes.shape == (shape.num_classes, shape.rank)
    assert torch.allclose(axes.T @ axes, torch.eye(shape.rank, dtype=torch.float64), rtol=0, atol=1e-14)
    found = torch.linalg.eigvalsh(shape.logits).flip(0)
    expected = shape.strengths.sort(descending=True).values
    assert found[: shape.rank].tolist() == pytest.approx(expected.tolist(), abs=1e-13)
    assert float(found[shape.rank :].abs().max()) < 1e-13 if shape.rank < shape.num_classes else True
    assert shape.schatten(0.4) == pytest.approx(float((expected**0.4).sum()), rel=1e-13)


@shapes
def test_the_margins_are_those_of_the_matrix(shape):
    logits = shape.logits
    margins = (logits.diagonal()[:, None] - logits).tolist()
    found = sorted(sorted(value for j, value in enumerate(row) if j != k) for k, row in enumerate(margins))
    expected = sorted(
        sorted(itertools.chain.from_iterable([margin] * times for margin, times in group))
        for share, group in shape.margins.groups
        for _ in range(round(share * shape.num_classes))
    )
    assert len(found) == len(expected)
    for row, other in zip(found, expected, strict=True):
        assert row == pytest.approx(other, abs=1e-13)
    assert shape.margins.num_classes == shape.num_classes
    assert shape.margins.least == pytest.approx(min(map(min, expected)), abs=1e-14)
    assert shape.margins.most == pytest.approx(max(map(max, expected)), abs=1e-14)
    assert shape.margins.mean == pytest.approx(sum(map(sum, margins)) / shape.num_classes**2, rel=1e-13)


@shapes
def test_the_parts_cover_the_classes_and_their_lift_is_the_least_that_leaves_no_negative_entry(shape):
    logits = shape.logits
    assert [part.first for part in shape.parts] == [0, *(part.stop for part in shape.parts[:-1])]
    assert shape.parts[-1].stop == shape.num_classes
    assert sum(part.rank for part in shape.parts) == shape.rank
    for part in shape.parts:
        block = logits[part.first : part.stop, part.first : part.stop]
        size = part.stop - part.first
        assert float(block.abs().sum()) + float(logits.abs().sum() - logits[part.first : part.stop].abs().sum()) > 0
        assert float((block + part.lift / size).min()) == pytest.approx(0 if part.lift else 1, abs=1e-14)
        if part.lift:
            assert float(block.sum(dim=1).abs().max()) < 1e-13
        outside = logits[part.first : part.stop].clone()
        outside[:, part.first : part.stop] = 0
        assert float(outside.abs().max()) == 0


def test_for_two_classes_all_shapes_are_multiples_of_one():
    assert {shape.name for shape in logit_shapes(2)} == {"simplex", "pairs", "polygon", "hypercube"}
    for shape in logit_shapes(2):
        assert torch.allclose(shape.logits / shape.logits[0, 0], torch.tensor([[1.0, -1], [-1, 1]]).double())


def test_products_are_all_factorisations_but_those_into_twos():
    names = [shape.name for shape in logit_shapes(24)]
    assert names[3:] == [
        "product 12x2",
        "product 8x3",
        "product 6x4",
        "product 6x2x2",
        "product 4x3x2",
        "product 3x2x2x2",
    ]
    assert list(factorisations(7, 6)) == []
    assert sorted(math.prod(one) for one in factorisations(60, 60)) == [60] * 11  # OEIS A001055(60)


@pytest.mark.parametrize(
    ("name", "classes", "reason"),
    [
        ("hypercube", 6, "a hypercube has 2, 4, 8, … corners, but num_classes=6"),
        ("product 2x2", 6, "2x2 is no product .* that gives num_classes=6"),
        ("product 6", 6, "6 is no product of two or more factors"),
        ("product 6x1", 6, "6x1 is no product"),
    ],
)
def test_a_shape_that_does_not_exist_for_this_number_of_classes_says_why(name, classes, reason):
    with pytest.raises(ValueError, match=reason):
        logit_shape(name, classes)


@pytest.mark.parametrize("name", ["cube", "product", "product axb", "product 2×3"])
def test_an_unknown_name_is_answered_by_those_there_are(name):
    with pytest.raises(KeyError, match=f"'{name}' is no family of logits; for 6 classes there are: simplex, .*3x2"):
        logit_shape(name, 6)


@shapes
def test_a_name_finds_its_shape(shape):
    assert torch.equal(logit_shape(shape.name, shape.num_classes).logits, shape.logits)
