"""Rows by column read like the list they were made of."""

from __future__ import annotations

import json
import math
import sys

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from caltrop.rows import COLUMNS, NUMBERS, Row, Rows, plain_json, to_json

floats = st.one_of(st.floats(), st.sampled_from([0.0, -0.0, math.nan, math.inf]))
some = st.one_of(st.none(), st.floats(allow_nan=False), st.sampled_from([0.0, -0.0, 0.5, math.inf, -math.inf]))
rows = st.lists(
    st.builds(
        Row,
        layer=st.sampled_from(["", "fc:input", "conv"]),
        measure=st.sampled_from(["loss", "accuracy"]),
        symbol=st.just("s"),
        value=floats,
        origin=st.sampled_from(["trained", "closed form"]),
        seed=st.one_of(st.none(), st.integers(0, 2)),
        case=st.one_of(st.none(), st.sampled_from(["a", "b"])),
        split=st.sampled_from(["train", "test"]),
        step=st.one_of(st.none(), st.integers(0, 3), st.sampled_from([0.5, 2.0])),
        half_width=some,
        resolution=some,
        at_collapse=some,
        reason=st.one_of(st.none(), st.just("infinite: classes coincide"), st.just("undefined")),
        note=st.one_of(st.none(), st.just("a note")),
    ),
    max_size=12,
)


def told(table):
    """Every digit and type of every entry; NaN reads like NaN."""
    return [repr(row) for row in table]


@given(rows)
def test_rows_read_like_the_list_they_were_made_of(listed):
    table = Rows.of(listed)
    assert len(table) == len(listed)
    assert told(table) == told(listed)
    assert told(table[i] for i in range(len(listed))) == told(listed)
    assert told(table[1:]) == told(listed[1:])


@given(rows)
def test_rows_survive_strict_json_by_column(listed):
    table = Rows.of(listed)
    text = plain_json(table.as_columns())
    again = Rows.from_columns(json.loads(text, parse_constant=lambda constant: pytest.fail(constant)))
    assert told(again) == told(listed)
    assert plain_json(again.as_columns()) == text


@given(rows, st.sampled_from(["layer", "seed", "step", "origin", "case"]))
def test_where_and_split_by_agree_with_a_loop(listed, column):
    table = Rows.of(listed)
    seen = list(dict.fromkeys(getattr(row, column) for row in listed))
    for entry in seen:
        assert told(table.where(**{column: entry})) == told(row for row in listed if getattr(row, column) == entry)
    kept = tuple(seen[:2])
    assert told(table.where(**{column: kept})) == told(row for row in listed if getattr(row, column) in kept)
    assert list(table.holds(**{column: kept})) == [getattr(row, column) in kept for row in listed]
    assert table.distinct(column) == tuple(seen)
    parts = table.split_by(column)
    assert list(parts) == seen
    for entry, part in parts.items():
        assert told(part) == told(row for row in listed if getattr(row, column) == entry)


@given(rows, st.sampled_from(["seed", "step", "at_collapse", "reason"]))
def test_coded_entries_are_those_of_the_rows_each_once(listed, column):
    entries, codes = Rows.of(listed).where(split="train").coded(column)
    held = [getattr(row, column) for row in listed if row.split == "train"]
    assert list(map(repr, (entries[code] for code in codes))) == list(map(repr, held))
    assert list(map(repr, entries)) == list(dict.fromkeys(map(repr, held)))


@given(rows, st.data())
def test_masks_and_slices_pick_what_they_pick_of_a_list(listed, data):
    table = Rows.of(listed)
    mask = data.draw(st.lists(st.booleans(), min_size=len(listed), max_size=len(listed)))
    assert told(table[np.array(mask, dtype=bool)]) == told(row for row, kept in zip(listed, mask, strict=True) if kept)
    cut = data.draw(st.slices(len(listed)))
    assert told(table[cut]) == told(listed[cut])


def plain_single(listed):
    """The value of one row; what `last` and `first` raise otherwise."""
    if len(listed) != 1:
        raise LookupError
    return listed[0].value


def plain_last(listed):
    steps = [row.step for row in listed if row.step is not None]
    return plain_single([row for row in listed if row.step == max(steps)] if steps else listed)


def plain_first(listed):
    later = [row for row in listed if row.step is not None and row.step > 0]
    return plain_single([row for row in later if row.step == min(row.step for row in later)])


