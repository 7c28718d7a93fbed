"""caltrop run, papers and demo: what is printed, written and returned to the shell."""

from __future__ import annotations

import errno
import json

import pytest

from caltrop.papers import registry
from caltrop.record import RunFolder
from papers import toy
from papers.toy import NAME


@pytest.fixture(autouse=True)
def toys(monkeypatch):
    registry.experiments()
    monkeypatch.setattr(registry._REGISTRY, "_things", dict(registry._REGISTRY))
    registry.register(toy.experiment())


def register(monkeypatch, **changes):
    known = {name: known for name, known in registry._REGISTRY.items() if name != NAME}
    monkeypatch.setattr(registry._REGISTRY, "_things", known)
    return registry.register(toy.experiment(**changes))


def test_a_contradicted_claim_is_exit_code_1_and_record_and_page_are_named(run, workplace):
    ran = run("run", NAME, "--scale", "smoke")
    assert ran.code == 1, ran.err
    assert "✓ reproduced    toy2020halving/ends-small" in ran.out
    assert "✗ contradicted  toy2020halving/is-zero" in ran.out
    assert ran.out.endswith(f"record: results/{NAME}/smoke\npage: results/{NAME}/smoke/page.html\n")
    assert "toy2020halving/is-zero" in (workplace / "results" / NAME / "smoke" / "page.html").read_text()
    assert (
        RunFolder(f"results/{NAME}/smoke").read().cells[0].provenance["command"] == f"caltrop run {NAME} --scale smoke"
    )


def test_without_a_contradiction_the_exit_code_is_0(run, monkeypatch):
    register(monkeypatch, claims=(toy.CLAIMS[0], toy.CLAIMS[2]))
    assert run("run", NAME, "--scale", "smoke").code == 0


def test_json_holds_the_verdicts_alone_on_stdout(run):
    printed = json.loads(run("run", NAME, "--scale", "smoke", "--out", "here", "--json").out)
    first = printed["verdicts"][0]
    assert {"claim", "outcome", "measured", "expected", "why"} <= first.keys()
    assert (first["claim"], first["outcome"], first["measured"]) == (f"{NAME}/ends-small", "reproduced", 0.0625)
    assert printed["verdicts"][2]["measured"] is None
    assert (printed["record"], printed["page"]) == ("here", "here/page.html")


@pytest.mark.slow
def test_seeds_follow_one_option_and_default_to_the_scale(run):
    run("run", NAME, "--scale", "smoke", "--seeds", "3", "1", "--out", "some")
    assert [cell.seed for cell in RunFolder("some").read().cells] == [3, 1]


def test_changed_fields_go_to_a_folder_of_their_own(run, workplace):
    ran = run("run", NAME, "--scale", "smoke", "--set", "steps=3", "start=2.5")
    assert f"record: results/{NAME}/smoke-start=2.5-steps=3" in ran.out
    assert RunFolder(f"results/{NAME}/smoke-start=2.5-steps=3").read().config["steps"] == 3


def test_a_finished_run_is_read_and_judged_again(run, workplace):
    log = workplace / "log"
    for _ in range(2):
        ran = run("run", NAME, "--scale", "smoke", "--set", f"log={log}", "--out", "one")
    assert ran.code == 1
    assert log.read_text().count("\n") == 4
    run("run", NAME, "--scale", "smoke", "--set", f"log={log}", "--out", "one", "--force")
    assert log.read_text().count("\n") == 8


def test_a_failing_cell_is_exit_code_3_and_named(run):
    ran = run("run", NAME, "--scale", "smoke", "--set", "fails=0", "--out", "one")
    assert ran.code == 3
    assert "caltrop: toy2020halving, seed 0: FloatingPointError: the loss is nan in epoch 3" in ran.err
    assert ran.out.count("? inconclusive") == 3


def test_ctrl_c_says_what_is_safe(run, monkeypatch):
    def interrupted(_):
        raise KeyboardInterrupt

    monkeypatch.setattr(toy.time, "sleep", interrupted)
    ran = run("run", NAME, "--scale", "smoke", "--out", "one")
    assert ran.code == 130
    assert "What is finished is safe in one; the same command goes on from there." in ran.err
    assert "Traceback" not in ran.err
    monkeypatch.undo()


