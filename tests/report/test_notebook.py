"""The table for notebooks."""

from __future__ import annotations

import re
from html.parser import HTMLParser

import pytest

from caltrop.report import html_table
from caltrop.rows import Row
from report.studies import demo_study


@pytest.fixture(scope="module")
def fragment():
    return html_table(demo_study().rows, verdict="It <collapsed>.")


def test_it_holds_no_script_no_style_sheet_and_no_address(fragment):
    assert not re.search(r"<script|<style|<link|<img|https?:|\bon\w+=", fragment)


def test_it_escapes_what_it_is_given(fragment):
    assert "It &lt;collapsed&gt;." in fragment
    assert "<b>x</b>" not in html_table(
        [Row("<b>x</b>", "<b>x</b>", "<b>x</b>", 1.0, note="<b>x</b>", split="<b>x</b>")]
    )


def test_series_over_steps_get_a_sparkline(fragment):
    assert "<svg" in fragment
    assert "<svg" not in html_table([Row("a", "coherence", "", 0.5)])


def test_every_tag_is_closed(fragment):
    open_tags: list[str] = []

    class Balance(HTMLParser):
        def handle_starttag(self, tag, attrs):
            open_tags.append(tag)

        def handle_endtag(self, tag):
            assert open_tags.pop() == tag

        def handle_startendtag(self, tag, attrs):
            pass

    Balance().feed(fragment)
    assert open_tags == []


def test_no_rows_is_said_in_words():
    assert html_table([]) == "<p>No rows.</p>"


def test_each_case_of_a_sweep_gets_its_own_course():
    rows = [
        Row("a", "coherence", "", value, case=case, step=step)
        for case, values in (("x", (1.0, 2.0, 9.0)), ("y", (9.0, 2.0, 1.0)))
        for step, value in enumerate(values)
    ]
    first, second = re.findall(r'<path d="([^"]*)"', html_table(rows))
    assert first != second
