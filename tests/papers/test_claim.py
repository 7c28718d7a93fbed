"""Claims: what is reproduced, contradicted and inconclusive, and that nothing slips through."""

from __future__ import annotations

import math
from dataclasses import replace

import pytest

from caltrop.papers import (
    TRAINED,
    Claim,
    Estimate,
    Evidence,
    Precondition,
    Within,
    at_least,
    at_most,
    exactly,
    weight_decay_times,
)
from caltrop.rows import Row, Rows

ROWS = Rows.of([Row("head:input", "loss", "L", 1.0, seed=0, step=1)])
GOOD = {"training_error": 0.0, "weight_decay_time": 6.0, "contradictory_share": 0.0}


def evidence(*conditions, missing=(), rows=ROWS):
    return Evidence(rows, {}, {f"seed {i}": entry for i, entry in enumerate(conditions)}, missing)


def claim(quantity=lambda _: 1.0, expected=None, **more):
    return Claim(
        id="paper2020word/name",
        says="Something holds.",
        where="abstract",
        quantity=quantity,
        computes="one",
        expected=expected or at_least(0.5),
        threshold="ours",
        **{"origin": "solved", **more},
    )


@pytest.mark.parametrize(
    ("estimate", "expected", "outcome"),
    [
        (0.5, at_least(0.5), "reproduced"),
        (0.4999, at_least(0.5), "contradicted"),
        (0.5, at_most(0.5), "reproduced"),
        (0.0, exactly(0), "reproduced"),
        (1e-9, exactly(0), "contradicted"),
        (Estimate(2.0, (1.5, 2.5)), at_least(1.5), "reproduced"),
        (Estimate(2.0, (1.4, 2.5)), at_least(1.5), "inconclusive"),
        (Estimate(1.0, (0.4, 1.4)), at_least(1.5), "contradicted"),
        (Estimate(1.0, (0.4, 1.5)), at_least(1.5), "inconclusive"),
        (Estimate(0.0, (0.0, 0.0)), exactly(0), "reproduced"),
        (Estimate(0.1, (0.0, 0.2)), exactly(0), "inconclusive"),
        (Estimate(1.0, (0.0, 3.0)), Within(0.5, 2.0), "inconclusive"),
        (Estimate(5.0, (4.0, 6.0)), Within(0.5, 2.0), "contradicted"),
    ],
)
def test_the_outcome_follows_from_where_the_interval_lies(estimate, expected, outcome):
    verdict = claim(lambda _: estimate, expected).judge(evidence())
    assert verdict.outcome == outcome, verdict.why
    assert verdict.measured == (estimate.value if isinstance(estimate, Estimate) else estimate)
    assert verdict.expected == str(expected)


def test_a_straddling_interval_is_named():
    verdict = claim(lambda _: Estimate(2.0, (1.0, 3.0), (1.0, 3.0), "mean over 2 seeds"), at_least(1.5)).judge(
        evidence()
    )
    assert verdict.interval == (1.0, 3.0)
    assert "95 % interval 1 to 3 (mean over 2 seeds): the interval straddles the threshold, ≥ 1.5" in verdict.why


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf])
def test_a_quantity_that_is_not_finite_is_inconclusive(value):
    verdict = claim(lambda _: value, at_least(-math.inf)).judge(evidence())
    assert verdict.outcome == "inconclusive"
    assert "not a finite number" in verdict.why
    assert verdict.measured is None


@pytest.mark.parametrize(
    ("error", "why"),
    [
        (KeyError("'loss' was not measured"), "'loss' was not measured"),
        (ZeroDivisionError("float division by zero"), "division by zero"),
        (LookupError("there are no rows to read"), "there are no rows to read"),
        (RuntimeError(), "RuntimeError"),
    ],
)
def test_a_quantity_that_raises_is_inconclusive_with_the_reason(error, why):
    def quantity(_):
        raise error

    verdict = claim(quantity).judge(evidence())
    assert (verdict.outcome, verdict.measured) == ("inconclusive", None)
    assert why in verdict.why


def test_a_quantity_that_gives_no_number_is_inconclusive():
    assert claim(lambda _: "much").judge(evidence()).outcome == "inconclusive"
    assert claim(lambda _: None).judge(evidence()).outcome == "inconclusive"


def test_ctrl_c_inside_a_quantity_is_not_swallowed():
    def quantity(_):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        claim(quantity).judge(evidence())


def test_an_empty_record_is_inconclusive():
    verdict = claim().judge(Evidence(Rows.of([]), missing=("seed 0: not run yet",)))
    assert verdict.outcome == "inconclusive"
    assert "no rows (seed 0: not run yet)" in verdict.why


