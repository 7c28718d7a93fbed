"""Many rows as few: nothing is dropped, and what is gathered is said."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from caltrop.report.aggregate import MOST_POINTS, aggregate, ends
from caltrop.report.gathered import Gathered
from caltrop.rows import Row, Rows
from report.experiments import experiment_study, long_study, wide_study
from report.studies import demo_study


def run(values, *, steps=None, seeds=None, **more):
    """One row a value, of one series."""
    steps, seeds = steps or [1] * len(values), seeds or list(range(len(values)))
    return [
        Row(**{"layer": "a", "measure": "loss", "symbol": "", "value": v, "seed": seed, "step": step, **more})
        for v, step, seed in zip(values, steps, seeds, strict=True)
    ]


def test_seeds_become_their_mean_with_least_and_largest():
    (row,) = aggregate(run([0.5, 0.25, 0.75])).rows
    assert (row.value, row.least, row.largest, row.count, row.seed) == (0.5, 0.25, 0.75, 3, None)
    assert row.says() == "mean 0.5000, 0.2500 to 0.7500, 3 seeds"


def test_a_study_of_one_seed_and_few_steps_comes_back_as_it_is():
    rows = demo_study().rows
    few = aggregate(rows)
    assert few.rows == tuple(rows)
    assert few.told() == ()


@pytest.mark.parametrize("by_case", [True, False])
def test_cases_are_gathered_only_on_demand(by_case):
    rows = [row for case in ("depth=1", "depth=2") for row in run([1.0, 3.0], case=case)]
    few = aggregate(rows, by_case=by_case)
    assert [row.case for row in few.rows] == (["depth=1", "depth=2"] if by_case else [None])
    assert any("2 cases" in sentence for sentence in few.told()) == (not by_case)


def test_a_seed_that_ended_early_is_not_counted_where_it_is_missing():
    rows = run([1.0, 2.0, 3.0, 5.0], steps=[1, 1, 2, 2], seeds=[0, 1, 0, 1]) + run([9.0], seeds=[2])
    assert [row.of for row in aggregate(rows).rows] == ["3 seeds", "2 of 3 seeds"]


def test_a_number_that_stands_alone_says_which_share_of_the_seeds_it_is():
    rows = run([1.0, 2.0]) + run([4.0], steps=[2], seeds=[1])
    last = aggregate(rows).rows[-1]
    assert (last.seed, last.says()) == (None, "4, 1 of 2 seeds")


def test_what_has_no_seed_is_no_seed():
    rows = [*run([1.0, 2.0]), Row("a", "loss", "", 1.25, "closed form")]
    theory = aggregate(rows).rows[-1]
    assert not isinstance(theory, Gathered)
    assert "2 seeds" in aggregate(rows).told()[0]


def test_origins_splits_and_measures_are_never_mixed():
    rows = [
        row
        for origin in ("trained", "solved")
        for split in ("train", "test")
        for measure in ("loss", "accuracy")
        for row in run([1.0, 2.0], origin=origin, split=split, measure=measure)
    ]
    assert len(aggregate(rows).rows) == 8


def test_seeds_that_share_no_step_stay_apart():
    rows = run([1.0, 2.0, 3.0, 4.0], steps=[1, 2, 3, 4], seeds=[0, 1, 0, 1])
    assert aggregate(rows).rows == tuple(rows)


def test_numbers_that_are_not_finite_are_counted_not_averaged():
    (row,) = aggregate(run([0.5, math.nan, 1.5], reason=None)).rows
    assert (row.value, row.count, row.note) == (1.0, 2, "1 of 3 have no finite value")


@pytest.mark.parametrize(
    ("reasons", "said"), [(("too few", "too few"), "too few"), (("x", "y"), "x (and other reasons)")]
)
def test_numbers_that_are_missing_everywhere_keep_their_reason(reasons, said):
    rows = [replace(row, reason=why) for row, why in zip(run([math.nan, math.nan]), reasons, strict=True)]
    (row,) = aggregate(rows).rows
    assert math.isnan(row.value)
    assert row.reason == said


def test_a_value_at_collapse_that_differs_is_not_shown_as_one():
    rows = [replace(row, at_collapse=float(place)) for place, row in enumerate(run([1.0, 2.0]))]
    assert aggregate(rows).rows[0].at_collapse is None


def test_the_mean_of_equal_numbers_is_that_number():
    (row,) = aggregate(run([0.1, 0.1, 0.1])).rows
    assert row.value == row.least == row.largest == 0.1


@settings(deadline=None, max_examples=25)
@given(count=st.integers(101, 3000), start=st.sampled_from([0, 1, 50_000]))
def test_steps_are_gathered_without_losing_one(count, start):
    steps = list(range(start, start + count))
    values = np.sqrt(np.arange(1.0, count + 1))
    few = aggregate(run(values.tolist(), steps=steps, seeds=[None] * count))
    sizes = [row.count if isinstance(row, Gathered) else 1 for row in few.rows]
    assert sum(sizes) == count
    assert len(sizes) <= 100
    assert math.fsum(row.value * size for row, size in zip(few.rows, sizes, strict=True)) == pytest.approx(
        math.fsum(values), rel=1e-12
    )
    assert (few.rows[0].step, few.rows[-1].step) == (start, start + count - 1)
    assert [few.rows[0].value, few.rows[-1].value] == [values[0], values[-1]]
    assert few.told() == (
        f"{count} steps (step {start} to {start + count - 1}) are shown as {len(sizes)} groups: "
        "mean, least and largest of each.",
    )


def test_early_steps_on_a_logarithmic_axis_stand_alone():
    steps = list(range(1, 10_001))
    few = aggregate(run([1.0] * 10_000, steps=steps, seeds=[None] * 10_000))
    assert [row.step for row in few.rows[:5]] == [1, 2, 3, 4, 5]


def test_groups_of_steps_say_which_steps_they_are():
    few = aggregate(run(list(map(float, range(400))), steps=list(range(50_000, 50_400)), seeds=[None] * 400))
    group = few.rows[5]
    assert group.of == f"{group.count} steps"
    assert group.step - group.since == group.count - 1


def test_many_layers_are_gathered_with_their_neighbours_and_the_last_alone():
    rows = [Row(f"blocks.{n}", "loss", "", float(n)) for n in range(25)] + [Row("", "accuracy", "", 1.0)]
    few = aggregate(rows)
    assert [row.layer for row in few.rows] == [
        "blocks.0 … 2", "blocks.3 … 5", "blocks.6 … 8", "blocks.9 … 11", "blocks.12 … 14", "blocks.15 … 17",
        "blocks.18 … 20", "blocks.21 … 23", "blocks.24", "",
    ]  # fmt: skip
    assert few.groups["blocks.4"] == "blocks.3 … 5"
    assert few.told() == ("25 layers are drawn in 9 groups of neighbours (the last layer alone).",)
    assert few.rows[0].of == "3 layers"


def test_sixteen_layers_stay_sixteen():
    rows = [Row(f"blocks.{n}", "loss", "", float(n)) for n in range(16)]
    assert aggregate(rows).rows == tuple(rows)


def test_ends_are_the_last_rows_of_every_series_whatever_their_order():
    rows = run([1.0, 2.0, 3.0, 4.0, 5.0], steps=[3, 1, 2, 1, None], seeds=[0, 0, 1, 1, 2])
    assert [(row.seed, row.step, row.value) for row in ends(rows)] == [(0, 3, 1.0), (1, 2, 3.0), (2, None, 5.0)]


@pytest.mark.parametrize("make", [wide_study, long_study])
def test_of_a_million_rows_every_one_is_in_a_mean(make):
    rows = make().rows
    few = aggregate(rows)
    sizes = np.array([row.count if isinstance(row, Gathered) else 1 for row in few.rows])
    assert sizes.sum() == len(rows) == 1_000_000
    assert len(sizes) <= MOST_POINTS
    assert float(sizes @ [row.value for row in few.rows]) == pytest.approx(float(rows.values.sum()), rel=1e-9)
    assert min(row.least if isinstance(row, Gathered) else row.value for row in few.rows) == rows.values.min()
    assert max(row.largest if isinstance(row, Gathered) else row.value for row in few.rows) == rows.values.max()


def test_a_thousand_measures_still_fit():
    some = wide_study().rows.where(seed=(0, 1), step=(1, 2, 3))
    table = Rows.joined(
        some.where(measure="simplex_distance").with_columns(measure=f"mine_{number}") for number in range(1000)
    )
    assert len(aggregate(table).rows) <= MOST_POINTS


def test_gathering_does_not_depend_on_the_order_of_the_rows():
    rows = list(experiment_study().rows)
    shuffled = [rows[place] for place in np.random.default_rng(1).permutation(len(rows))]

    def known(found):
        return {
            (r.origin, r.split, r.layer, r.measure, r.step): round(r.value, 12) for r in found if r.value == r.value
        }

    assert known(aggregate(shuffled).rows) == known(aggregate(rows).rows)


def test_no_rows_stay_no_rows():
    assert aggregate(()).rows == ()
    assert len(ends(())) == 0
