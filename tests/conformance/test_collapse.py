"""The value at exact collapse, and the invariances that a measure states."""

from __future__ import annotations

import numpy as np
import pytest

import caltrop.measures
import reference
from caltrop.observe import measure
from reference import frame, polygon, simplex, unequal

approx = pytest.approx
NAMES = sorted(reference.NAMES)
OF_FRAMES = {"orthogonal_frame_distance", "head_orthogonal_frame_distance"}


def ideal(name, number, dim):
    """The collapsed configuration that the measure compares with, in the room there is."""
    if dim == 2:
        return polygon(number)
    return frame(number, dim) if name in OF_FRAMES else simplex(number, dim)


STATED_VALUES = [
    (name, number, dim)
    for name in NAMES
    for number, dim in [(3, 5), (10, 12), (4, 3), (7, 2)]
    if caltrop.measures.get(name).collapsed(number, dim) is not None
    and (name not in OF_FRAMES or dim >= number or dim == 2)
]


@pytest.mark.parametrize(("name", "number", "dim"), STATED_VALUES)
def test_exact_collapse_gives_the_stated_value(name, number, dim):
    features, labels, weights, bias = ideal(name, number, dim)
    row = measure(features, labels, weights=weights, bias=bias, measures=[name]).rows[0]
    assert row.value == approx(row.at_collapse, abs=1e-12)


UNSTATED = {"variability_noise_floor", "accuracy"}


def test_only_numbers_without_an_ideal_state_no_value_at_collapse():
    unstated = {name for name in NAMES if caltrop.measures.get(name).collapsed(10, 512) is None}
    assert unstated == UNSTATED


@pytest.mark.parametrize("name", ["simplex_distance", "head_simplex_distance", "duality_simplex_distance"])
def test_the_floor_without_room_for_a_simplex_is_never_beaten(name):
    floor = measure(*polygon(7)[:2], weights=polygon(7)[2], measures=[name]).row("features", name).at_collapse
    values = []
    for seed in range(8):
        features, labels, weights, _ = unequal([5] * 7, 2, seed=seed)
        values.append(measure(features, labels, weights=weights, measures=[name])["features", name])
    assert floor > 0.5
    assert min(values) > floor


def turned(seed, dim):
    """A random rotation."""
    return np.linalg.qr(np.random.default_rng(seed).standard_normal((dim, dim)))[0]


def transform(kind, features, weights, bias):
    """The features changed, and the head with them so that it decides as before."""
    if kind == "scale":
        return 8.5 * features, weights / 8.5, bias
    if kind == "rotation":
        turn = turned(3, features.shape[1])
        return features @ turn, weights @ turn, bias
    shift = np.linspace(-5, 9, features.shape[1])
    return features + shift, weights, bias - weights @ shift


STATED = [(name, kind) for name in NAMES for kind in caltrop.measures.get(name).invariances]


@pytest.mark.parametrize(("name", "kind"), STATED)
def test_a_stated_invariance_holds(name, kind):
    features, labels, weights, bias = unequal([40, 25, 12, 9, 6], 8, sigma=0.9, dtype=np.float64)
    before = measure(features, labels, weights=weights, bias=bias, measures=[name])["features", name]
    moved = transform(kind, features, weights, bias)
    after = measure(moved[0], labels, weights=moved[1], bias=moved[2], measures=[name])["features", name]
    assert after == approx(before, rel=1e-9)


OF_ROWS = [(name, kind) for name, kind in STATED if name.startswith("head_") or name == "minority_merge"]


@pytest.mark.parametrize(("name", "kind"), OF_ROWS)
def test_a_stated_invariance_of_a_head_measure_holds_for_its_rows(name, kind):
    features, labels, weights, _ = unequal([40, 25, 12, 9, 6], 8, dtype=np.float64)
    changed = {"scale": 8.5 * weights, "rotation": weights @ turned(3, 8), "translation": weights + weights[0] / 3}
    before = measure(features, labels, weights=weights, measures=[name])["features", name]
    after = measure(features, labels, weights=changed[kind], measures=[name])["features", name]
    assert after == approx(before, rel=1e-9)


@pytest.mark.parametrize(
    "name", ["head_norm_deviation", "head_angle_deviation", "head_orthogonal_frame_distance", "minority_merge"]
)
def test_measures_of_uncentred_rows_do_see_a_common_row(name):
    """A common row added to the head changes no decision, but it changes these: so none may state otherwise."""
    features, labels, weights, _ = unequal([40, 25, 12, 9, 6], 8, dtype=np.float64)
    before = measure(features, labels, weights=weights, measures=[name])["features", name]
    after = measure(features, labels, weights=weights + weights[0] / 3, measures=[name])["features", name]
    assert after != approx(before, rel=1e-3)
    assert "translation" not in caltrop.measures.get(name).invariances


@pytest.mark.parametrize("name", NAMES)
def test_the_order_of_samples_and_the_names_of_classes_do_not_matter(name):
    features, labels, weights, bias = unequal([40, 25, 12, 9, 6], 8, sigma=0.9, dtype=np.float64)
    before = measure(features, labels, weights=weights, bias=bias, measures=[name])["features", name]
    order, swap = np.random.default_rng(0).permutation(len(labels)), np.array([3, 0, 4, 1, 2])
    back = np.argsort(swap)
    after = measure(features[order], swap[labels][order], weights=weights[back], bias=bias[back], measures=[name])
    assert after["features", name] == approx(before, rel=1e-10, abs=1e-14)


@pytest.mark.parametrize("scale", [1e-100, 1e-12, 1e12, 1e100])
@pytest.mark.parametrize("name", [name for name, kind in STATED if kind == "scale"])
def test_float64_features_may_be_of_any_size(name, scale):
    features, labels, weights, bias = unequal([40, 25, 12, 9, 6], 8, sigma=0.9, dtype=np.float64)
    before = measure(features, labels, weights=weights, bias=bias, measures=[name])["features", name]
    after = measure(scale * features, labels, weights=weights / scale, bias=bias, measures=[name])["features", name]
    assert after == approx(before, rel=1e-9)


@pytest.mark.parametrize("common", [1e3, 1e6, 1e9])
@pytest.mark.parametrize("name", ["nearest_centre_disagreement", "accuracy"])
def test_a_constant_in_every_bias_changes_no_decision(name, common):
    features, labels, weights, bias = unequal([40] * 4, 10, sigma=3.0)
    before = measure(features, labels, weights=weights, bias=bias, measures=[name])["features", name]
    after = measure(features, labels, weights=weights, bias=bias.astype(float) + common, measures=[name])
    assert after["features", name] == before


@pytest.mark.parametrize("name", ["nearest_centre_disagreement", "accuracy"])
def test_a_common_row_of_the_head_changes_no_decision(name):
    features, labels, weights, bias = unequal([40] * 4, 10, sigma=3.0)
    before = measure(features, labels, weights=weights, bias=bias, measures=[name])["features", name]
    after = measure(features, labels, weights=weights.astype(float) + 1e5, bias=bias, measures=[name])
    assert after["features", name] == before
