"""Features in hand: every kind of array, every kind of mistake."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch

from caltrop.observe import measure
from caltrop.observe.features import ignored
from reference import simplex, unequal

approx = pytest.approx
FEATURES, LABELS, WEIGHTS, BIAS = unequal([9, 6, 12, 7], 5)
LAYER = "features"


def values(seen):
    return {row.measure: row.value for row in seen.rows}


def assert_same(seen, tolerance=0.0):
    expected = values(measure(FEATURES, LABELS, weights=WEIGHTS, bias=BIAS))
    assert values(seen) == approx(expected, rel=tolerance, abs=tolerance, nan_ok=True)


def on_disk(path, array):
    np.save(path / "array.npy", array)
    return np.load(path / "array.npy", mmap_mode="r")


def locked(array):
    array = array.copy()
    array.setflags(write=False)
    return array


FORMS = {
    "memory-mapped": lambda array, path: on_disk(path, array),
    "read-only": lambda array, _: locked(array),
    "fortran": lambda array, _: np.asfortranarray(array),
    "backwards": lambda array, _: array[::-1, ::-1].copy()[::-1, ::-1],
    "strided": lambda array, _: np.repeat(np.repeat(array, 2, 0), 3, 1)[::2, ::3],
    "foreign byte order": lambda array, _: array.astype(array.dtype.newbyteorder()),
    "tensor": lambda array, _: torch.from_numpy(array),
    "tensor, transposed": lambda array, _: torch.from_numpy(array.T.copy()).T,
    "tensor with gradient": lambda array, _: torch.from_numpy(array).requires_grad_(),
}


@pytest.mark.parametrize("form", FORMS)
def test_every_form_of_the_same_features_gives_the_same_numbers(form, tmp_path):
    before = FEATURES.copy()
    # BLAS takes another path for another layout
    assert_same(measure(FORMS[form](FEATURES, tmp_path), LABELS, weights=WEIGHTS, bias=BIAS), tolerance=1e-7)
    assert np.array_equal(FEATURES, before)


@pytest.mark.parametrize("form", [form for form in FORMS if form != "memory-mapped"])
def test_every_form_of_the_same_head_gives_the_same_numbers(form, tmp_path):
    assert_same(measure(FEATURES, LABELS, weights=FORMS[form](WEIGHTS, tmp_path), bias=BIAS.astype(">f4")))


def test_lists_are_float64_features():
    seen = measure(FEATURES.tolist(), LABELS.tolist(), weights=WEIGHTS.tolist(), bias=BIAS.tolist())
    assert_same(seen, tolerance=1e-6)


def test_extended_precision_is_read_as_float64():
    assert_same(measure(FEATURES.astype(np.longdouble), LABELS, weights=WEIGHTS, bias=BIAS), tolerance=1e-6)


@pytest.mark.parametrize(
    "form",
    [
        lambda labels: labels[:, None],
        lambda labels: np.eye(4)[labels],
        lambda labels: torch.from_numpy(labels).to(torch.uint8),
        lambda labels: labels.tolist(),
        lambda labels: labels[::-1].copy()[::-1],
        locked,
    ],
)
def test_every_form_of_the_same_labels_gives_the_same_numbers(form):
    assert_same(measure(FEATURES, form(LABELS), weights=WEIGHTS, bias=BIAS))


@pytest.mark.parametrize("block", [1, 7, 5 * 10, 5 * 33])
def test_the_size_of_blocks_changes_nothing(monkeypatch, block):
    monkeypatch.setattr("caltrop.stats.accumulator.BLOCK_VALUES", block)
    # sums of float32 products in another order
    assert_same(measure(FEATURES, LABELS, weights=WEIGHTS, bias=BIAS), tolerance=1e-7)


@pytest.mark.parametrize("size", [1e-30, 1e-20, 1e15, 1e18])
@pytest.mark.parametrize("name", ["within_class_variability", "variability_ratio", "effective_rank", "norm_deviation"])
def test_a_scale_at_the_end_of_float32_changes_no_scale_free_number(name, size):
    """Variabilities of features around 1e-24 were exactly 0, of 1e18 an error."""
    far = (FEATURES * size).astype(np.float32)
    exact = measure(FEATURES.astype(np.float64), LABELS)[LAYER, name]
    assert measure(far, LABELS)[LAYER, name] == approx(exact, rel=1e-6)


# labels


def test_ignored_samples_are_left_out_counted_and_named():
    labels = np.concatenate([LABELS, [-1, -100, -1]])
    features = np.concatenate([FEATURES, np.full((3, 5), np.nan, dtype=np.float32)])
    seen = measure(features, labels, weights=WEIGHTS, bias=BIAS)
    assert_same(seen)
    assert seen.notes == ("3 ignored labels left out",)


@pytest.mark.parametrize(("given", "read"), [(3, (3,)), (np.int64(3), (3,)), ((), ()), ([np.uint8(255), 7], (255, 7))])
def test_ignored_labels_are_one_or_several_integers(given, read):
    assert ignored(given) == read


@pytest.mark.parametrize("ignore", [255, (255,), [255, 7]])
def test_another_ignored_label_is_named(ignore):
    labels = np.concatenate([LABELS, [255]])
    seen = measure(np.concatenate([FEATURES, FEATURES[:1]]), labels, weights=WEIGHTS, bias=BIAS, ignore_index=ignore)
    assert_same(seen)


def test_gaps_are_absent_classes():
    seen = measure(FEATURES, 2 * LABELS)
    assert seen.per_class(LAYER, "variability_ratio").keys() == {0, 2, 4, 6}
    assert seen.row(LAYER, "means_rank").note.endswith("absent classes left out: 1, 3, 5")
    assert values(seen) == approx(values(measure(FEATURES, LABELS)), nan_ok=True)


def test_labels_from_one_are_fine_once_the_number_of_classes_is_given():
    assert values(measure(FEATURES, LABELS + 1, num_classes=5)) == approx(
        values(measure(FEATURES, LABELS)), nan_ok=True
    )


def test_a_long_list_of_absent_classes_is_cut_and_counted():
    note = measure(FEATURES, LABELS, num_classes=1000).row(LAYER, "means_rank").note
    assert note.endswith("4, 5, 6, 7, 8, 9, 10, 11, 12, 13, … (996 in all)")


# the head


def test_rows_of_absent_classes_are_left_out_of_the_head_and_named():
    weights = np.concatenate([WEIGHTS, 100 + WEIGHTS[:2]])
    seen = measure(FEATURES, LABELS, weights=weights)
    assert seen[LAYER, "self_duality_gap"] == approx(
        measure(FEATURES, LABELS, weights=WEIGHTS)[LAYER, "self_duality_gap"], rel=1e-12
    )
    assert "head rows of absent classes left out: 4, 5" in seen.row(LAYER, "head_norm_deviation").note


def test_a_head_decides_exactly_under_a_large_offset():
    """Float32 scores of features at 10⁴ would be rounding."""
    features, labels, weights, bias = simplex(4, 6, copies=20)
    offset = np.float32(1e4)
    draw = np.random.default_rng(0)
    moved = (features + 0.01 * draw.standard_normal(features.shape)).astype(np.float32) + offset
    seen = measure(moved, labels, weights=weights, bias=bias - weights.sum(1) * offset)
    assert seen[LAYER, "accuracy"] == 1
    assert seen[LAYER, "nearest_centre_disagreement"] == 0


# mistakes

GOOD = {"features": FEATURES, "labels": LABELS}
BAD = FEATURES.copy()
BAD[[3, 11], 2] = np.inf, np.nan


@pytest.mark.parametrize(
    ("change", "error", "said"),
    [
        ({"features": FEATURES[:0], "labels": LABELS[:0]}, ValueError, r"shape \[0, 5\]: there is nothing to measure"),
        ({"features": FEATURES[:, :0]}, ValueError, r"shape \[34, 0\]: there is nothing to measure"),
        ({"features": FEATURES[0]}, ValueError, r"shape \[5\]; expected \[samples, dim\]. Flatten each sample"),
        ({"features": FEATURES[:, :, None]}, ValueError, r"shape \[34, 5, 1\]; expected \[samples, dim\]"),
        ({"features": (FEATURES > 0).astype(int)}, TypeError, "are int64; expected floating numbers"),
        ({"features": FEATURES + 0j}, TypeError, "complex64; expected floating numbers"),
        ({"features": FEATURES.astype(str)}, TypeError, "expected floating numbers"),
        ({"features": FEATURES[1:]}, ValueError, "33 feature rows but 34 labels"),
        ({"labels": LABELS * 0}, ValueError, "only class 0 has samples at layer 'features'.*at least two"),
        ({"labels": LABELS * 0 + 3, "num_classes": 5}, ValueError, "only class 3 has samples"),
        ({"labels": LABELS * 0 - 1}, ValueError, "all 34 labels are ignored"),
        ({"labels": LABELS - 5}, ValueError, "labels contain -[2-5], which is negative and not ignored"),
        ({"labels": LABELS + 1}, ValueError, r"exactly 1\.\.4.*Subtract 1"),
        ({"labels": LABELS + 0.5}, TypeError, "not a whole number"),
        ({"labels": np.where(LABELS, LABELS, np.nan)}, ValueError, "is nan"),
        ({"num_classes": 3}, ValueError, r"labels span \[0, 3\], but num_classes=3 allows only 0\.\.2"),
        ({"weights": WEIGHTS[:3]}, ValueError, r"labels span \[0, 3\], but num_classes=3"),
        ({"weights": WEIGHTS[:, 1:]}, ValueError, r"shape \[4, 4\] but features have 5 dimensions"),
        ({"weights": WEIGHTS, "num_classes": 6}, ValueError, "num_classes=6, but the head has 4 rows"),
        ({"weights": WEIGHTS[0]}, ValueError, r"head weights have shape \[5\]"),
        ({"weights": WEIGHTS + 0j}, TypeError, "the head's weights or bias are complex"),
        ({"weights": torch.from_numpy(WEIGHTS), "bias": torch.from_numpy(BIAS + 0j)}, TypeError, "bias are complex"),
        ({"ignore_index": 2**63}, ValueError, "ignore_index=9223372036854775808 is no label"),
        ({"weights": WEIGHTS, "bias": BIAS[1:]}, ValueError, "4 weight rows but 3 biases"),
        ({"weights": WEIGHTS, "bias": BIAS[:, None]}, ValueError, r"bias has shape \[4, 1\]"),
        ({"weights": WEIGHTS * np.nan}, ValueError, "head's weights are not finite"),
        ({"weights": WEIGHTS, "bias": BIAS * np.inf}, ValueError, "head's bias is not finite"),
        ({"bias": BIAS}, ValueError, r"bias= was given without weights="),
        ({"measures": ["nc1"]}, KeyError, "no measure is called 'nc1'"),
        ({"measures": "accuracy"}, TypeError, r"pass a list of names, such as \['accuracy'\]"),
        ({"features": BAD}, ValueError, r"'features' are not finite: sample 3 has inf at coordinate 2 \(2 such"),
        ({"features": BAD[4:], "labels": LABELS[4:], "layer": "fc:input"}, ValueError, "'fc:input'.* sample 7 has nan"),
    ],
)
@pytest.mark.filterwarnings("ignore:invalid value:RuntimeWarning")
def test_a_mistake_is_refused_in_one_clear_sentence(change, error, said):
    arguments = {**GOOD, **change}
    with pytest.raises(error, match=said):
        measure(arguments.pop("features"), arguments.pop("labels"), **arguments)


def test_a_bad_sample_is_counted_among_all_samples_also_behind_ignored_ones():
    labels = LABELS.copy()
    labels[[0, 2]] = -1
    with pytest.raises(ValueError, match="sample 3 has inf"):
        measure(BAD, labels)


def test_squares_that_overflow_are_refused_as_such():
    with pytest.raises(ValueError, match=r"so large that their squares overflow torch\.float32"):
        measure(np.full((4, 3), 1e20, dtype=np.float32), [0, 1, 0, 1])


# what a row carries


def test_only_the_measures_asked_for_have_rows_in_the_order_of_the_registry():
    seen = measure(FEATURES, LABELS, measures=["coherence", "variability_ratio", "coherence"])
    assert [row.measure for row in seen.rows] == ["variability_ratio", "coherence"]


@pytest.mark.parametrize(("asked", "kept"), [(None, False), (["effective_rank"], True)])
def test_a_spectrum_beyond_512_dimensions_is_taken_if_asked_for_by_name(asked, kept):
    draw = np.random.default_rng(0)
    seen = measure(draw.standard_normal((8, 513)), np.arange(8) % 2, measures=asked)
    assert ("effective_rank" in values(seen)) == kept


def test_rows_are_tagged_as_asked():
    row = measure(FEATURES, LABELS, layer="block.1", step=7, split="test").rows[0]
    assert (row.layer, row.step, row.split, row.origin, row.seed) == ("block.1", 7, "test", "trained", None)


@pytest.mark.parametrize("name", ["within_class_variability", "variability_ratio"])
def test_a_reading_below_its_resolution_says_so(name):
    features, labels, *_ = simplex(4, 6)
    row = measure(features.astype(np.float16), labels, measures=[name]).rows[0]
    assert row.value < row.resolution
    assert row.note.endswith("below what float16 features resolve")


def test_one_sample_classes_are_named_beside_a_variability_by_label():
    features, labels, *_ = unequal([9, 0, 1, 7, 1], 5)
    note = measure(features, labels).row(LAYER, "variability_ratio").note
    assert "classes with one sample, whose variability is 0 by arithmetic: 2, 4" in note


def test_few_samples_have_no_half_width_and_say_why():
    row = measure(FEATURES[:6], np.arange(6) % 2, measures=["variability_ratio"]).rows[0]
    assert row.half_width is None
    assert "no half-width: needs five or more blocks" in row.note


def test_a_half_width_of_ten_samples_is_that_of_its_own_blocks():
    """One dimension is its own span, so the jackknife is exact; only blocks that hold samples count."""
    from scipy.stats import t as student

    features, labels = np.random.default_rng(0).standard_normal((10, 1)), np.arange(10) % 2
    blocks = (np.arange(10) // 2 + labels) % 20

    def ratio(kept):
        rows, where = features[kept, 0], labels[kept]
        means = [rows[where == k].mean() for k in (0, 1)]
        within = sum(((rows[where == k] - means[k]) ** 2).sum() for k in (0, 1)) / len(rows)
        return within / np.var(means)

    deleted = np.array([ratio(blocks != block) for block in np.unique(blocks)])
    count = len(deleted)
    error = math.sqrt((count - 1) / count * ((deleted - deleted.mean()) ** 2).sum())
    row = measure(features, labels, measures=["variability_ratio"]).rows[0]
    assert row.half_width == approx(student.ppf(0.975, count - 1) * error, rel=1e-9)


def test_a_picture_names_labels_and_lies_on_the_leading_axes():
    seen = measure(FEATURES, 2 * LABELS, weights=np.repeat(WEIGHTS, 2, 0))
    picture = seen.pictures[0]
    assert picture.labels == (0, 2, 4, 6)
    assert {label for label, _ in picture.cloud} == {0, 2, 4, 6}
    assert np.asarray(picture.points).shape == (4, 3)
    assert np.asarray(picture.head).shape == (4, 3)
    assert sum(picture.explained) == approx(1, abs=1e-9)
    assert np.diag(picture.cosines) == approx(np.ones(4))


def test_a_number_of_classes_that_no_memory_holds_is_refused_before_any_is_asked_for():
    with pytest.raises(ValueError, match="num_classes=1000000000, but only 2 different labels occur"):
        measure(np.eye(4), np.array([0, 1, 0, 1]), num_classes=10**9)
