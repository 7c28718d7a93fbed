"""The page in a real browser: quiet, self-contained, and usable on a phone, in the dark and on paper."""

from __future__ import annotations

import pytest

from caltrop.report import write_page
from report.studies import caltrop_study, demo_study, picture, single_look

pytestmark = pytest.mark.browser


@pytest.fixture(scope="module")
def pages(tmp_path_factory):
    folder = tmp_path_factory.mktemp("pages")
    long_name = "a_layer_name_that_goes_on.and_on.and_on." * 4
    studies = {
        "demo": demo_study(),
        "caltrop": caltrop_study(),
        "look": single_look(),
        "two": single_look(2, layers=("a", long_name)),
        "hundred": single_look(100, layers=("a", "b")),
    }
    return {name: write_page(study, folder / f"{name}.html").as_uri() for name, study in studies.items()}


def shown(page, query):
    return page.eval_on_selector(query, "element => element.textContent")


@pytest.mark.parametrize("name", ["demo", "caltrop", "look", "two", "hundred"])
@pytest.mark.parametrize("width", [400, 1280])
def test_nothing_is_off_screen(visit, name, width):
    page = visit(name, width)
    page.eval_on_selector_all("details", "all => all.forEach(one => { one.open = true })")
    assert page.evaluate("document.scrollingElement.scrollWidth <= innerWidth")


def test_text_in_charts_is_at_least_eleven_pixels_on_a_phone(visit):
    page = visit("demo", 400)
    page.eval_on_selector_all("details", "all => all.forEach(one => { one.open = true })")
    sizes = page.eval_on_selector_all(
        "svg.chart text",
        """all => all.map(text => parseFloat(getComputedStyle(text).fontSize)
            * text.ownerSVGElement.getBoundingClientRect().width / text.ownerSVGElement.viewBox.baseVal.width)""",
    )
    # the card's inner width may be a pixel or two below the drawing's 344
    assert min(sizes) >= 10.9


def test_the_slider_moves_both_pictures_and_their_sentences(visit):
    page = visit("demo")
    before = [shown(page, query) for query in ("svg.matrix .cells", "#matrix-says", "#chosen")]
    points = page.get_attribute(".space .dust", "cx")
    page.locator("#step").fill("0")
    after = [shown(page, query) for query in ("svg.matrix .cells", "#matrix-says", "#chosen")]
    assert all(one != other for one, other in zip(before, after, strict=True))
    assert after[2] == "fc:input · train · epoch 1"
    assert page.get_attribute(".space .dust", "cx") != points
    assert page.get_attribute("#step", "aria-valuetext") == "epoch 1"


def test_choosing_a_layer_changes_the_pictures(visit):
    page = visit("demo")
    before = shown(page, "svg.matrix .cells")
    page.select_option("#layer", label="conv1")
    page.select_option("#split", label="test")
    assert shown(page, "#chosen") == "conv1 · test · epoch 120"
    assert shown(page, "svg.matrix .cells") != before


@pytest.mark.parametrize("name", ["demo", "caltrop", "two", "hundred"])
def test_the_script_draws_what_the_page_already_shows(browser, visit, name):
    still = visit(name, java_script_enabled=False)
    numbers = still.locator("svg.matrix .cells text, svg.constellation text").all_text_contents()
    moving = visit(name)
    assert sorted(moving.locator("svg.matrix .cells text, svg.constellation text").all_text_contents()) == sorted(
        numbers
    )
    kinds = "all => all.map(one => one.getAttribute('class')).sort()"
    assert moving.eval_on_selector_all(".space .dust", kinds) == still.eval_on_selector_all(".space .dust", kinds)
    places = "all => all.map(one => +one.getAttribute('cx')).sort((a, b) => a - b)"
    # coordinates reach the script in 4095 levels over eight times the drawing's half side: 0.34 units, and a decimal
    assert moving.eval_on_selector_all(".space .tip", places) == pytest.approx(
        still.eval_on_selector_all(".space .tip", places), abs=0.4
    )


@pytest.mark.parametrize(
    ("query", "words"),
    [("svg.curves", "± "), ("svg.profile", "epoch 120"), ("svg.matrix", "classes "), ("svg.constellation", "class ")],
)
def test_hovering_shows_a_value(visit, query, words):
    page = visit("demo")
    chart = page.locator(query).first
    chart.scroll_into_view_if_needed()
    spot = chart.evaluate(
        """svg => { svg.dispatchEvent(new KeyboardEvent("keydown", {key: "ArrowRight"}));
            const ring = svg.querySelector(".hot").getBoundingClientRect(); svg.blur();
            return [ring.x + ring.width / 2, ring.y + ring.height / 2] }"""
    )
    page.keyboard.press("Escape")
    page.mouse.move(5, 5)
    page.mouse.move(*spot)
    assert page.locator("#tip").is_visible()
    assert words in shown(page, "#tip")


