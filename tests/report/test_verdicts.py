"""Verdicts on a page, in a notebook and in a terminal."""

from __future__ import annotations

import re
from dataclasses import replace

import pytest

from caltrop.report import html_verdicts, page, verdict_table
from caltrop.report.numbers import number
from caltrop.report.verdicts import claim_anchors, measured
from caltrop.rows import INCONCLUSIVE, OUTCOMES, REPRODUCED, Row, Study, Verdict
from report.experiments import HEAD, experiment_study, verdicts, wide_study

EVIL = "</script><img src=x onerror=alert(1)>'\"&<b>"


@pytest.fixture(scope="module")
def html():
    return page(experiment_study())


def words(markup):
    return " ".join(re.sub("<[^>]*>", " ", markup).split())


def section(html, name):
    return re.search(rf'<section id="{name}">.*?</section>', html, re.S).group(0)


def test_verdicts_stand_before_tiles_and_measures(html):
    assert html.index('id="verdicts"') < html.index('class="tiles"') < html.index('id="measures"')


def test_a_line_says_outcome_claim_measured_expected_and_why(html):
    first = re.search(r"<tbody>(<tr>.*?</tr>)", section(html, "verdicts"), re.S).group(1)
    assert words(first) == (
        "✓ reproduced Within-class variability (NC1) at the last layer falls at least tenfold during training. "
        "definition · chart · within-class variability 37.4 33.9 to 40.2 at least 10 "
        "37.42, 95 % interval 33.91 to 40.18 (mean over 3 seeds, bootstrap interval) is at least 10"
    )


def test_every_outcome_has_a_sign_and_a_word_besides_its_colour(html):
    for sign, outcome in zip("✓✗?", OUTCOMES, strict=True):
        assert f'class="outcome {outcome}"><span aria-hidden="true">{sign}</span> {outcome}<' in html


def test_outcomes_are_counted_above_the_table(html):
    assert "4 claims: ✓ 2 reproduced , ✗ 1 contradicted , ? 1 inconclusive ." in words(section(html, "verdicts"))


def test_a_verdict_links_to_its_definition_its_chart_and_the_gloss(html):
    line = section(html, "verdicts").split("<tr>")[3]
    assert re.findall('href="([^"]*)"', line) == [
        "#claim-angles-equalise",
        "#figure-angle_deviation",
        "#measure-angle_deviation",
        "#measure-norm_deviation",
    ]


def test_no_link_leads_nowhere(html):
    identifiers = set(re.findall(' id="([^"]*)"', html))
    assert set(re.findall('href="#([^"]*)"', html)) <= identifiers


def test_a_claim_is_defined_with_threshold_place_preconditions_and_the_numbers_of_each_seed(html):
    claim = words(re.search(r'<article class="claim" id="claim-variability-falls">.*?</article>', html, re.S).group(0))
    for part in (
        "abstract; figure 6",
        "NC1 of the training images",
        "ours: ordinary training",
        "weight decay had time",
    ):
        assert part in claim
    rows = experiment_study().rows.where(layer=HEAD, measure="within_class_variability", origin="trained", step=120)
    values = [f"{number(row.value)} (seed {row.seed})" for row in rows.where(split="train")]
    assert f"within_class_variability, train: {', '.join(values)}" in claim


def test_twenty_seeds_are_not_listed_one_by_one():
    study = replace(wide_study(), verdicts=verdicts()[:1])
    small = replace(study, rows=study.rows.where(layer="blocks.24", step=(1, 40)).with_columns(layer=HEAD))
    assert "each seed at its end" not in page(small)


def test_two_papers_with_a_claim_of_one_name_have_two_anchors():
    both = [*verdicts("one2020")[:1], *verdicts("two2021")[:2]]
    assert claim_anchors(both) == [
        "claim-one2020/variability-falls",
        "claim-two2021/variability-falls",
        "claim-angles-equalise",
    ]


def test_a_study_without_verdicts_has_no_section_for_them():
    html = page(Study(rows=(Row("a", "loss", "", 1.0),)))
    assert "Verdicts" not in html
    assert 'id="claims"' not in html


def test_nothing_of_a_verdict_becomes_markup():
    evil = Verdict(EVIL, REPRODUCED, 1.0, EVIL, EVIL, (0.5, 1.5), EVIL, EVIL, EVIL, EVIL, (EVIL,), ((EVIL, EVIL),))
    study = Study(rows=(Row(EVIL, EVIL, EVIL, 1.0, seed=1), Row(EVIL, EVIL, EVIL, 2.0, seed=2)), verdicts=(evil,))
    for markup in (page(study), html_verdicts([evil])):
        assert "<img" not in markup
        assert "<b>'" not in markup


@pytest.mark.parametrize(
    ("value", "interval", "said"),
    [
        (18.9231, (16.2, 21.4), "18.9 (16.2 to 21.4)"),
        (0.0, None, "0"),
        (None, None, "–"),
        (float("nan"), None, "–"),
        (1.0, (1.0, 1.0), "1"),
    ],
)
def test_a_measured_value_has_the_digits_of_its_interval(value, interval, said):
    assert measured(Verdict("p/c", INCONCLUSIVE, value, "", "", interval)) == said


def test_the_terminal_shows_every_word_within_a_hundred_columns():
    found = verdict_table(verdicts())
    assert max(map(len, found.splitlines())) <= 100
    joined = " ".join(found.split())
    for verdict in verdicts():
        assert verdict.claim in joined
        assert verdict.says in joined
        assert verdict.why in joined
        assert f"expected {verdict.expected}" in joined


def test_the_terminal_starts_with_the_counts():
    assert verdict_table(verdicts()).startswith("4 claims: 2 reproduced, 1 contradicted, 1 inconclusive.\n")
    assert verdict_table(verdicts()[:1]).startswith("1 claim: 1 reproduced.\n")


@pytest.mark.parametrize(("show", "said"), [(verdict_table, "No claims.\n"), (html_verdicts, "<p>No claims.</p>")])
def test_no_claims_are_said_in_words(show, said):
    assert show([]) == said


def test_a_notebook_gets_colours_and_signs_without_script_or_style_sheet():
    fragment = html_verdicts(verdicts())
    assert not re.search(r"<script|<style|<link|<img|https?:|\bon\w+=", fragment)
    assert len(set(re.findall(r"color:(#\w+)", fragment))) == 3
    for sign, outcome in zip("✓✗?", OUTCOMES, strict=True):
        assert f"<strong>{sign} {outcome}</strong>" in fragment


def test_a_chart_that_has_no_rows_is_not_linked_or_drawn(html):
    assert "a chart without any rows" not in html
    assert "never measured" not in re.sub("<dd>.*?</dd>", "", html)


def test_rows_of_one_seed_have_no_line_by_seed():
    assert "each seed at its end" not in page(experiment_study((0,)))
