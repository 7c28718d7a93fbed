"""The page as bytes: deterministic, small, complete, and deaf to what a study tries to smuggle in."""

from __future__ import annotations

import itertools
import json
import math
import re
from dataclasses import replace
from html.parser import HTMLParser

import pytest

from caltrop.report import page, write_page
from caltrop.rows import ClassValues, Row, Study
from report.studies import caltrop_study, demo_study, picture, single_look

EVIL = "</script><img src=x onerror=alert(1)>'\"&<b>`<i>`"
SEVEN = ("conv1", "layer1", "layer2", "layer3", "layer4", "layer5", "fc:input")


SHORT = demo_study(epochs=(1, 23, 120))


@pytest.fixture(scope="module")
def demo():
    return page(SHORT)


def data_of(html):
    return json.loads(re.search(r'<script type="application/json" id="data">(.*?)</script>', html, re.S).group(1))


def tags_of(html):
    found: list[tuple[str, dict[str, str | None]]] = []

    class Tags(HTMLParser):
        def handle_starttag(self, tag, attrs):
            found.append((tag, dict(attrs)))

    Tags().feed(html)
    return found


def test_equal_studies_give_equal_bytes(demo):
    assert page(SHORT) == demo
    assert page(Study.from_dict(json.loads(json.dumps(SHORT.as_dict())))) == demo


def test_a_demo_with_thirty_measures_at_seven_layers_stays_under_a_megabyte():
    study = demo_study(layers=SEVEN)
    extra = [replace(row, measure=f"mine_{n}") for row in study.rows if row.measure == "coherence" for n in range(4)]
    assert len(page(replace(study, rows=(*study.rows, *extra))).encode()) < 1_000_000


def test_the_script_stays_small(demo):
    assert len(re.search(r"<script>(.*?)</script>", demo, re.S).group(1)) < 9_000


def test_nothing_is_loaded_from_anywhere(demo):
    for tag, attributes in tags_of(demo):
        assert tag not in ("img", "iframe", "object", "embed", "base")
        assert "src" not in attributes
        assert (attributes.get("href") or "#").startswith(("#", "data:,"))
    assert not re.search(r"@import|url\((?!#)", demo)


def test_title_notes_and_provenance_are_on_the_page(demo):
    assert "<h1>ResNet on MNIST, into the terminal phase</h1>" in demo
    assert "Training error is zero since epoch 23" in demo
    assert "a small ResNet (4 blocks" in demo
    assert "<dt>versions · torch</dt><dd>2.13.0</dd>" in demo


@pytest.mark.parametrize(("count", "folded"), [(5, 0), (6, 2), (20, 16)])
def test_of_many_notes_the_first_stay_in_sight_and_none_is_lost(count, folded):
    notes = re.search('<aside class="notes".*?</aside>', page(Study((), notes=tuple(map(str, range(count)))))).group(0)
    assert re.findall("<li>(.*?)</li>", notes) == list(map(str, range(count)))
    assert notes.partition("<details>")[2].count("<li>") == folded


def test_the_table_holds_every_row_of_the_last_step(demo):
    study = SHORT
    last = [row for row in study.rows if row.step == 120]
    table = re.search(r'<table class="ledger".*?</table>', demo, re.S).group(0)
    assert table.count("<tr>") == len(last) + 1


def test_headings_descend_one_level_at_a_time(demo):
    levels = [int(tag[1]) for tag, _ in tags_of(demo) if re.fullmatch("h[1-6]", tag)]
    assert levels[0] == 1
    assert all(after <= before + 1 for before, after in itertools.pairwise(levels))


def test_every_chart_has_a_sentence_for_screen_readers(demo):
    labels = [
        attributes.get("aria-label") for tag, attributes in tags_of(demo) if "tabindex" in attributes and tag == "svg"
    ]
    assert len(labels) > 40
    assert all(label.endswith(".") for label in labels)


def test_identifiers_are_unique(demo):
    names = [attributes["id"] for _, attributes in tags_of(demo) if "id" in attributes]
    assert len(names) == len(set(names))


def test_every_chart_has_its_points_in_the_data(demo):
    assert len(data_of(demo)["hover"]["charts"]) == len(re.findall(r'class="chart (?:curves|profile)"', demo))


