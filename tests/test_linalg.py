"""Grams, spans, spectra and tiles against NumPy, at the shapes where shortcuts break."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch

from caltrop import linalg
from caltrop.linalg import GramSum, effective_rank, eigenvalues, gram, matmul, principal_axes, spacing, tensor_of

approx = pytest.approx


def normal(*shape, seed=0, dtype=torch.float64):
    return torch.from_numpy(np.random.default_rng(seed).standard_normal(shape)).to(dtype)


def centred(rows):
    rows = rows - rows.mean(0)
    return rows - rows.mean(0)


# GramSum


@pytest.mark.parametrize("dim", [1, 2, 7, 40])
@pytest.mark.parametrize(("dtype", "tolerance"), [(torch.float64, 1e-13), (torch.float32, 1e-6)])
def test_a_sum_of_grams_is_the_gram_of_all_rows(dim, dtype, tolerance):
    rows = normal(50, dim, dtype=dtype)
    total = GramSum(dim)
    for block in torch.split(rows, [1, 0, 20, 29]):
        total.add(block)
    exact = rows.double().T @ rows.double()
    assert total.value().numpy() == approx(exact.numpy(), abs=tolerance * float(exact.diagonal().max()))


def test_a_sum_of_grams_is_exact_in_integers():
    rows = normal(64, 9).mul(8).round()
    total = GramSum(9)
    total.add(rows)
    total.add(rows.float())
    assert torch.equal(total.value(), 2 * rows.T @ rows)


def test_a_sum_of_grams_is_symmetric_to_the_last_bit():
    total = GramSum(30)
    total.add(normal(100, 30))
    assert torch.equal(total.value(), total.value().T)


def test_a_long_float32_sum_does_not_drift():
    """Added in float32, 2000 times 0.1² loses 1e-5 and more; each block here is rounded once."""
    total = GramSum(1)
    block = torch.full((1, 1), 0.1)
    for _ in range(2000):
        total.add(block)
    assert float(total.value()) == approx(2000 * float(block.double()) ** 2, rel=1e-7)


LAYOUTS = {
    "fortran": lambda rows: rows.T.contiguous().T,
    "every other row": lambda rows: torch.repeat_interleave(rows, 2, 0)[::2],
    "columns of wider rows": lambda rows: torch.cat([rows, rows], 1)[:, : rows.shape[1]],
}


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("layout", LAYOUTS)
def test_the_layout_of_rows_changes_neither_gram_nor_rows(layout, dtype):
    rows = LAYOUTS[layout](normal(20, 6, dtype=dtype))
    before = rows.clone()
    total = GramSum(6)
    total.add(rows)
    assert total.value().numpy() == approx((before.double().T @ before.double()).numpy(), rel=0, abs=1e-5)
    assert torch.equal(rows, before)


def test_a_value_may_be_read_between_additions():
    total = GramSum(3)
    total.add(normal(5, 3))
    first = total.value()
    total.add(normal(5, 3))
    assert total.value().numpy() == approx(2 * first.numpy())


# products and spectra


def test_products_are_those_of_torch():
    left, right = normal(30, 7), normal(7, 5, seed=1)
    assert matmul(left, right).numpy() == approx((left @ right).numpy(), abs=1e-13)
    assert gram(left).numpy() == approx((left.T @ left).numpy(), abs=1e-13)


@pytest.mark.parametrize("shape", [(9, 4), (4, 9), (5, 5), (1, 3), (3, 1)])
def test_eigenvalues_are_squared_singular_values(shape):
    rows = normal(*shape)
    expected = np.linalg.svd(rows.numpy(), compute_uv=False) ** 2
    assert eigenvalues(rows).numpy() == approx(expected, rel=1e-12)


def test_eigenvalues_of_a_degenerate_gram_are_never_negative():
    assert float(eigenvalues(normal(6, 1) @ normal(1, 6, seed=1)).min()) >= 0


# principal axes

SHAPES = [(4, 9), (9, 4), (5, 4), (4, 4), (5, 5), (2, 6), (6, 1), (2, 1), (30, 10), (10, 300)]


def low_rank(number, dim, rank):
    return centred(normal(number, rank) @ normal(rank, dim, seed=1))


def assert_axes_describe(rows):
    axes, lengths = principal_axes(rows)
    width = min(len(rows) - 1, rows.shape[1])
    assert axes.shape == (rows.shape[1], width)
    assert (axes.T @ axes).numpy() == approx(np.eye(width), abs=1e-12)
    coordinates = rows @ axes
    size = float(torch.linalg.vector_norm(rows)) or 1.0
    assert (coordinates @ axes.T).numpy() == approx(rows.numpy(), abs=1e-12 * size)
    expected = np.linalg.svd(rows.numpy(), compute_uv=False)[:width]
    assert lengths.numpy() == approx(expected, rel=1e-7, abs=1e-12 * size)
    assert torch.linalg.vector_norm(coordinates, dim=0).numpy() == approx(lengths.numpy(), rel=1e-7, abs=1e-12 * size)


@pytest.mark.parametrize("shape", SHAPES)
def test_axes_are_orthonormal_and_hold_all_rows(shape):
    assert_axes_describe(centred(normal(*shape)))


@pytest.mark.parametrize("rank", [1, 2, 3])
@pytest.mark.parametrize("shape", [(8, 20), (20, 8), (9, 8), (8, 8)])
def test_axes_of_rank_deficient_rows_are_orthonormal(shape, rank):
    assert_axes_describe(low_rank(*shape, rank))


@pytest.mark.parametrize("small", [1e-5, 1e-9, 1e-13])
@pytest.mark.parametrize("shape", [(8, 20), (20, 8)])
def test_axes_of_steeply_falling_spectra_are_orthonormal(shape, small):
    rows = low_rank(*shape, 2) + small * centred(normal(*shape, seed=2))
    assert_axes_describe(rows)


def test_a_singular_value_of_a_billionth_is_resolved():
    """The square, 1e-18 of the largest, is lost in a Gram: this needs the singular value decomposition."""
    rows = centred(normal(6, 3)) @ torch.diag(torch.tensor([1.0, 1e-3, 1e-9], dtype=torch.float64))
    expected = np.linalg.svd(rows.numpy(), compute_uv=False)
    assert principal_axes(rows)[1].numpy() == approx(expected, rel=1e-6)


@pytest.mark.parametrize("shape", SHAPES)
def test_rows_of_zeros_have_axes_and_no_lengths(shape):
    assert_axes_describe(torch.zeros(*shape, dtype=torch.float64))


def test_one_row_has_no_axes():
    axes, lengths = principal_axes(torch.zeros(1, 5, dtype=torch.float64))
    assert axes.shape == (5, 0)
    assert lengths.shape == (0,)


def test_one_far_class_among_equal_ones_spans_one_axis():
    rows = torch.zeros(7, 12, dtype=torch.float64)
    rows[3] = normal(12)
    assert_axes_describe(centred(rows))
    assert principal_axes(centred(rows))[1][1:].max() < 1e-14


@pytest.mark.parametrize(("shape", "rank"), [((9, 4), 4), ((9, 4), 2), ((6, 6), 6)])
def test_the_trace_of_a_quotient_is_that_of_a_pseudo_inverse(shape, rank):
    rows, above = normal(*shape), gram(normal(20, shape[1], seed=1))
    _, lengths, right = np.linalg.svd(rows.numpy())
    inverse = sum(np.outer(right[i], right[i]) / lengths[i] ** 2 for i in range(rank))
    expected = np.trace(above.numpy() @ inverse)
    assert linalg.trace_of_quotient(above, *linalg.right_vectors(rows), rank) == approx(expected, rel=1e-10)


@pytest.mark.parametrize(("spectrum", "rank"), [([1.0, 1, 1, 0], 3), ([5.0], 1), ([1.0, 1e-300], 1)])
def test_the_effective_rank_of_equal_values_is_their_number(spectrum, rank):
    assert effective_rank(torch.tensor(spectrum, dtype=torch.float64)) == approx(rank, rel=1e-12)


def test_the_effective_rank_of_nothing_is_undefined():
    assert math.isnan(effective_rank(torch.zeros(3, dtype=torch.float64)))


# tiles


@pytest.mark.parametrize("tile", [1, 2, 3, 5, 100])
@pytest.mark.parametrize("count", [1, 2, 13, 20])
def test_tiles_hold_each_pair_once_with_its_product(count, tile):
    rows = normal(count, 3)
    seen = torch.zeros(count, count, dtype=torch.int64)
    for part in linalg.upper_tiles(rows, tile):
        seen[part.left[:, None], part.right[None, :]] += part.pairs
        expected = rows[part.left] @ rows[part.right].T
        assert part.products.numpy() == approx(expected.numpy(), abs=1e-13)
        assert len(part.left) <= tile
    assert torch.equal(seen, torch.ones(count, count, dtype=torch.int64).triu(1))


# formats


@pytest.mark.parametrize(("storage", "kind"), [(torch.float16, np.float16), (torch.float32, np.float32)])
@pytest.mark.parametrize("value", [1.0, -1.0, 1.5, 1.9990234375, 2.0, 1e-3, 1000.0, 6e-8, 0.0, 65504.0 / 2])
def test_the_spacing_is_that_of_the_format(storage, kind, value):
    stored = kind(value)
    one = torch.tensor([float(stored)], dtype=torch.float64)
    # zero and subnormals are as dense as the smallest normal number
    expected = np.spacing(max(abs(stored), np.finfo(kind).tiny))
    assert float(spacing(one, storage)) == float(expected)


def test_the_spacing_of_bfloat16_is_that_of_eight_bits():
    assert spacing(torch.tensor([1.0, 3.0, 256.0]).double(), torch.bfloat16).tolist() == [2**-7, 2**-6, 2.0]


# arrays


def read_only(array):
    array.setflags(write=False)
    return array


ARRAYS = {
    "native": np.arange(6.0).reshape(2, 3),
    "foreign byte order": np.arange(6.0).reshape(2, 3).astype(np.dtype(np.float64).newbyteorder()),
    "extended precision": np.arange(6).reshape(2, 3).astype(np.longdouble),
    "read-only": read_only(np.arange(6.0).reshape(2, 3)),
    "backwards": np.arange(6.0)[::-1].reshape(2, 3)[::-1, ::-1],
    "fortran": np.asfortranarray(np.arange(6.0).reshape(2, 3)),
    "list": [[0.0, 1, 2], [3, 4, 5]],
    "tensor with gradient": torch.arange(6.0).reshape(2, 3).requires_grad_(),
}


@pytest.mark.parametrize("form", ARRAYS)
def test_every_array_becomes_the_same_tensor(form):
    tensor = tensor_of(ARRAYS[form])
    assert not tensor.requires_grad
    assert tensor.tolist() == [[0, 1, 2], [3, 4, 5]]


def test_a_plain_array_is_shared_and_a_read_only_one_copied():
    array = np.zeros(3)
    assert tensor_of(array).data_ptr() == array.ctypes.data
    read_only(array)
    assert tensor_of(array).data_ptr() != array.ctypes.data


@pytest.mark.parametrize("values", [np.array(["a"]), [None], np.array([{}], dtype=object)])
def test_what_holds_no_numbers_is_refused(values):
    with pytest.raises(TypeError, match="holds no numbers"):
        tensor_of(values)
