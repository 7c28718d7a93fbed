"""Phase maps on a page: cells and lines where their values say, names, colours and numbers for every reader."""

from __future__ import annotations

import json
import math
import re
from dataclasses import replace

import pytest

from caltrop.report import page, write_page
from caltrop.report.phases import category_colours, line_looks, map_sentence
from caltrop.rows import MapLine, PhaseMap, Row, Study
from report.phase_maps import SHARES, WINNERS

# axes of a map: columns from 40 to 338; four decades of columns, rows of 34 from the bottom up
LEFT, RIGHT, TOP, TALL = 40.0, 338.0, 6.0, 34.0


def page_of(*maps):
    return page(Study(rows=(), maps=maps))


def charts(html):
    return re.findall(r'<svg class="chart phases".*?</svg>', html, re.S)


def path(chart, css):
    found = re.search(rf'<path class="{css}"[^>]*? d="([^"]*)"', chart)
    return None if found is None else found.group(1)


def hover(html):
    data = json.loads(re.search(r'<script type="application/json" id="data">(.*?)</script>', html, re.S).group(1))
    return data["hover"]


def boxes(commands):
    numbers = re.findall(r"M([\d.]+) ([\d.]+)H([\d.]+)V([\d.]+)", commands)
    return [tuple(map(float, box)) for box in numbers]


def test_a_page_without_maps_has_no_section_for_them():
    html = page(Study(rows=(Row("a", "coherence", "", 0.5),)))
    assert 'id="phases"' not in html
    assert 'class="chart phases"' not in html


def test_a_page_of_maps_alone_says_so():
    html = page_of(WINNERS, SHARES)
    assert "This page shows 2 phase diagrams." in html
    assert 'href="#phases"' in html
    assert "holds no rows" not in html
    assert len(charts(html)) == 2


def test_equal_cells_are_one_region_where_their_values_are():
    (chart,) = charts(page_of(WINNERS))
    regions = {
        css: boxes(commands)
        for css, commands in re.findall(r'<g class="(\w+)"><path class="region" d="([^"]*)"', chart)
    }
    # a decade is a quarter of the width; cells end half-way between the values
    quarter = (RIGHT - LEFT) / 4
    low, middle, high = TOP + 2 * TALL, TOP + TALL, TOP
    assert regions == {
        "k0": [pytest.approx((LEFT, low, LEFT + 3 * quarter, middle), abs=0.05)],
        "k1": [pytest.approx((LEFT, middle, LEFT + 2 * quarter, high), abs=0.05)],
        "none": [
            pytest.approx((LEFT + 3 * quarter, low, RIGHT, middle), abs=0.05),
            pytest.approx((LEFT + 2 * quarter, middle, RIGHT, high), abs=0.05),
        ],
    }


def test_a_line_steps_from_row_to_row_and_ends_where_it_has_no_place():
    (chart,) = charts(page_of(WINNERS))
    quarter = (RIGHT - LEFT) / 4
    bottom, middle, top = TOP + 2 * TALL, TOP + TALL, TOP
    across, down = [f"{LEFT + 3 * quarter:.1f}", f"{LEFT + 2 * quarter:.1f}"], [f"{y:g}" for y in (bottom, middle, top)]
    at = [x.removesuffix(".0") for x in across]
    assert path(chart, "mark0") == f"M{at[0]} {down[0]}H{at[0]}V{down[1]}H{at[1]}V{down[2]}"
    assert path(chart, "mark1") == f"M{at[1]} {down[0]}H{at[1]}V{down[1]}"


@pytest.mark.parametrize("places", [(1e-6, 1e-6), (10.0, 10.0), (math.nan, math.nan)])
def test_a_line_beyond_the_axis_is_not_drawn_on_its_edge(places):
    html = page_of(replace(WINNERS, lines=(MapLine("ties", places, "far away"),)))
    assert path(charts(html)[0], "mark0") is None
    assert "far away" not in html


