"""Phase maps in a real browser: readable on a phone and in the dark, and with numbers under pointer and keyboard."""

from __future__ import annotations

from dataclasses import replace

import pytest

from caltrop.report import write_page
from caltrop.rows import Study
from report.phase_maps import SHARES, WINNERS

pytestmark = pytest.mark.browser


@pytest.fixture(scope="module")
def pages(tmp_path_factory):
    folder = tmp_path_factory.mktemp("pages")
    long = replace(WINNERS, title="a title that goes on and on " * 5, group="a_heading_without_any_space" * 5)
    study = Study(rows=(), maps=(WINNERS, SHARES, long))
    return {"maps": write_page(study, folder / "maps.html").as_uri()}


@pytest.mark.parametrize("width", [400, 1280])
def test_nothing_is_off_screen(visit, width):
    assert visit("maps", width).evaluate("document.scrollingElement.scrollWidth <= innerWidth")


def test_text_in_maps_is_at_least_eleven_pixels_on_a_phone(visit):
    sizes = visit("maps", 400).eval_on_selector_all(
        "svg.phases text",
        """all => all.map(text => parseFloat(getComputedStyle(text).fontSize)
            * text.ownerSVGElement.getBoundingClientRect().width / text.ownerSVGElement.viewBox.baseVal.width)""",
    )
    # the card's inner width may be a pixel or two below the drawing's 344
    assert min(sizes) >= 10.9


def test_no_words_leave_their_map_or_run_into_each_other(visit):
    clashes = visit("maps").eval_on_selector_all(
        "svg.phases",
        """all => all.map(svg => { const outer = svg.getBoundingClientRect();
            const boxes = [...svg.querySelectorAll("text")].map(text => text.getBoundingClientRect());
            return boxes.filter((one, i) => one.left < outer.left - 1 || one.right > outer.right + 1
                || boxes.slice(i + 1).some(other => one.left < other.right - 1 && other.left < one.right - 1
                    && one.top < other.bottom - 4 && other.top < one.bottom - 4)).length })""",
    )
    assert clashes == [0, 0, 0]


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_words_stand_out_from_their_background(visit, scheme, contrast):
    assert contrast(visit("maps", color_scheme=scheme)) >= 4.5


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_numbers_stand_out_from_the_shade_of_their_cell(visit, scheme):
    lowest = visit("maps", color_scheme=scheme).evaluate(
        """() => { const numbers = (colour) => colour.match(/[\\d.]+/g).map(Number);
            const light = (rgb) => { const [r, g, b] = rgb.map((v) => { v /= 255;
                return v <= 0.03928 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4 });
                return 0.2126 * r + 0.7152 * g + 0.0722 * b };
            const card = numbers(getComputedStyle(document.querySelector(".card")).backgroundColor);
            const ink = numbers(getComputedStyle(document.querySelector("svg.phases .cell")).fill);
            return Math.min(...[...document.querySelectorAll("svg.phases .cold")].map((cell) => {
                const style = getComputedStyle(cell), part = +style.fillOpacity;
                const behind = numbers(style.fill).map((v, i) => v * part + card[i] * (1 - part));
                const pair = [light(ink), light(behind)].sort((a, b) => b - a);
                return (pair[0] + 0.05) / (pair[1] + 0.05) })) }"""
    )
    assert lowest >= 4.5


@pytest.mark.parametrize(("place", "words"), [(0, "least loss: "), (1, "share: ")])
def test_pointing_at_a_cell_shows_its_numbers(visit, place, words):
    page = visit("maps")
    chart = page.locator("svg.phases").nth(place)
    chart.scroll_into_view_if_needed()
    box = chart.bounding_box()
    scale = box["width"] / 344
    # near a corner of the lower left cell, 40 to 114 across
    page.mouse.move(box["x"] + 46 * scale, box["y"] + (TOP_OF_LAST[place] + 4) * scale)
    assert page.locator("#tip").is_visible()
    told = page.locator("#tip").text_content()
    assert words in told
    assert told.startswith(FIRST_CELL[place])


TOP_OF_LAST = {0: 40, 1: 74}
FIRST_CELL = {0: "depth L = 1 · penalty λ = 0.0001", 1: "width d = 8 · penalty λ = 0.001"}


def test_the_keyboard_walks_from_cell_to_cell(visit):
    page = visit("maps")
    page.locator("svg.phases").first.focus()
    told = []
    for _ in range(2):
        page.keyboard.press("ArrowRight")
        told.append(page.locator("#tip").text_content())
    assert told[0].startswith("depth L = 1 · penalty λ = 0.0001\nsimplex\n")
    assert told[1].startswith("depth L = 1 · penalty λ = 0.001")
