"""A browser for the tests that need one."""

from __future__ import annotations

import os
import shutil

import pytest

CHROMIUM = next(
    filter(
        None,
        [os.environ.get("CHROMIUM"), *map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))],
    ),
    None,
)
ARGUMENTS = (
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)


@pytest.fixture(scope="module")
def browser():
    """A Chromium that looks for nothing outside."""
    if CHROMIUM is None:
        pytest.skip("no Chromium: set $CHROMIUM or install chromium")
    api = pytest.importorskip("playwright.sync_api")
    with api.sync_playwright() as driver:
        chromium = driver.chromium.launch(executable_path=CHROMIUM, args=list(ARGUMENTS))
        yield chromium
        chromium.close()


@pytest.fixture
def visit(browser, pages):
    """Open a page; whatever it logs, throws or asks the network for fails the test."""
    opened, complaints = [], []

    def open_page(name, width=1280, **context):
        page = browser.new_page(viewport={"width": width, "height": 800}, **context)
        opened.append(page)
        page.on("console", lambda message: complaints.append(message.text))
        page.on("pageerror", lambda error: complaints.append(str(error)))
        page.on(
            "request", lambda request: complaints.append(request.url) if request.url not in pages.values() else None
        )
        page.goto(pages[name])
        return page

    yield open_page
    for page in opened:
        page.close()
    # the icon is a data address: the browser may count it, nothing leaves the machine
    assert [complaint for complaint in complaints if not complaint.startswith("data:")] == []


@pytest.fixture
def contrast():
    """The lowest contrast of any words on a page with what is behind them (WCAG 2)."""
    return lambda page: page.evaluate(_LOWEST_CONTRAST)


_LOWEST_CONTRAST = """() => {
            const light = (colour) => { const [r, g, b] = colour.match(/[\\d.]+/g).map((v) => {
                v /= 255; return v <= 0.03928 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4 });
                return 0.2126 * r + 0.7152 * g + 0.0722 * b };
            const behind = (element) => { for (let e = element; e; e = e.parentElement) {
                const colour = getComputedStyle(e).backgroundColor;
                if (!colour.endsWith(", 0)") && colour !== "transparent") return colour } return "rgb(255, 255, 255)" };
            return Math.min(...[...document.querySelectorAll("body *:not(script)")]
                .filter((e) => e.getClientRects().length
                    && [...e.childNodes].some((n) => n.nodeType === 3 && n.textContent.trim()))
                .map((e) => { const style = getComputedStyle(e), svg = e.namespaceURI.endsWith("svg");
                    const one = light(svg ? style.fill : style.color), other = light(behind(e));
                    return (Math.max(one, other) + 0.05) / (Math.min(one, other) + 0.05) })) }"""