def test_lines_that_coincide_are_one_with_both_names():
    same = (MapLine("exists", (1e-2, 1e-3), "one"), MapLine("stable", (1e-2, 1e-3), "two"))
    html = page_of(replace(WINNERS, lines=same))
    assert charts(html)[0].count('class="mark') == 1
    assert "<b>exists, stable</b>: one; two" in html


def test_a_name_has_one_colour_and_one_look_in_all_maps_of_a_group():
    other = replace(WINNERS, categories=(("pairs",) * 4, ("polygon",) * 4), lines=WINNERS.lines[1:])
    assert category_colours([WINNERS, other]) == {"simplex": "k0", "pairs": "k1", "polygon": "k2", "zero": "none"}
    assert line_looks([WINNERS, other]) == {"exists": "mark0", "ties": "mark1"}
    first, second = charts(page_of(WINNERS, other))
    assert 'class="k1"' in first
    assert 'class="k1"' in second
    assert path(second, "mark0") is None
    assert path(second, "mark1") is not None


def test_every_category_and_line_is_named_in_the_key_and_on_the_map_where_there_is_room():
    html = page_of(WINNERS)
    key = re.search(r'<span class="origins">.*?</figcaption>', html, re.S).group(0)
    assert [name for name in ("simplex", "pairs", "zero") if f"</svg> {name}<" in key] == ["simplex", "pairs", "zero"]
    assert "<b>ties</b>: below it, collapse is better" in key
    assert set(re.findall(r'class="halo strong"[^>]*>([^<]+)<|>([^<]+)</text>', charts(html)[0])) >= {("simplex", "")}


def test_a_name_stands_between_lines_not_on_them():
    wide = replace(WINNERS, categories=(("simplex",) * 4,) * 2, lines=(MapLine("ties", (10**-2.4,) * 2),))
    (chart,) = charts(page_of(wide))
    x = float(re.search(r'<text x="([\d.]+)"[^>]*class="halo strong">simplex', chart).group(1))
    line = float(re.match(r"M([\d.]+)", path(chart, "mark0")).group(1))
    assert abs(x - line) > 6.2 * len("simplex") / 2


def test_a_narrow_region_is_named_in_the_key_alone():
    columns = tuple(10.0**power for power in range(-30, 0))
    narrow = PhaseMap("m", "x", "y", columns, (1.0,), ((("polygon",) + ("pairs",) * 29),))
    html = page_of(narrow)
    assert ">polygon</text>" not in html
    assert "</svg> polygon<" in html


def test_every_cell_says_its_numbers_where_one_points():
    found = hover(page_of(WINNERS, SHARES))
    winners, shares = found["charts"]
    assert (len(winners), len(shares)) == (8, 6)
    said = {(found["places"][place], value) for _, _, place, value in winners}
    assert ("depth L = 2 · penalty λ = 0.01", "zero\nleast loss: 0.6900\nsimplex: 0.6900") in said
    # no number, no line
    assert ("depth L = 2 · penalty λ = 0.1", "zero\nleast loss: 0.6900") in said
    told = [value for _, _, _, value in shares]
    assert told[1] == "share: 0.5000 (0.20–0.80)\nstarts: pairs: 6"
    # a count of 0 is not worth a line, a share of 0 is
    assert told[4] == "share: 1 (0.70–1)"
    assert told[0] == "share: 0 (0–0.30)\nstarts: pairs: 12"


def test_points_for_the_pointer_lie_in_the_middle_of_their_cells():
    found = hover(page_of(WINNERS))["charts"][0]
    quarter = (RIGHT - LEFT) / 4
    assert [point[0] for point in found[:4]] == pytest.approx([LEFT + quarter * (k + 0.5) for k in range(4)], abs=0.051)
    assert [found[0][1], found[4][1]] == [TOP + 1.5 * TALL, TOP + 0.5 * TALL]