def test_a_missing_run_is_inconclusive_and_named():
    verdict = claim().judge(evidence(GOOD, missing=("seed 2: training diverged",)))
    assert (verdict.outcome, verdict.measured) == ("inconclusive", None)
    assert "seed 2: training diverged" in verdict.why


@pytest.mark.parametrize(
    ("changes", "why"),
    [
        ({"training_error": 0.001}, "seed 1: training error is 0.001"),
        ({"weight_decay_time": 4.99}, "seed 1: trained for 4.99 weight-decay times only"),
        ({"contradictory_share": 0.2}, "seed 1: a share of 0.2 of the inputs also has another label"),
        ({"training_error": None}, "seed 1: training_error is not recorded"),
        ({"training_error": math.nan}, "seed 1: training error is nan"),
    ],
)
def test_an_unmet_precondition_is_inconclusive_and_names_the_run(changes, why):
    verdict = claim(lambda _: 0.0, origin="trained", requires=TRAINED).judge(evidence(GOOD, {**GOOD, **changes}))
    assert verdict.outcome == "inconclusive"
    assert why in verdict.why
    assert "seed 0" not in verdict.why


def test_preconditions_that_hold_let_the_claim_be_judged():
    judged = claim(lambda _: 0.0, origin="trained", requires=TRAINED).judge(evidence(GOOD, GOOD))
    assert judged.outcome == "contradicted"
    assert judged.requires == tuple(one.says for one in TRAINED)


def test_preconditions_without_any_recorded_run_are_unmet():
    verdict = claim(origin="trained", requires=TRAINED).judge(Evidence(ROWS))
    assert verdict.outcome == "inconclusive"
    assert "nothing was run" in verdict.why


def test_a_precondition_that_raises_is_unmet():
    broken = Precondition("something can be checked", lambda _: 1 / 0)
    verdict = claim(requires=(broken,)).judge(evidence(GOOD))
    assert verdict.outcome == "inconclusive"
    assert "could not be checked" in verdict.why


@pytest.mark.parametrize("requires", [(), (TRAINED[0],), (weight_decay_times(),)])
def test_a_claim_on_a_trained_network_must_ask_for_fit_and_time(requires):
    with pytest.raises(ValueError, match="does not require that the data are fitted and that training was long enough"):
        claim(origin="trained", requires=requires)


@pytest.mark.parametrize(
    ("changes", "why"),
    [({"id": "no-slash"}, "must be written as paper/short-name"), ({"origin": "guessed"}, "'guessed' is none of")],
)
def test_a_malformed_claim_is_refused(changes, why):
    with pytest.raises(ValueError, match=why):
        replace(claim(), **changes)


def test_a_range_that_holds_no_number_is_refused():
    with pytest.raises(ValueError, match="no number lies within"):
        Within(2.0, 1.0)


@pytest.mark.parametrize(
    ("within", "words"),
    [(at_least(10), "≥ 10"), (at_most(0.05), "≤ 0.05"), (exactly(0), "0"), (Within(0.8, 1.2), "0.8 to 1.2")],
)
def test_ranges_in_words(within, words):
    assert str(within) == words


def sweep(*, missing=()):
    rows = Rows.of([Row("", "loss", "L", 1.0, seed=0, case="head A"), Row("", "loss", "L", 9.0, seed=0, case="model")])
    cases = {"head A": {"depth": 3}, "model": {"depth": 1}}
    conditions = {"head A, seed 0": GOOD, "model, seed 0": {"starts": 4}}
    return Evidence(rows, cases, conditions, missing)


def test_a_claim_about_some_cases_sees_nothing_of_the_others():
    one = claim(
        quantity=lambda seen: seen.rows.values.sum() + len(seen.cases),
        expected=exactly(2),
        requires=TRAINED,
        origin="trained",
        about="head",
    )
    assert one.judge(sweep()).outcome == "reproduced"
    # the other case was never trained, and says so to a claim about all
    assert "model, seed 0: training_error is not recorded" in replace(one, about="").judge(sweep()).why


@pytest.mark.parametrize(
    ("missing", "outcome"), [("model, seed 1: not run yet", "reproduced"), ("head A, seed 1: failed", "inconclusive")]
)
def test_a_missing_run_touches_only_claims_about_its_case(missing, outcome):
    one = claim(quantity=lambda seen: seen.rows.last(), about="head")
    assert one.judge(sweep(missing=(missing,))).outcome == outcome