@pytest.mark.parametrize("measure", [EVIL, "within_class_variability"])
@pytest.mark.parametrize("steps", [(1, 2), (None,)], ids=["curves", "one look"])
def test_no_string_of_a_study_becomes_markup(measure, steps):
    last = steps[-1]
    more = {"split": EVIL, "reason": EVIL, "note": EVIL, "half_width": 0.1, "at_collapse": 0.0}
    rows = [
        Row(layer, measure, EVIL, 1.0, origin=EVIL, step=step, **more) for step in steps for layer in (EVIL, EVIL * 2)
    ]
    study = Study(
        rows=(
            *rows,
            Row("", measure, EVIL, math.nan, step=last, **more),
            Row(EVIL, EVIL + "3", EVIL, 1.0, step=last, **more),
        ),
        per_class=(
            ClassValues(EVIL, measure, {0: 1.0, 1: 2.0}, EVIL, last),
            ClassValues(EVIL, EVIL, dict.fromkeys(range(99), 0.5), EVIL, last),
        ),
        pictures=tuple(picture(3, layer, EVIL, step, 0.5, 1) for layer in (EVIL, EVIL * 2) for step in steps),
        title=EVIL,
        clock=EVIL,
        notes=(EVIL,),
        provenance={EVIL: EVIL, "data": EVIL, "network": {"name": EVIL, EVIL: [EVIL, {"a": EVIL}]}},
    )
    html = page(study)
    kinds = [tag for tag, _ in tags_of(html)]
    assert kinds.count("script") == 2
    assert not {"img", "i"} & set(kinds)
    assert not any(name.startswith("on") for _, attributes in tags_of(html) for name in attributes)
    assert EVIL in str(data_of(html)["explorer"]["words"][0])


@pytest.mark.parametrize("broken", ["\x00", "\ud800", "\x1b[31m"])
def test_characters_that_html_cannot_hold_are_replaced(broken, tmp_path):
    study = Study(rows=(Row(f"a{broken}b", "coherence", "", 0.5),), title=broken)
    assert broken not in write_page(study, tmp_path / "page.html").read_text(encoding="utf-8")


def test_a_missing_value_is_a_dash_with_its_reason(demo):
    row = re.search(r"<tr><td>conv1<td>orthogonal_frame_distance.*?(?=<tr>)", demo, re.S).group(0)
    assert '<td class="num">–' in row
    assert "class means coincide to working precision" in row
    assert "No number at conv1: class means coincide" in demo


def test_a_measure_without_any_number_gets_no_chart_but_its_reason():
    html = page(Study(rows=tuple(Row("a", "coherence", "", math.nan, step=step, reason="too few") for step in (1, 2))))
    assert "No number at a: too few." in html
    assert '<svg class="chart c' not in html


def test_an_infinite_value_is_shown_as_such():
    rows = (
        Row("a", "coherence", "", math.inf, reason="infinite: classes 3 and 5 coincide"),
        Row("b", "coherence", "", 1.0),
    )
    assert "∞" in page(Study(rows=rows))


@pytest.mark.parametrize("layers", [("features",), ("a", "b")])
def test_a_single_look_has_no_curves_and_no_slider(layers):
    html = page(single_look(layers=layers))
    assert 'class="chart curves"' not in html
    assert 'type="range"' not in html
    assert ('class="chart profile"' in html) == (len(layers) > 1)
    assert "epoch" not in html.split("<script")[0].split("</style>")[1]


def test_a_row_without_a_step_has_no_place_on_a_curve():
    rows = [Row("a", "coherence", "", 0.5 / step, step=step) for step in (1, 2)]
    curve = re.compile('<svg class="chart curves".*?</svg>', re.S)
    with_one_more = page(Study(rows=(*rows, Row("a", "coherence", "", 0.3))))
    assert curve.findall(with_one_more) == curve.findall(page(Study(rows=tuple(rows))))


def test_a_study_without_pictures_has_no_section_for_them():
    html = page(replace(SHORT, pictures=()))
    assert 'id="means"' not in html
    assert 'href="#means"' not in html


