"""The front page of a folder of records."""

from __future__ import annotations

import re

import pytest

from caltrop.report import Entry, front_page, write_front_page
from report.experiments import verdicts

EVIL = "</script><img src=x onerror=alert(1)>'\"&<b>"
PAPYAN = Entry(
    "Prevalence of neural collapse",
    "papyan2020prevalence/desk/page.html",
    "papyan2020prevalence",
    verdicts(),
    {"scale": "desk", "seeds": "0 1 2", "duration": "4 min 12 s"},
)
SMOKE = Entry("Prevalence again", "papyan2020prevalence/smoke/page.html", "papyan2020prevalence", verdicts()[:2])
DEEP = Entry("Deep features", "deep/page.html", "sukenik2024multiclass", verdicts("sukenik2024multiclass")[1:3])
LOOK = Entry("My network", "mine/page.html", "measured", (), {"scale": "–"})
DAMAGED = Entry("results/broken", "", "", problem="run.json is not JSON: line 1, column 2")
ALL = (PAPYAN, SMOKE, DEEP, LOOK, DAMAGED)


@pytest.fixture(scope="module")
def html():
    return front_page(ALL, title="Everything here")


def words(markup):
    return " ".join(re.sub("<[^>]*>", " ", markup).split())


def section(html, name):
    return re.search(rf'<section id="{name}">.*?</section>', html, re.S).group(0)


def test_it_counts_outcomes_of_all_and_of_each_paper(html):
    assert "4 records, with 8 claims: ✓ 3 reproduced , ✗ 3 contradicted , ? 2 inconclusive ." in words(html)
    papers = words(section(html, "papers"))
    assert "papyan2020prevalence 2 records 6 claims: ✓ 3 reproduced , ✗ 2 contradicted , ? 1 inconclusive" in papers
    assert "sukenik2024multiclass 1 record 2 claims: ✗ 1 contradicted , ? 1 inconclusive" in papers


def test_every_claim_leads_to_its_definition_on_the_page_of_its_record(html):
    links = re.findall('href="([^#"]+#[^"]*)"', section(html, "claims"))
    assert len(links) == 8
    assert links[0] == "papyan2020prevalence/desk/page.html#claim-variability-falls"
    assert links[-1] == "deep/page.html#claim-head-aligns"


def test_every_record_is_linked_with_its_facts(html):
    records = section(html, "records")
    assert re.findall('href="([^"]+)"', records) == [entry.link for entry in ALL[:-1]]
    assert "duration 4 min 12 s" in words(records)
    assert "My network measured No claims." in words(records)


def test_a_damaged_record_is_told_on_top_in_words_and_not_linked(html):
    assert html.index("results/broken") < html.index('id="papers"')
    assert "1 record could not be read." in words(html)
    assert "results/broken : run.json is not JSON: line 1, column 2" in words(html)
    assert 'href=""' not in html


def test_no_records_make_a_page_too():
    assert "0 records, with no claims." in words(front_page(()))


def test_nothing_of_an_entry_becomes_markup():
    evil = Entry(EVIL, EVIL, EVIL, (), {EVIL: EVIL})
    assert "<img" not in front_page([evil, Entry(EVIL, EVIL, EVIL, problem=EVIL)], title=EVIL)


def test_it_holds_no_script_and_loads_nothing(html):
    assert "<script" not in html
    assert "default-src 'none'" in html
    assert not re.search(r"@import|url\((?!#)|<link(?! rel=\"icon\" href=\"data:,\")", html)


def test_equal_records_give_equal_bytes(html):
    assert front_page(ALL, title="Everything here") == html


def test_it_is_written_whole_or_not_at_all(tmp_path, monkeypatch):
    path = write_front_page(ALL, tmp_path / "index.html")
    before = path.read_text(encoding="utf-8")
    assert before == front_page(ALL)
    monkeypatch.setattr("os.replace", lambda *_: (_ for _ in ()).throw(OSError("disk full")))
    with pytest.raises(OSError, match="disk full"):
        write_front_page((), path)
    assert path.read_text(encoding="utf-8") == before
    assert [entry.name for entry in tmp_path.iterdir()] == ["index.html"]
