"""Claims on deep features models, judged from rows written by hand: both verdicts of each, and what stays open."""

from __future__ import annotations

import pytest

from caltrop import papers
from caltrop.papers import Evidence
from caltrop.rows import Row, Rows

CLAIMS = {claim.id.partition("/")[2]: claim for claim in papers.get("sukenik2024lowrank").claims}


def best(case, seed, gap, *, fit=0.0, penalty=1.0, rank=-2.0):
    numbers = {
        "gap_to_dnc": gap,
        "fit_gain": fit,
        "penalty_gain": penalty,
        "rank_above_dnc": rank,
        "mean_rank": 3.0,
        "logit_rank": 3.0,
    }
    return [Row("", name, "", value, origin="solved", seed=seed, case=case) for name, value in numbers.items()]


def judged(name, rows, widths=()):
    cases = {row.case: {} for row in rows} | {f"prevalence, dim {width}": {"dim": width} for width in widths}
    return CLAIMS[name].judge(Evidence(Rows.of(rows), cases))


def starts(width, **counts):
    return [
        Row(f"structure {name.replace('_', ' ')}", "starts", "", float(count), "solved", 0, f"prevalence, dim {width}")
        for name, count in counts.items()
    ]


@pytest.mark.parametrize(
    ("gaps", "outcome"),
    [((-1e-3, -2e-6), "reproduced"), ((-1e-3, -5e-7), "contradicted"), ((-1e-3, 1e-3), "contradicted")],
)
def test_collapse_is_beaten_where_every_case_has_a_lower_point(gaps, outcome):
    rows = [row for depth, gap in enumerate(gaps) for row in best(f"beaten, depth {depth}", 0, gap)]
    assert judged("collapse-is-beaten", rows).outcome == outcome


def test_the_best_of_all_seeds_counts_with_its_own_gains():
    rows = [*best("beaten, A", 0, 0.01, penalty=-1.0), *best("beaten, A", 1, -0.01, fit=-0.1, penalty=0.5)]
    assert judged("collapse-is-beaten", rows).measured == -0.01
    assert judged("gain-is-penalty", rows).measured == pytest.approx(1.25)


@pytest.mark.parametrize(("gap", "outcome"), [(-1e-10, "reproduced"), (-1e-8, "contradicted"), (0.1, "reproduced")])
def test_the_control_is_contradicted_by_any_lower_point(gap, outcome):
    assert judged("control", best("control, A", 0, gap)).outcome == outcome


@pytest.mark.parametrize(("fit", "outcome"), [(0.05, "reproduced"), (0.5, "contradicted"), (-2.0, "inconclusive")])
def test_the_gain_must_be_penalty_and_a_gain(fit, outcome):
    assert judged("gain-is-penalty", best("beaten, A", 0, -0.01, fit=fit)).outcome == outcome


@pytest.mark.parametrize(("rank", "outcome"), [(-1.0, "reproduced"), (0.0, "contradicted")])
def test_the_winner_must_have_a_lower_rank(rank, outcome):
    assert judged("lower-rank", best("beaten, A", 0, -0.01, rank=rank)).outcome == outcome


def test_no_lower_point_found_for_few_classes_is_no_contradiction():
    found = judged("few-classes", best("few, 3 classes", 0, 0.0))
    assert found.outcome == "inconclusive"
    assert "does not show that there is nothing" in found.why
    assert judged("few-classes", best("few, 3 classes", 0, -0.01)).outcome == "reproduced"


@pytest.mark.parametrize(
    ("narrow", "wide", "outcome"),
    [
        ({"dnc": 0, "pairs": 30}, {"dnc": 20, "pairs": 10}, "reproduced"),
        ({"dnc": 20, "pairs": 10}, {"dnc": 0, "pairs": 30}, "contradicted"),
        ({"dnc": 0, "pairs": 4}, {"dnc": 2, "pairs": 2}, "inconclusive"),
    ],
)
def test_width_favours_collapse_only_where_intervals_are_disjoint(narrow, wide, outcome):
    rows = [*starts(10, **narrow), *starts(30, dnc=1, pairs=9), *starts(90, **wide)]
    assert judged("width-favours-collapse", rows, (10, 30, 90)).outcome == outcome


@pytest.mark.parametrize(
    ("wide", "outcome"),
    [
        ({"dnc": 20, "kneser": 2, "unknown,_rank_5": 30, "diverged": 9}, "reproduced"),
        ({"dnc": 2, "kneser": 20}, "contradicted"),
        ({"dnc": 3, "kneser": 2}, "inconclusive"),
        ({"unknown,_rank_5": 30}, "inconclusive"),
    ],
)
def test_collapse_is_common_among_structures_that_have_a_name(wide, outcome):
    rows = [*starts(10, kneser=5), *starts(90, **wide)]
    assert judged("collapse-is-common-when-wide", rows, (10, 90)).outcome == outcome