def answered(ask, held):
    try:
        return repr(float(ask(held)))
    except LookupError:
        return "none, or several"


@pytest.mark.parametrize(("ask", "plain"), [(Rows.last, plain_last), (Rows.first, plain_first)])
@given(listed=rows)
def test_last_and_first_agree_with_a_loop(ask, plain, listed):
    some_seed = [row for row in listed if row.seed == 0]
    for held in (listed, some_seed, listed[:1]):
        assert answered(ask, Rows.of(held)) == answered(plain, held)


@given(rows, st.integers(0, 12))
def test_equal_rows_are_equal_text_however_they_came_together(listed, cut):
    whole = plain_json(Rows.of(listed).as_columns())
    joined = Rows.joined([listed[:cut], listed[cut:]])
    assert plain_json(joined.as_columns()) == whole
    assert plain_json(Rows.joined([listed, listed])[len(listed) :].as_columns()) == whole
    assert joined == Rows.of(listed)
    assert hash(joined) == hash(Rows.of(listed))


@given(rows, rows)
def test_joined_rows_are_one_after_the_other(first, second):
    assert told(Rows.joined([first, Rows.of(second)])) == told([*first, *second])


def test_joining_nothing_gives_nothing():
    assert len(Rows.joined([])) == 0
    assert list(Rows.joined([])) == []