def test_the_keyboard_walks_along_a_curve(visit):
    page = visit("demo")
    chart = page.locator("svg.curves").first
    chart.focus()
    page.keyboard.press("ArrowRight")
    first = shown(page, "#tip")
    page.keyboard.press("ArrowRight")
    assert first.startswith("train · conv1 · epoch 1\n")
    assert shown(page, "#tip").startswith("train · conv1 · epoch 2\n")


def test_a_tap_shows_a_value_that_stays(visit):
    page = visit("demo", 400, has_touch=True)
    chart = page.locator("svg.matrix")
    chart.scroll_into_view_if_needed()
    box = chart.bounding_box()
    page.touchscreen.tap(box["x"] + box["width"] / 2, box["y"] + box["height"] / 2)
    assert page.locator("#tip").is_visible()


def test_the_caltrop_turns_when_dragged_and_by_arrow_keys(visit):
    page = visit("caltrop")
    sky = page.locator("svg.constellation")
    sky.scroll_into_view_if_needed()
    tips = [page.locator(".space").inner_html()]
    box = sky.bounding_box()
    page.mouse.move(box["x"] + 100, box["y"] + 100)
    page.mouse.down()
    page.mouse.move(box["x"] + 180, box["y"] + 100)
    page.mouse.up()
    tips.append(page.locator(".space").inner_html())
    sky.focus()
    page.keyboard.press("ArrowLeft")
    tips.append(page.locator(".space").inner_html())
    assert len(set(tips)) == 3
    assert page.locator(".space .spike").count() == 4


def test_dark_mode_changes_paper_and_ink(visit):
    colours = [
        visit("demo", color_scheme=scheme).evaluate(
            "[getComputedStyle(document.body).backgroundColor, getComputedStyle(document.body).color]"
        )
        for scheme in ("light", "dark")
    ]
    assert colours[0][0] != colours[1][0]
    assert colours[0][1] != colours[1][1]


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_words_stand_out_from_their_background(visit, scheme, contrast):
    page = visit("demo", color_scheme=scheme)
    page.eval_on_selector_all("details", "all => all.forEach(one => { one.open = true })")
    assert contrast(page) >= 4.5


def test_paper_has_no_controls_and_shows_every_chart(visit):
    page = visit("demo")
    page.emulate_media(media="print")
    page.evaluate("dispatchEvent(new Event('beforeprint'))")
    assert not page.locator("#controls").is_visible()
    assert page.locator("svg.curves >> visible=true").count() == page.locator("svg.curves").count()
    page.evaluate("dispatchEvent(new Event('afterprint'))")
    assert page.locator("svg.curves >> visible=true").count() < page.locator("svg.curves").count()


def test_paper_is_light_whatever_the_screen_prefers(visit):
    page = visit("demo", color_scheme="dark")
    page.emulate_media(media="print", color_scheme="dark")
    assert page.evaluate("getComputedStyle(document.body).backgroundColor") == "rgb(255, 255, 255)"
    assert page.evaluate("getComputedStyle(document.querySelector('.card')).backgroundColor") == "rgb(255, 255, 255)"


def test_the_table_sorts_by_exact_value_with_missing_ones_last(visit):
    page = visit("demo")
    page.locator("#ledger th button", has_text="Value").click()
    column = "rows => rows.map(row => parseFloat(row.cells[4].dataset.v))"
    values = page.eval_on_selector_all("#ledger tbody tr", column)
    numbers = [value for value in values if value == value]
    assert numbers == sorted(numbers)
    assert all(value != value for value in values[len(numbers) :])
    assert len(numbers) < len(values)
    page.locator("#ledger th button", has_text="Value").click()
    assert page.get_attribute("#ledger th:nth-child(5)", "aria-sort") == "descending"
    values = page.eval_on_selector_all("#ledger tbody tr", column)
    assert [value for value in values if value == value] == numbers[::-1]


def test_a_choice_without_a_picture_says_so(browser, tmp_path):
    study = demo_study(3, layers=("a", "b"), epochs=(1, 2))
    gap = type(study)(rows=study.rows, pictures=(picture(3, "a", "x", 1, 0.5, 1), picture(3, "b", "x", 2, 0.5, 1)))
    page = browser.new_page()
    page.goto(write_page(gap, tmp_path / "gap.html").as_uri())
    page.locator("#step").fill("0")
    said = shown(page, "#chosen")
    page.close()
    assert said == "There is no picture for this choice."