def test_points_below_the_resolution_are_hollow_and_the_resolution_is_drawn():
    rows = tuple(
        Row("a", "variability_ratio", "NC1", 10.0**-power, step=power, resolution=1e-7, at_collapse=0.0)
        for power in range(1, 10)
    )
    html = page(Study(rows=rows))
    assert html.count('class="resolution"') == 1
    hollow = re.search(r'<path class="hollow" d="([^"]*)"', html).group(1)
    # 1e-8 and 1e-9 lie below 1e-7; the value next to it does not
    assert hollow.count("M") == 2
    assert "Hollow points lie below the dotted line" in html


def test_the_value_at_collapse_is_drawn_and_labelled(demo):
    assert "exact collapse: 9" in demo
    assert "↓ exact collapse: 0" in demo


def test_unknown_measures_come_last_under_their_own_name():
    html = page(Study(rows=(Row("a", "my_own", "", 0.5), Row("a", "coherence", "", 0.5))))
    assert html.index("Coherence") < html.index("<h4>my_own</h4>")


def test_an_empty_study_says_that_it_is_empty():
    assert "holds no rows yet" in page(Study(rows=()))


@pytest.mark.parametrize(
    "study",
    [
        single_look(2),
        single_look(3),
        single_look(100),
        caltrop_study(),
        Study(
            rows=tuple(
                Row("a", "coherence", "", 0.5 / (n + 1), split=s, step=n, seed=n % 2) for n in range(4) for s in "wxyz"
            )
        ),
        Study(
            rows=tuple(Row("a", "coherence", "", 0.5, step=t, origin="solved") for t in (-1.5, 0.25, 3.0)),
            clock="log t",
        ),
        Study(rows=(Row("a", "coherence", "", 0.5, step=0), Row("a", "coherence", "", 0.4, step=None))),
        Study(rows=(), pictures=(picture(5, "a", "train", None, 0.5, 1),)),
        Study(
            rows=(),
            pictures=(
                replace(picture(3, "a", "x", None, 0.5, 1), points=((),) * 3, explained=(), cloud=(), head=None),
            ),
        ),
        Study(
            rows=(Row("a", "coherence", "", 0.5),),
            per_class=(ClassValues("a", "coherence", {k: k / 99 for k in range(99)}),),
        ),
    ],
    ids=[
        "two",
        "three",
        "hundred",
        "four",
        "four splits, two seeds",
        "log t",
        "mixed",
        "only pictures",
        "no axes",
        "wide",
    ],
)
def test_unusual_studies_make_whole_pages(study):
    html = page(study)
    assert html.endswith("</html>\n")
    assert not re.search(r"\b(nan|inf|None)\b", re.sub(r"<script.*?</script>|<style.*?</style>", "", html, flags=re.S))


def test_a_thousand_classes_fit_into_the_page():
    study = Study(
        rows=(Row("a", "coherence", "", 0.5),),
        per_class=(ClassValues("a", "coherence", {label: label / 1000 for label in range(1000)}),),
        pictures=(picture(1000, "a", "all", None, 0.5, 1, cloud=500),),
    )
    html = page(study)
    assert len(html.encode()) < 1_000_000
    assert "100 of 1000 classes are drawn" in html
    assert "999: 0.9990" in html


def test_a_page_is_written_whole_and_readable_by_others(tmp_path, demo):
    path = write_page(SHORT, tmp_path / "page.html")
    assert path.read_text(encoding="utf-8") == demo
    assert path.stat().st_mode & 0o444 == 0o444
    assert [entry.name for entry in tmp_path.iterdir()] == ["page.html"]


def test_a_failed_write_leaves_the_old_page_and_no_litter(tmp_path, monkeypatch):
    path = tmp_path / "page.html"
    path.write_text("old")
    monkeypatch.setattr("os.replace", lambda *_: (_ for _ in ()).throw(OSError("disk full")))
    with pytest.raises(OSError, match="disk full"):
        write_page(Study(rows=()), path)
    assert path.read_text() == "old"
    assert [entry.name for entry in tmp_path.iterdir()] == ["page.html"]


def test_a_folder_that_does_not_exist_is_an_error(tmp_path):
    with pytest.raises(FileNotFoundError, match="missing"):
        write_page(Study(rows=()), tmp_path / "missing" / "page.html")