def test_several_columns_narrow_each_other():
    table = Rows.of([Row("a", "loss", "L", float(i), step=i % 2, seed=i // 2) for i in range(4)])
    assert [row.value for row in table.where(step=1, seed=1)] == [3.0]
    assert len(table.where(layer="b")) == 0


def test_an_unknown_column_is_refused():
    with pytest.raises(TypeError, match="rows are told apart by origin, seed"):
        Rows.of([]).where(colour="red")


def series(values, **more):
    return Rows.of([Row("a", "loss", "L", value, step=step, **more) for step, value in values.items()])


def test_first_is_after_the_untrained_network_and_last_at_the_largest_step():
    table = series({5: 0.1, 0: 9.0, 1: 4.0})
    assert (table.first(), table.last()) == (4.0, 0.1)
    assert series({None: 3.0}).last() == 3.0


@pytest.mark.parametrize("ask", [Rows.first, Rows.last])
def test_first_and_last_of_several_series_are_refused_with_what_differs(ask):
    both = Rows.joined([series({1: 1.0}, seed=0), series({1: 2.0}, seed=1)])
    with pytest.raises(LookupError, match=r"2 rows stand where one was expected; they differ in \{'seed': \(0, 1\)\}"):
        ask(both)
    with pytest.raises(LookupError, match="no rows to read"):
        ask(Rows.of([]))


def test_columns_can_be_set_for_all_rows():
    table = series({1: 1.0, 2: 2.0}).with_columns(case="depth=4", seed=3)
    assert {(row.case, row.seed) for row in table} == {("depth=4", 3)}
    assert [row.value for row in table] == [1.0, 2.0]


def test_whole_and_fractional_steps_stay_what_they_are():
    table = Rows.from_columns(
        Rows.of([Row("a", "m", "s", 1.0, step=2), Row("a", "m", "s", 1.0, step=2.0)]).as_columns()
    )
    assert [type(row.step) for row in table] == [int, float]


@pytest.mark.parametrize(
    ("damage", "why"),
    [
        (lambda c: c["value"].pop(), "column value has 1 numbers for 2 rows"),
        (lambda c: c["step"]["codes"].pop(), "column step has 1 codes for 2 rows"),
        (lambda c: c["step"].update(codes=[0, 9]), "codes from 0 to 9 for 2 entries"),
        (lambda c: c["step"].update(codes=[0, -1]), "is damaged"),
        (lambda c: c.update(colour=[1]), r"unknown columns \['colour'\].*newer version"),
        (lambda c: c.update(count=3), "for 3 rows"),
        (lambda c: c.update(count=True), "said to be True rows"),
        (lambda c: c.update(count=2.0), "said to be 2.0 rows"),
        (lambda c: c["step"].update(codes=[0, 0.5]), "codes that are no integers"),
        (lambda c: c["step"].update(codes=[[0], [1]]), "codes that are no integers"),
        (lambda c: c["step"].update(codes=[0, 2**70]), "codes that are no integers"),
        (lambda c: c["step"].update(codes=[0, 2**40]), "codes from 0 to 1099511627776"),
        (lambda c: c["layer"].update(entries=[3]), "column layer has other entries than a list of str"),
        (lambda c: c["seed"].update(entries=[True]), "column seed has other entries than a list of int or null"),
        (lambda c: c["step"].update(entries=[10**400, 1]), "column step has a number that is too large"),
        (lambda c: c.update(step=[1, 2]), "column step has other entries"),
        (lambda c: c.update(value=["1.5", 2.0]), "column value is no list of numbers"),
        (lambda c: c.update(infinite={"value": {"plus": [2]}}), "not clear what is infinite"),
        (lambda c: c.update(infinite={"value": {"plus": [-1]}}), "not clear what is infinite"),
        (lambda c: c.update(infinite={"layer": {"plus": [0]}}), "not clear what is infinite"),
        (lambda c: c.update(infinite=[1]), "not clear what is infinite"),
    ],
)
def test_damaged_columns_are_refused(damage, why):
    columns = json.loads(to_json(series({1: 1.0, 2: 2.0}).as_columns()))
    damage(columns)
    with pytest.raises(ValueError, match=why):
        Rows.from_columns(columns)


def test_a_missing_column_is_named():
    columns = series({1: 1.0}).as_columns()
    del columns["note"]
    with pytest.raises(KeyError, match="note"):
        Rows.from_columns(columns)


def test_columns_of_before_infinities_were_told_are_read_by_their_reasons():
    columns = series({1: 1.0, 2: math.inf}).with_columns(reason="infinite: classes coincide").as_columns()
    assert columns["value"] == [1.0, None]
    assert "infinite" not in columns
    assert [row.value for row in Rows.from_columns(columns)] == [1.0, math.inf]


@pytest.mark.parametrize(
    "ask",
    [
        lambda table: table.with_columns(colour="red"),
        lambda table: table.with_columns(value=1.0),
        lambda table: table.split_by("value"),
        lambda table: table.distinct("colour"),
    ],
)
def test_only_columns_of_few_entries_are_set_and_split(ask):
    with pytest.raises(TypeError, match="told apart by origin, seed"):
        ask(series({1: 1.0}))


def test_a_table_cannot_be_changed():
    table = series({1: 1.0})
    for array in (table.values, table.codes("step")):
        with pytest.raises(ValueError, match="read-only"):
            array[0] = 2


def test_the_array_that_a_table_was_made_of_can():
    made = series({1: 1.0})
    values = np.array([1.0])
    Rows(made._entries, made._codes, {**made._numbers, "value": values})
    values[0] = 2.0


def test_arrays_of_a_table_are_those_of_its_rows():
    table = series({1: 1.0, 2: math.nan, None: 3.0})
    assert np.array_equal(table.values, [1.0, math.nan, 3.0], equal_nan=True)
    assert np.array_equal(table.steps, [1.0, 2.0, math.nan], equal_nan=True)


@settings(max_examples=40, deadline=None)
@given(rows)
def test_the_data_frame_agrees_with_one_built_row_by_row(listed):
    pandas = pytest.importorskip("pandas")
    plain = pandas.DataFrame([vars(row) for row in listed], columns=list(COLUMNS))
    # numbers are numbers, where none is known too
    plain = plain.astype(dict.fromkeys(NUMBERS, float))
    pandas.testing.assert_frame_equal(Rows.of(listed).to_pandas(), plain, check_dtype=bool(listed), check_exact=True)


def test_the_data_frame_of_a_part_knows_nothing_of_the_rest():
    pytest.importorskip("pandas")
    frame = series({None: 1.0, 3: 2.0})[1:].to_pandas()
    assert frame["step"].dtype == "int64"


def test_a_changed_data_frame_leaves_the_table_as_it_was():
    pytest.importorskip("pandas")
    table = series({1: 1.0, 2: 2.0})
    frame = table.to_pandas()
    frame.loc[0, "value"] = 9.0
    assert list(table.values) == [1.0, 2.0]


def test_without_pandas_the_error_says_what_to_install(monkeypatch):
    monkeypatch.setitem(sys.modules, "pandas", None)
    with pytest.raises(ImportError, match="to_pandas needs pandas: pip install pandas"):
        series({1: 1.0}).to_pandas()
