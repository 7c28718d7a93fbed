"""Every registered measure against its slow twin, on the data that people really bring."""

from __future__ import annotations

import json
import math
from functools import cache

import numpy as np
import pytest
import torch

import caltrop.measures
import reference
from caltrop.observe import measure
from reference import unequal

approx = pytest.approx
NAMES = sorted(reference.NAMES)
# Products of residuals run in float32 for float32 features and coarser; everything else is float64.
FLOAT32_PRODUCTS = {*reference.VARIABILITY, "variability_noise_floor", "effective_rank", "stable_rank"}


def preferring(label, features, labels, weights, bias):
    """The same, with a head that says `label` to about every other sample."""
    scores = features @ weights.T + bias
    lifted = bias.copy()
    lifted[label] += np.median(scores.max(1) - scores[:, label])
    return features, labels, weights, lifted


TAIL = [64, 32, 16, 8, 4, 2]
CASES = {
    "balanced": lambda: unequal([20] * 6, 12),
    "long tail": lambda: unequal(TAIL, 12),
    "two classes": lambda: unequal([15, 9], 7),
    "one-sample classes": lambda: unequal([20, 1, 9, 1, 5], 12),
    "an absent class": lambda: unequal([20, 0, 9, 7, 1, 5], 12),
    "an absent class that the head prefers": lambda: preferring(1, *unequal([20, 0, 9, 7, 1, 5], 12)),
    "low-rank means": lambda: unequal([30] * 8, 14, sigma=0.05, rank=3),
    "no room for a simplex": lambda: unequal([20] * 9, 5),
    "more classes than dimensions": lambda: unequal([12] * 20, 6, sigma=0.2),
    "one dimension": lambda: unequal([12] * 4, 1, sigma=0.2),
    "overlapping classes": lambda: unequal([40] * 4, 10, sigma=3.0),
    "nearly collapsed": lambda: unequal(TAIL, 12, sigma=1e-4),
    "float64": lambda: unequal(TAIL, 12, dtype=np.float64),
    "float16": lambda: unequal(TAIL, 12, dtype=np.float16),
    "bfloat16": lambda: unequal(TAIL, 12),
    "offset 1000": lambda: unequal(TAIL, 12, offset=1000.0),
    "float64, offset 1000": lambda: unequal(TAIL, 12, sigma=1e-3, offset=1000.0, dtype=np.float64),
    "head without bias": lambda: (*unequal(TAIL, 12)[:3], None),
}


@cache
def case(name):
    """The arrays as stored, and what the door says of them."""
    arrays = CASES[name]()
    if name != "bfloat16":  # which NumPy does not have: round in torch, and let the twin see the rounded values
        return arrays, measure(arrays[0], arrays[1], weights=arrays[2], bias=arrays[3])
    features, weights, bias = (torch.from_numpy(array).bfloat16() for array in (arrays[0], arrays[2], arrays[3]))
    seen = measure(features, torch.from_numpy(arrays[1]), weights=weights, bias=bias)
    return (features.double().numpy(), arrays[1], weights.double().numpy(), bias.double().numpy()), seen


def close_to(expected, name, data):
    """1e-6 where float32 products are behind a number, 1e-9 where all of it is float64."""
    single = name in FLOAT32_PRODUCTS and not data.startswith("float64")
    return approx(expected, rel=1e-6 if single else 1e-9, abs=1e-11, nan_ok=True)


def test_every_name_of_the_contract_is_registered():
    assert set(reference.NAMES) <= set(caltrop.measures.names())


def test_every_registered_measure_has_a_twin():
    assert set(caltrop.measures.names()) <= set(reference.NAMES)


@pytest.mark.parametrize("name", NAMES)
def test_a_measure_says_where_it_comes_from(name):
    found = caltrop.measures.get(name)
    assert found.name == name
    assert found.symbol
    assert found.source
    assert found.needs
    assert set(found.invariances) <= {"scale", "translation", "rotation"}


@pytest.mark.parametrize("data", CASES)
@pytest.mark.parametrize("name", NAMES)
def test_the_measure_agrees_with_its_slow_definition(name, data):
    arrays, seen = case(data)
    assert seen["features", name] == close_to(reference.twin(name)(*arrays), name, data)


@pytest.mark.parametrize("data", CASES)
@pytest.mark.parametrize("name", [name for name in NAMES if reference.per_class_twin(name)])
def test_class_values_agree_with_their_slow_definition(name, data):
    arrays, seen = case(data)
    if math.isnan(seen["features", name]):
        with pytest.raises(KeyError, match="has no per-class values"):
            seen.per_class("features", name)
        return
    expected = reference.per_class_twin(name)(*arrays)
    found = seen.per_class("features", name)
    assert list(found) == list(expected)
    assert list(found.values()) == close_to(list(expected.values()), name, data)


@pytest.mark.parametrize("data", CASES)
def test_every_row_is_finite_or_says_why_not(data):
    broken = [row for row in case(data)[1].rows if math.isfinite(row.value) != (row.reason is None)]
    assert broken == []


@pytest.mark.parametrize("data", CASES)
def test_rows_and_class_values_are_strict_json(data):
    def refuse(word):
        raise AssertionError(f"{word} in JSON")

    assert json.loads(case(data)[1].to_json(), parse_constant=refuse)["rows"]


def test_absent_classes_are_named_in_every_row_and_nowhere_else():
    _, seen = case("an absent class")
    assert [row.measure for row in seen.rows if "absent classes left out: 1" not in (row.note or "")] == []
    assert [row.measure for row in case("balanced")[1].rows if "absent" in (row.note or "")] == []


@pytest.mark.parametrize("name", reference.VARIABILITY)
def test_one_sample_classes_are_named_beside_every_variability(name):
    note = case("one-sample classes")[1].row("features", name).note
    assert "one sample" in note
    assert "1, 3" in note


@pytest.mark.parametrize("name", sorted(reference.NEED_HEAD))
def test_a_missing_head_is_named_by_the_error(name):
    features, labels, *_ = CASES["balanced"]()
    with pytest.raises(KeyError, match="needs weights="):
        measure(features, labels)["features", name]
