"""Pages of experiments: seeds as one line, lines by origin, the paper's charts, a million rows."""

from __future__ import annotations

import json
import math
import re
from dataclasses import replace

import pytest

from caltrop.report import page
from caltrop.report.numbers import number
from caltrop.rows import Chart, Row, Study
from report.experiments import HEAD, experiment_study, long_study, sweep_study, wide_study


@pytest.fixture(scope="module")
def html():
    return page(experiment_study())


@pytest.fixture(scope="module")
def sweep():
    return page(sweep_study())


@pytest.fixture(scope="module")
def wide():
    return page(replace(wide_study(), charts=(Chart("variability_ratio", "blocks.4", splits=("train",)),)))


def card(html, name):
    return re.search(rf'<article class="card" id="{name}">.*?</article>', html, re.S).group(0)


def words(markup):
    return " ".join(re.sub("<[^>]*>", " ", markup).split())


def spoken(html):
    """What hovering says, chart by chart."""
    hover = json.loads(re.search(r'id="data">(.*?)</script>', html, re.S).group(1))["hover"]
    return [[(hover["places"][where], value) for _, _, where, value in chart] for chart in hover["charts"]]


def measured(html):
    """The page without what its verdicts say."""
    return html[html.index('<section id="figure">') : html.index('<section id="claims">')]


def lines(markup, kind):
    return re.findall(rf'<path class="{kind}[^"]*"', markup)


def test_three_seeds_are_one_line_with_a_band_and_the_page_says_so(html):
    chart = card(html, "measure-simplex_distance")
    assert len(lines(re.search('<svg class="chart curves".*?</svg>', chart, re.S).group(0), "line")) == 6
    assert len(lines(chart, "band")) == 6
    assert html.count("Line: mean over 3 seeds; band or whisker: least to largest.") == 2
    assert "seed 1" not in measured(html)


def test_hovering_says_mean_range_and_how_many_seeds(html):
    rows = experiment_study().rows.where(measure="within_class_variability", layer=HEAD, split="train", step=120)
    values = rows.where(origin="trained").values
    said = dict(spoken(html)[0])[f"train · {HEAD} · epoch 120"]
    assert said == f"mean {number(values.mean())}, {number(values.min())} to {number(values.max())}, 3 seeds"


def test_the_table_shows_means_and_ranges_never_one_seed(html):
    table = re.search(r'<table class="ledger".*?</table>', html, re.S).group(0)
    heads = re.findall('<th scope="col"[^>]*>([^<]*)<', table)
    assert heads[4:] == ["Origin", "Mean", "Least", "Largest", "Of", "Resolution", "At collapse", "Remark"]
    rows = table.split("<tr>")[2:]
    assert all("<td>3 seeds" in row for row in rows)
    assert "Mean over 3 seeds, with the least and the largest of them." in html


def test_one_seed_is_drawn_as_itself():
    html = page(experiment_study((0,)))
    assert "mean over" not in measured(html)
    assert '<th scope="col" class="num">± 95 %' in html


def test_a_closed_form_is_a_line_across_the_panel_labelled_theory(html):
    chart = card(html, "figure-logit_scale")
    across = re.search(r'<path class="theory[^"]*" d="M([\d.]+) ([\d.]+)H([\d.]+)"', chart)
    assert float(across.group(3)) - float(across.group(1)) > 290
    assert ">theory: 9.1<" in chart
    assert "closed form (theory)" in chart


@pytest.mark.parametrize("where", ["figure-angle_deviation", "measure-angle_deviation"])
def test_origins_differ_by_line_and_a_key_says_which(html, where):
    chart = card(html, where)
    assert lines(chart, "theory")
    assert words(re.search('<span class="origins">.*?</figcaption>', chart, re.S).group(0)).startswith(
        "trained closed form (theory)"
    )


def test_a_card_without_theory_has_no_key(html):
    assert 'class="origins"' not in card(html, "measure-simplex_distance")


def test_a_closed_form_that_is_rounding_does_not_stretch_the_axis(html):
    assert "10⁻" not in card(html, "figure-self_duality_gap")
    assert "10⁻" not in card(html, "measure-within_class_variability")
    assert "the closed form is exact collapse, 0 to rounding" in card(html, "figure-self_duality_gap")


def test_theory_stands_beside_the_large_numbers(html):
    assert "theory: 0 to rounding" in re.search('<ul class="tiles".*?</ul>', html, re.S).group(0)


def test_along_a_field_each_case_stands_at_its_value_with_its_seeds_as_one(sweep):
    said = spoken(sweep)[0]
    assert [where for where, _ in said if "solved" in where] == [
        f"all · features · solved · depth {depth}" for depth in (1, 2, 3, 4, 6, 8)
    ]
    assert all("2 seeds" in value for where, value in said if "solved" in where)
    theory = {where: value for where, value in said if "closed form" in where}
    assert theory["all · features · closed form · depth 6"] == "3"
    chart = card(sweep, "figure-effective_rank")
    assert (len(lines(chart, "solved")), len(lines(chart, "theory"))) == (2, 2)  # one in the key, one in the chart
    assert ">depth</text>" in chart


