"""Statistics to rows, for people who shard by themselves."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch

from caltrop.observe import evaluate, measure
from caltrop.stats import ClassMoments, Head, SecondLook, SpanMoments, TotalSpectrum
from reference import unequal

approx = pytest.approx
SIZES = [60, 45, 35, 40]
FEATURES, LABELS, WEIGHTS, BIAS = unequal(SIZES, 6, dtype=np.float64)
HEAD = Head.of(torch.from_numpy(WEIGHTS), torch.from_numpy(BIAS))
LAYER = "features"


def shards(number, **more):
    order = np.random.default_rng(0).permutation(len(LABELS))
    return [ClassMoments.of(FEATURES[rows], LABELS[rows], 4, **more) for rows in np.array_split(order, number)]


@pytest.mark.parametrize("number", [1, 2, 7])
def test_shards_give_what_all_samples_give(number):
    seen, whole = evaluate([*shards(number), HEAD]), measure(FEATURES, LABELS, weights=WEIGHTS, bias=BIAS)
    assert len(seen.rows) == len(whole.rows) - 3  # all but decisions
    assert {row.measure: row.value for row in seen.rows} == approx(
        {row.measure: whole[LAYER, row.measure] for row in seen.rows}, rel=1e-9, abs=1e-12
    )


def test_any_iterable_in_any_order_will_do():
    assert evaluate(iter([HEAD, *shards(3)])).row(LAYER, "self_duality_gap").value == approx(
        evaluate([*shards(3), HEAD])[LAYER, "self_duality_gap"]
    )


def test_names_and_layer_are_as_asked():
    seen = evaluate(shards(2), names=["means_rank"], layer="fc:input")
    assert [(row.layer, row.measure) for row in seen.rows] == [("fc:input", "means_rank")]


def test_from_five_shards_on_their_differences_give_half_widths():
    row = evaluate(shards(5)).row(LAYER, "variability_ratio")
    assert row.half_width > 0
    assert "half-widths from 5 shards as given" in row.note
    few = evaluate(shards(4)).row(LAYER, "variability_ratio")
    assert few.half_width is None
    assert "no half-width" in few.note


def test_a_half_width_of_shards_is_of_the_size_of_the_usual_one():
    """Ten shards and twenty blocks both estimate one spread: apart by more than 2 would be rare."""
    found = evaluate(shards(10)).row(LAYER, "variability_ratio").half_width
    usual = measure(FEATURES, LABELS).row(LAYER, "variability_ratio").half_width
    assert 0.5 < found / usual < 2


def test_shards_by_class_have_no_half_width_and_say_why():
    parts = [ClassMoments.of(FEATURES[k == LABELS], LABELS[k == LABELS], 6) for k in (0, 1, 2, 3)]
    row = evaluate([*parts, ClassMoments.of(FEATURES[:0], LABELS[:0], 6)]).row(LAYER, "variability_ratio")
    assert row.half_width is None
    assert "a shard holds all samples of a class" in row.note


def test_without_scatter_nothing_of_the_spread_in_the_span_is_measured():
    seen = evaluate(shards(2, scatter=False))
    assert "norm_deviation" in [row.measure for row in seen.rows]
    with pytest.raises(KeyError, match=r"needs the scatter inside the span.*scatter=True"):
        seen[LAYER, "within_class_variability"]


def test_span_moments_and_decisions_may_be_given():
    look = SecondLook(shards(1)[0], dtype=torch.float64)
    look.update(torch.from_numpy(FEATURES), torch.from_numpy(LABELS))
    found = look.close()
    seen = evaluate([found.moments, found.span, found.centre])
    whole = measure(FEATURES, LABELS)
    assert seen[LAYER, "within_class_variability"] == approx(whole[LAYER, "within_class_variability"], rel=1e-12)
    assert seen[LAYER, "nearest_centre_accuracy"] == whole[LAYER, "nearest_centre_accuracy"]


@pytest.mark.parametrize(
    "name", ["simplex_distance", "means_rank", "variability_ratio", "class_distance_normalized_variance"]
)
def test_what_needs_class_means_and_spreads_only_needs_no_scatter(name):
    assert name in [row.measure for row in evaluate(shards(2, scatter=False)).rows]


@pytest.mark.parametrize(
    ("statistics", "error", "said"),
    [
        ([], ValueError, "needs at least one ClassMoments"),
        ([HEAD], ValueError, "needs at least one ClassMoments"),
        ([*shards(1), HEAD, HEAD], ValueError, "was given 2 heads"),
        ([*shards(1), FEATURES], TypeError, "such as ClassMoments and Head, not ndarray"),
        ([*shards(1), Head.of(torch.zeros(4, 5))], ValueError, r"shape \[4, 5\] but features have 6 dimensions"),
        ([*shards(1), Head.of(torch.zeros(3, 6))], ValueError, "head has 3 rows but num_classes is 4"),
        ([ClassMoments.of(FEATURES[:0], LABELS[:0], 4)], ValueError, "no class has samples"),
        ([ClassMoments.of(FEATURES, LABELS * 0 + 2, 4)], ValueError, "only class 2 has samples at layer 'features'"),
        ([*shards(1), ClassMoments.of(FEATURES, LABELS, 5)], ValueError, r"shards of \[4, 6\] and \[5, 6\]"),
    ],
)
def test_statistics_that_say_nothing_together_are_refused(statistics, error, said):
    with pytest.raises(error, match=said):
        evaluate(statistics)


def test_reasons_name_labels_and_not_positions():
    """Present are 1, 4, 7 and 9; classes 4 and 9, at positions 1 and 3, are one and the same point."""
    names = np.array([1, 4, 7, 9])
    features, labels = FEATURES.copy(), names[LABELS]
    features[labels == 9] = features[np.flatnonzero(labels == 4)[0]]
    features[labels == 4] = features[np.flatnonzero(labels == 4)[0]]
    row = evaluate([ClassMoments.of(features, labels, 10)]).row(LAYER, "class_distance_normalized_variance")
    assert math.isnan(row.value)
    assert row.reason == "undefined: classes 4 and 9 coincide"


def test_the_zero_row_of_a_head_is_named_by_label_behind_absent_classes():
    weights = np.zeros((10, 6))
    weights[[1, 4, 7, 9]] = WEIGHTS
    weights[7] = 0
    labels = np.array([1, 4, 7, 9])[LABELS]
    row = evaluate([ClassMoments.of(FEATURES, labels, 10), Head.of(torch.from_numpy(weights))]).row(
        LAYER, "minority_merge"
    )
    assert row.reason == "undefined: the row of class 7 is 0 and has no direction"


def test_the_resolution_follows_the_coarsest_format_and_not_the_value():
    wide = evaluate([ClassMoments.of(torch.from_numpy(FEATURES), LABELS, 4)])
    narrow = evaluate([ClassMoments.of(torch.from_numpy(FEATURES).half(), LABELS, 4)])
    ratio = narrow.row(LAYER, "variability_ratio").resolution / wide.row(LAYER, "variability_ratio").resolution
    # the squared ratio of the spacings, 2⁻¹⁰ and 2⁻⁵²
    assert ratio == approx(2.0**84, rel=1e-2)


def test_the_total_spectrum_alone_is_no_layer():
    with pytest.raises(ValueError, match="needs at least one ClassMoments"):
        evaluate([TotalSpectrum.of(shards(1)[0])])


def test_given_span_moments_without_shards_have_no_half_width():
    whole = shards(1)[0]
    row = evaluate([whole, SpanMoments.of(whole)]).row(LAYER, "variability_ratio")
    assert row.half_width is None
