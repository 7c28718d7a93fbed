"""What an observation answers, and how it says that it cannot."""

from __future__ import annotations

import json
import math

import numpy as np
import pytest

from caltrop.observe import Observation, measure
from caltrop.rows import ClassValues, Row, Study
from reference import simplex, unequal

approx = pytest.approx
FEATURES, LABELS, WEIGHTS, BIAS = unequal([9, 0, 6, 12], 5)


def at(layer, step, split="train", scale=1.0):
    draw = np.random.default_rng(0).standard_normal(FEATURES.shape)
    return measure(FEATURES + scale * draw, LABELS, layer=layer, step=step, split=split)


@pytest.fixture(scope="module")
def seen():
    """Two layers, two splits, three steps."""
    looks = [
        at(layer, step, split, 1 / (1 + step))
        for step in (0, 1, 5)
        for split in ("train", "test")
        for layer in ("conv1", "fc:input")
    ]
    return Observation.merged([*looks, Observation([Row("", "accuracy", "accuracy", 0.5, split="train", step=5)])])


def test_a_value_is_that_of_the_last_step_of_the_first_split(seen):
    expected = at("conv1", 5, "train", 1 / 6)["conv1", "variability_ratio"]
    assert seen["conv1", "variability_ratio"] == expected
    assert seen["conv1", "variability_ratio", "test"] == expected
    assert seen.row("conv1", "variability_ratio").step == 5
    assert seen.row("conv1", "variability_ratio", split="test").split == "test"


def test_a_value_may_be_asked_for_at_a_step(seen):
    assert seen.at("conv1", "variability_ratio", 1) == at("conv1", 1, "train", 0.5)["conv1", "variability_ratio"]


def test_a_step_that_was_not_measured_names_those_that_were(seen):
    with pytest.raises(KeyError, match=r"not measured at step 3; steps are \[0, 1, 5\]"):
        seen.at("conv1", "variability_ratio", 3)


def test_a_series_has_every_step_in_order(seen):
    series = seen.series("fc:input", "variability_ratio", split="test")
    assert [step for step, _ in series] == [0, 1, 5]
    assert series[0][1] > series[1][1] > series[2][1]


def test_values_per_class_are_keyed_by_label_and_of_the_last_step(seen):
    found = seen.per_class("conv1", "variability_ratio")
    assert found.keys() == {0, 2, 3}
    counts = np.bincount(LABELS)[[0, 2, 3]]
    assert counts @ list(found.values()) / counts.sum() == approx(seen["conv1", "variability_ratio"], rel=1e-12)


def test_values_per_class_are_a_copy(seen):
    seen.per_class("conv1", "variability_ratio").clear()
    assert seen.per_class("conv1", "variability_ratio")


def test_layers_and_splits_are_listed_in_order_without_the_whole_model(seen):
    assert seen.layers == ["conv1", "fc:input"]
    assert seen.splits == ["train", "test"]


def test_whole_model_numbers_are_found_under_the_empty_layer_and_under_a_real_one(seen):
    assert seen["", "accuracy"] == seen["fc:input", "accuracy"] == 0.5


def test_whole_model_numbers_of_features_in_hand_are_found_under_the_empty_layer():
    whole = measure(FEATURES, LABELS, weights=WEIGHTS, bias=BIAS)
    assert whole["", "accuracy"] == whole["features", "accuracy"]


@pytest.mark.parametrize(
    ("key", "said"),
    [
        (("conv1", "acuracy"), "no measure is called 'acuracy'; did you mean accuracy"),
        (("conv", "variability_ratio"), r"no layer is called 'conv'; nearest: \['conv1'"),
        (("zzz", "variability_ratio"), r"no layer is called 'zzz'; layers: \['conv1', 'fc:input'\]"),
        (("conv1", "self_duality_gap"), r"'self_duality_gap' has no row at layer 'conv1': needs weights="),
        (("conv1", "nearest_centre_disagreement"), "needs weights="),
        (("", "variability_ratio"), "'variability_ratio' was not measured at layer ''"),
        (("", "nonsense"), "no measure is called 'nonsense'"),
        (("conv1", "variability_ratio", "new"), r"no split is called 'new'; splits are \['train', 'test'\]"),
    ],
)
def test_what_is_missing_says_why(seen, key, said):
    with pytest.raises(KeyError, match=said):
        _ = seen[key]


def test_a_measure_that_was_not_asked_for_says_how_to_ask():
    few = measure(FEATURES, LABELS, measures=["means_rank"])
    with pytest.raises(KeyError, match=r"was not measured at layer 'features'; ask for it with measures=\[\.\.\.\]"):
        few["features", "coherence"]


def test_a_measure_without_values_per_class_says_so(seen):
    with pytest.raises(KeyError, match="'means_rank' has no per-class values at layer 'conv1'"):
        seen.per_class("conv1", "means_rank")


# output