def test_cases_that_share_a_value_of_the_field_are_one_point():
    rows = [Row("a", "loss", "", value, case=case) for case, value in (("x", 1.0), ("y", 3.0), ("z", 5.0))]
    cases = {"x": {"depth": 1, "width": 8}, "y": {"depth": 1, "width": 9}, "z": {"depth": 2, "width": 8}}
    html = page(Study(rows=rows, charts=(Chart("loss", "a", across="depth"),), cases=cases))
    assert spoken(html)[0] == [("all · a · depth 1", "mean 2, 1 to 3, 2 cases"), ("all · a · depth 2", "5")]


def test_what_ended_at_different_steps_is_compared_at_its_own_end():
    rows = [
        Row("a", "loss", "", value, seed=seed, case=case, step=step)
        for case in ("x", "y")
        for seed, step, value in ((0, 1, 9.0), (0, 2, 1.0), (1, 1, 3.0))
    ]
    study = Study(rows=rows, charts=(Chart("loss", "a", across="n"),), cases={"x": {"n": 1}, "y": {"n": 2}})
    assert spoken(page(study))[0][0] == ("all · a · n 1", "mean 2, 1 to 3, 2 seeds")


def test_cases_along_steps_have_a_colour_each_and_a_key(sweep):
    chart = card(sweep, "figure-effective_rank-2")
    assert "depth=1 depth=2 depth=3 depth=4 depth=6 depth=8" in words(chart)
    assert len(set(re.findall(r'<g class="(k\d+)">', chart))) == 6
    assert "At features for depth=8, the effective rank fell from 3.5 to 1.0" in words(chart)


def test_a_field_without_numbers_is_said_in_words(sweep):
    assert "Not drawn, since name has no number there: depth=1" in words(card(sweep, "figure-effective_rank-3"))


def test_a_chart_takes_only_its_splits(html):
    assert ">test</text>" not in card(html, "figure-logit_scale")
    assert ">test</text>" in card(html, "figure-angle_deviation")


def test_the_table_of_a_sweep_keeps_its_cases_apart(sweep):
    table = re.search(r'<table class="ledger".*?</table>', sweep, re.S).group(0)
    assert table.count("<td>depth=4") == 2
    assert "The 6 cases of the sweep are shown as one" in words(sweep.split('<section id="rows">')[0])


def test_a_million_rows_make_a_page_under_five_megabytes_that_says_what_it_gathered(wide):
    assert len(wide.encode()) < 5_000_000
    assert wide.count("<tr>") < 2000
    assert "25 layers are drawn in 9 groups of neighbours (the last layer alone)." in wide
    assert "Line: mean over 20 seeds" in wide


def test_ten_thousand_steps_make_a_page_under_five_megabytes_that_says_what_it_gathered():
    html = page(long_study())
    assert len(html.encode()) < 5_000_000
    assert re.search(r"10000 steps \(epoch 1 to 10000\) are shown as \d+ groups", html)
    assert re.search(r"epoch \d+ to \d+$", spoken(html)[0][50][0])


def test_a_chart_of_a_layer_inside_a_group_shows_that_layer_alone(wide):
    said = spoken(wide)[0]
    assert {where.split(" · ")[1] for where, _ in said} == {"blocks.4"}
    assert len(said) == 40
    assert all(value.endswith("20 seeds") for _, value in said)


def test_a_mixed_study_of_all_origins_without_steps_is_whole():
    rows = [Row("a", "loss", "", value, origin) for origin, value in
            (("trained", 1.0), ("solved", 0.5), ("closed form", 0.25))]  # fmt: skip
    html = page(Study(rows=rows))
    assert words(card(html, "measure-loss")).count("closed form") == 1
    assert not re.search(r"\b(nan|inf|None)\b", words(re.sub(r"<script.*?</script>|<style.*?</style>", "", html)))


def test_one_seed_without_a_number_is_told_and_not_averaged():
    rows = [Row("a", "loss", "", value, seed=seed, reason=None if value == value else "diverged")
            for seed, value in enumerate((1.0, math.nan, 3.0))]  # fmt: skip
    html = page(Study(rows=rows))
    assert "1 of 3 have no finite value" in html
    assert "<span>2 <small>1 to 3, 3 seeds</small></span>" in card(html, "measure-loss")


def test_a_chart_may_be_about_some_cases_and_cases_without_steps_are_drawn_too():
    rows = (
        Row("", "loss", "L", 1.0, seed=0, case="head A", step=1, split="train"),
        Row("", "loss", "L", 0.5, seed=0, case="head A", step=2, split="train"),
        Row("", "loss", "L", 0.4, origin="solved", seed=0, case="model", split="train"),
    )
    cases = {"head A": {}, "model": {}}
    both = page(Study(rows=rows, charts=(Chart("loss", "", says="all of it"),), cases=cases))
    assert "model</span>" in both.split("all of it")[1]
    some = page(Study(rows=rows, charts=(Chart("loss", "", says="all of it", about="head"),), cases=cases))
    assert "model</span>" not in some.split("all of it")[1]
