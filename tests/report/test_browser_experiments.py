"""Pages of experiments and the front page in a real browser."""

from __future__ import annotations

import pytest

from caltrop.report import Entry, html_verdicts, write_front_page, write_page
from report.experiments import experiment_study, sweep_study, verdicts, wide_study

pytestmark = pytest.mark.browser

LONG = "a_folder_with_a_name_that_goes_on/and_on/" * 5


@pytest.fixture(scope="module")
def pages(tmp_path_factory):
    folder = tmp_path_factory.mktemp("pages")
    studies = {"experiment": experiment_study(), "sweep": sweep_study(), "wide": wide_study()}
    found = {name: write_page(study, folder / f"{name}.html") for name, study in studies.items()}
    facts = {"scale": "desk", "seeds": "0 1 2", "duration": "4 min 12 s"}
    entries = [
        Entry("Prevalence of neural collapse", "experiment.html", "papyan2020prevalence", verdicts(), facts),
        Entry("Deep features", "sweep.html", "sukenik2024multiclass", verdicts("sukenik2024multiclass")[:2], facts),
        Entry(LONG, "", "", problem=f"{LONG}run.json is damaged: delete the folder or run it again with --force"),
    ]
    found["front"] = write_front_page(entries, folder / "index.html")
    found["notebook"] = folder / "notebook.html"
    found["notebook"].write_text(f"<!doctype html><title>n</title>{html_verdicts(verdicts())}", encoding="utf-8")
    return {name: path.as_uri() for name, path in found.items()}


def unfolded(page):
    page.eval_on_selector_all("details", "all => all.forEach(one => { one.open = true })")
    return page


@pytest.mark.parametrize("name", ["experiment", "sweep", "wide", "front"])
@pytest.mark.parametrize("width", [400, 1280])
def test_nothing_is_off_screen(visit, name, width):
    assert unfolded(visit(name, width)).evaluate("document.scrollingElement.scrollWidth <= innerWidth")


@pytest.mark.parametrize("name", ["experiment", "front"])
def test_verdicts_on_a_phone_need_no_sideways_scrolling(visit, name):
    page = visit(name, 400)
    right = page.eval_on_selector_all(
        ".verdicts, .verdicts *", "all => Math.max(...all.map(one => one.getBoundingClientRect().right))"
    )
    assert right <= 400


@pytest.mark.parametrize("name", ["experiment", "sweep"])
def test_every_link_of_a_verdict_lands_on_what_it_names_and_is_seen(visit, name):
    page = visit(name)
    links = page.locator("#verdicts a")
    assert links.count() >= 2
    for place in range(links.count()):
        aim = links.nth(place).get_attribute("href")
        links.nth(place).click()
        box = page.locator(f"[id='{aim[1:]}']").bounding_box()
        assert box is not None, f"{aim} is hidden"
        assert -5 <= box["y"] < 800, f"{aim} is not on screen"


def test_a_link_from_the_front_page_opens_the_definition(visit, pages):
    page = visit("front")
    page.locator("#claims a").first.click()
    assert page.url == f"{pages['experiment']}#claim-variability-falls"
    assert 0 <= page.locator("#claim-variability-falls").bounding_box()["y"] < 800


def test_an_anchor_into_a_folded_family_unfolds_it(visit, pages):
    page = visit("experiment")
    page.goto(f"{pages['experiment']}#measure-coherence")
    assert page.locator("#measure-coherence").is_visible()


@pytest.mark.parametrize("anchor", ["figure-logit_scale", "measure-within_class_variability"])
def test_a_point_says_mean_range_and_seeds(visit, anchor):
    page = visit("experiment")
    chart = page.locator(f"#{anchor} svg.curves")
    chart.focus()
    page.keyboard.press("ArrowRight")
    said = page.locator("#tip").text_content()
    assert "mean " in said
    assert said.endswith("3 seeds")


def test_the_line_of_theory_says_its_value_to_a_mouse(visit):
    page = visit("experiment")
    chart = page.locator("#figure-logit_scale svg.curves")
    chart.scroll_into_view_if_needed()
    box = chart.locator("path.theory").bounding_box()
    page.mouse.move(box["x"] + box["width"] - 5, box["y"] + box["height"] / 2)
    assert "closed form" in page.locator("#tip").text_content()


@pytest.mark.parametrize("name", ["experiment", "front"])
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_outcomes_and_words_stand_out_from_their_ground(visit, name, scheme, contrast):
    assert contrast(unfolded(visit(name, color_scheme=scheme))) >= 4.5


@pytest.mark.parametrize("ground", ["#fff", "#1e1e1e"])
def test_a_notebook_shows_outcomes_on_light_and_dark(visit, ground, contrast):
    page = visit("notebook")
    page.evaluate("([ground, ink]) => { document.body.style.background = ground; document.body.style.color = ink }",
                  [ground, "#000" if ground == "#fff" else "#fff"])  # fmt: skip
    # large or bold words need 3 to 1
    assert contrast(page) >= 3


def test_a_million_rows_scroll_without_a_long_pause(visit):
    page = unfolded(visit("wide"))
    longest = page.evaluate(
        """async () => { const frames = []; let last = performance.now();
            for (let y = 0; y < document.scrollingElement.scrollHeight; y += 400) {
                scrollTo(0, y); await new Promise(requestAnimationFrame);
                frames.push(performance.now() - last); last = performance.now() }
            return frames.sort((a, b) => a - b)[Math.floor(frames.length * 0.9)] }"""
    )
    # a frame is 17 ms; several people share this machine's cores
    assert longest < 250