def test_json_is_strict_and_complete(seen):
    read = json.loads(seen.to_json(), parse_constant=pytest.fail)
    assert len(read["rows"]) == len(seen.rows)
    assert read["per_class"]["test"]["conv1"]["variability_ratio"].keys() == {"0", "2", "3"}
    assert Row.from_dict(read["rows"][0]) == seen.rows[0]


def test_json_keeps_per_class_values_of_the_last_step_only(seen):
    read = json.loads(seen.to_json())["per_class"]["train"]["conv1"]["variability_ratio"]
    assert read == {str(k): v for k, v in seen.per_class("conv1", "variability_ratio").items()}


def test_undefined_and_infinite_values_are_null_with_a_reason():
    features, labels, *_ = simplex(3, 4)
    features = features.copy()
    features[labels == 2] = features[labels == 1] + [[0, 0, 0.5, 0], [0, 0, -0.5, 0], [0, 0, 0, 0]]
    merged = measure(features, labels)
    rows = {row["measure"]: row for row in json.loads(merged.to_json(), parse_constant=pytest.fail)["rows"]}
    assert rows["class_distance_normalized_variance"]["value"] is None
    assert rows["class_distance_normalized_variance"]["reason"] == "infinite: classes 1 and 2 coincide"
    assert math.isinf(Row.from_dict(rows["class_distance_normalized_variance"]).value)


@pytest.mark.parametrize("missing", [math.nan, math.inf])
def test_a_value_per_class_that_is_not_finite_is_null(missing):
    read = json.loads(Observation(class_values=[ClassValues("a", "m", {3: missing})]).to_json())
    assert read["per_class"] == {"all": {"a": {"m": {"3": None}}}}


def test_measures_without_a_row_say_what_they_need():
    features, labels, *_ = simplex(3, 4)
    missing = measure(features, labels, measures=["accuracy", "means_rank"]).missing
    assert list(missing) == [("features", "accuracy")]
    assert missing["features", "accuracy"].startswith("needs weights=")


def test_a_data_frame_has_one_column_for_each_field(seen):
    pandas = pytest.importorskip("pandas")
    frame = seen.to_pandas()
    assert isinstance(frame, pandas.DataFrame)
    assert list(frame.columns) == list(seen.rows[0].as_dict())
    assert len(frame) == len(seen.rows)
    assert list(Observation().to_pandas().columns) == list(frame.columns)


def test_the_table_and_the_notebook_name_every_layer_and_measure(seen):
    for text in (seen.table(), seen._repr_html_()):
        assert all(word in text for word in ("conv1", "fc:input", "variability_ratio"))
    assert "<script" not in seen._repr_html_()


def test_the_representation_counts(seen):
    assert repr(seen).startswith(f"<Observation: {len(seen.rows)} rows, layers ['conv1', 'fc:input']")
    assert repr(seen).endswith("3 step(s)>")


def test_a_study_holds_everything_and_adds_its_own_notes():
    one = at("conv1", 0)
    one.notes = ("Seen.",)
    study = one.study(title="T", clock="epoch", notes=["Said."], provenance={"torch": "2"})
    assert isinstance(study, Study)
    assert study.rows == tuple(one.rows)
    assert study.per_class == tuple(one.class_values)
    assert study.notes == ("Said.", "Seen.")
    assert (study.title, study.clock, study.provenance) == ("T", "epoch", {"torch": "2"})


def test_pictures_of_a_study_are_turned_like_the_last_one(seen):
    """Turning changes neither distances nor cosines, and brings the steps of a layer together."""
    study = seen.study()
    drawn = [p for p in study.pictures if (p.layer, p.split) == ("conv1", "train")]
    plain = [p for p in seen.pictures if (p.layer, p.split) == ("conv1", "train")]

    def apart(pictures):
        return np.linalg.norm(np.asarray(pictures[0].points) - np.asarray(pictures[-1].points))

    assert drawn[0].cosines == plain[0].cosines
    before, after = (np.asarray(pictures[0].points) for pictures in (plain, drawn))
    # coordinates are rounded to 5 digits, as a record keeps them
    assert after @ after.T == approx(before @ before.T, abs=1e-4)
    assert apart(drawn) <= apart(plain) + 1e-4


def test_a_report_is_one_page_at_the_path_given(seen, tmp_path):
    path = seen.report(tmp_path / "page.html", title="Caltrops")
    assert path.read_text(encoding="utf-8").lstrip().lower().startswith("<!doctype html")
    assert "Caltrops" in path.read_text(encoding="utf-8")


def test_an_empty_observation_says_so_and_answers_nothing():
    empty = Observation()
    assert empty.layers == []
    assert json.loads(empty.to_json()) == {"rows": [], "per_class": {}, "notes": []}
    with pytest.raises(KeyError, match="no layer is called 'a'"):
        empty["a", "accuracy"]


def test_merging_keeps_every_note_once():
    first, second = Observation(notes=["a", "b"]), Observation(notes=["b", "c"])
    assert Observation.merged([first, second]).notes == ("a", "b", "c")