@pytest.mark.parametrize(
    ("argv", "why"),
    [
        ([f"{NAME}s", "--scale", "smoke"], f"no paper is called '{NAME}s'; did you mean {NAME}"),
        ([NAME, "--scale", "huge"], "has no scale 'huge'; scales are smoke, desk, paper"),
        ([NAME], "--scale"),
        ([NAME, "--scale", "smoke", "--set", "stepz=3"], "no field 'stepz'; did you mean steps"),
        ([NAME, "--scale", "smoke", "--set", "steps=few"], "steps='few' is not of the type int; it is 4 by default"),
        ([NAME, "--scale", "smoke", "--set", "steps"], "--set steps does not change a field"),
        ([NAME, "--scale", "smoke", "--set", "steps=3", "steps=5"], "--set gives steps twice, 3 and 5"),
        ([NAME, "--scale", "smoke", "--seeds", "1", "1"], "must be different integers"),
        ([NAME, "--scale", "smoke", "--seeds", "-1"], "the seed -1 cannot be used; give integers from 0"),
        ([NAME, "--scale", "smoke", "--seeds", str(2**63)], "cannot be used; give integers from 0 to 922337203685477"),
        ([NAME, "--scale", "smoke", "--seeds", "one"], "--seeds"),
        ([NAME, "--scale", "smoke", "--seeds", "--json"], "--seeds needs a value, or several"),
        ([NAME, "--scale", "smoke", "--workers", "0"], "--workers 0 is impossible"),
        ([NAME, "--scale", "smoke", "--device", "abacus"], "--device abacus cannot be used"),
        ([NAME, "--scale", "smoke", "--device", "meta"], "--device meta cannot be used"),
        ([NAME, "--scale", "smoke", "--out", "taken"], "--out taken is a file"),
        ([NAME, "--scale", "smoke", "--out", ""], "an argument is empty (--out)"),
    ],
)
def test_what_cannot_be_run_is_refused_in_one_line(refuses, workplace, argv, why):
    (workplace / "taken").write_text("")
    assert why in refuses("run", *argv)


def test_a_folder_with_another_run_is_refused_and_kept(run, refuses):
    run("run", NAME, "--scale", "smoke", "--out", "one")
    assert "holds another run (steps=4, not 5)" in refuses(
        "run", NAME, "--scale", "smoke", "--out", "one", "--set", "steps=5"
    )


def test_a_finished_cell_that_may_not_be_read_stops_the_run_before_it_works(run, workplace, monkeypatch):
    log = workplace / "log"
    again = ("run", NAME, "--scale", "smoke", "--set", f"log={log}", "--out", "one")
    run(*again)
    before = log.read_text()
    read_text = type(workplace).read_text

    def refuse(self, *args, **options):
        if self.parent.name == "cells":
            raise PermissionError(errno.EACCES, "Permission denied", str(self))
        return read_text(self, *args, **options)

    with monkeypatch.context() as patched:
        patched.setattr(type(workplace), "read_text", refuse)
        ran = run(*again)
    assert (ran.code, ran.out) == (2, "")
    assert "cannot be read: Permission denied." in ran.err
    assert log.read_text() == before


@pytest.mark.parametrize(("folder", "why"), [("taken", "taken is a file"), ("", "an argument is empty (--results)")])
def test_papers_refuses_what_is_no_folder(refuses, workplace, folder, why):
    (workplace / "taken").write_text("")
    assert why in refuses("papers", "--results", folder)


def test_papers_names_a_record_that_cannot_be_read(run, workplace):
    run("run", NAME, "--scale", "smoke")
    plan = workplace / "results" / NAME / "smoke" / "run.json"
    plan.write_text(plan.read_text()[:-20])
    ran = run("papers")
    assert ran.code == 0
    assert "run.json is not a whole JSON file" in ran.err


def test_papers_lists_scales_costs_and_last_verdicts(run):
    run("run", NAME, "--scale", "smoke")
    ran = run("papers")
    assert ran.code == 0
    assert "papyan2020prevalence" in ran.out
    assert "--scale smoke  seconds, seeds 0; 1 reproduced, 1 contradicted, 1 inconclusive" in ran.out
    listed = {entry["name"]: entry for entry in json.loads(run("papers", "--json").out)["papers"]}
    assert listed[NAME]["scales"]["desk"]["seeds"] == [0, 1, 2]
    assert listed[NAME]["scales"]["smoke"]["verdicts"][0] == {"claim": f"{NAME}/ends-small", "outcome": "reproduced"}


def test_papers_needs_no_records(run, workplace):
    ran = run("papers")
    assert ran.code == 0
    assert "no record here" in ran.out
    assert list(workplace.iterdir()) == []


def test_a_full_disk_is_exit_code_3_and_what_is_there_stays_whole(run, workplace, monkeypatch):
    run("run", NAME, "--scale", "smoke", "--out", "one")
    before = {path: path.read_bytes() for path in (workplace / "one").rglob("*.json")}

    def full(_):
        raise OSError(errno.ENOSPC, "No space left on device")

    with monkeypatch.context() as patched:
        patched.setattr("os.fsync", full)
        ran = run("run", NAME, "--scale", "smoke", "--out", "one", "--force")
    assert ran.code == 3
    assert "the disk is full" in ran.err
    assert "safe in one" in ran.err
    assert "Traceback" not in ran.err
    assert {path: path.read_bytes() for path in (workplace / "one").rglob("*.json")} == before
    assert not list((workplace / "one").rglob("*.part"))
    assert run("run", NAME, "--scale", "smoke", "--out", "one").code == 1