def test_shares_are_shaded_and_written_with_their_interval():
    (chart,) = charts(page_of(SHARES))
    shades = sorted(map(float, re.findall(r'class="cold" fill-opacity="([\d.]+)"', chart)))
    assert [shade / shades[-1] for shade in shades] == pytest.approx([0, 0.25, 0.5, 0.75, 1], abs=1e-3)
    words = re.findall(r'class="cell(?: strong)?">([^<]*)<', chart)
    assert words[:4] == ["0", "0–.30", "0.50", ".20–.80"]
    # undefined: a dash, no shade, no interval
    assert "–" in words
    assert len(words) == 11


def test_captions_that_several_maps_share_stand_once_above_them():
    html = page_of(WINNERS, replace(WINNERS, title="6 classes"), SHARES)
    assert html.count("Which family has the least loss.") == 1
    assert html.count("How often descent ends in collapse.") == 1
    assert html.count(">A model</h3>") == 1
    assert page_of(WINNERS).count("Which family has the least loss.") == 1


def test_identifiers_are_unique_where_titles_are_not():
    names = re.findall(r' id="([^"]*)"', page_of(WINNERS, WINNERS, replace(WINNERS, group="")))
    assert len(names) == len(set(names))


@pytest.mark.parametrize(
    ("one", "sentence"),
    [
        (WINNERS, "Of 8 points, simplex in 3, zero in 3 and pairs in 2."),
        (SHARES, "The share lies between 0 and 1."),
        (replace(SHARES, numbers={"share": ((0.5,) * 2,) * 3}, between=None), "The share is 0.50 everywhere."),
        (replace(SHARES, numbers={"share": ((math.nan,) * 2,) * 3}, between=None), "No point has a number for share."),
        (replace(WINNERS, categories=(("",) * 4,) * 2), "None of 8 points has a name."),
    ],
)
def test_a_sentence_says_what_a_map_shows(one, sentence):
    assert map_sentence(one) == sentence
    label = re.search(r'aria-label="([^"]*)"', charts(page_of(one))[0]).group(1)
    assert label == f"{one.title}: {sentence}"


def test_the_same_maps_give_the_same_bytes(tmp_path):
    study = Study(rows=(), maps=(WINNERS, SHARES))
    again = Study.from_dict(json.loads(json.dumps(study.as_dict())))
    first = write_page(study, tmp_path / "a.html").read_bytes()
    assert write_page(again, tmp_path / "b.html").read_bytes() == first


def test_maps_stand_beside_rows_with_every_chart_in_the_order_of_its_points():
    rows = [Row("a", "coherence", "", 0.5 / step, step=step) for step in (1, 2)]
    html = page(Study(rows=tuple(rows), maps=(WINNERS,)))
    kinds = re.findall(r'<svg class="chart (curves|profile|phases)"', html)
    assert kinds == ["phases", "curves"]
    assert [len(points) for points in hover(html)["charts"]] == [8, 2]


EVIL = "<img src=x onerror=alert(1)>\"'&</script>"


def test_no_string_of_a_map_becomes_markup():
    evil = PhaseMap(
        title=EVIL,
        across=EVIL,
        up=EVIL,
        columns=(1e-20, 1.0),
        rows=(1.0,),
        categories=((EVIL, EVIL),),
        numbers={EVIL: ((0.5, 0.5),)},
        lines=(MapLine(EVIL, (1e-10,), EVIL),),
        says=EVIL,
        group=EVIL,
    )
    html = page_of(evil, replace(evil, categories=(), shown=EVIL))
    assert "<img" not in html
    assert html.count("</script>") == 2


@pytest.mark.parametrize(
    ("columns", "rows"),
    [
        ((1e-3,), (1.0,)),
        ((0.0, 1.0), (1.0, 2.0)),
        ((-1.0, 2.0, 3.0), (1.0,)),
        ((1e-3, 1e-2), tuple(map(float, range(40)))),
    ],
    ids=["one cell", "from zero", "negative", "many rows"],
)
def test_any_axes_can_be_drawn(columns, rows):
    grid = tuple(tuple("a" for _ in columns) for _ in rows)
    (chart,) = charts(page_of(PhaseMap("m", "x", "y", columns, rows, grid)))
    assert "nan" not in chart
    assert path(chart, "region") is not None
