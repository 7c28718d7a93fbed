"""Runs of experiments: every cell once, whatever is interrupted, fails or comes twice."""

from __future__ import annotations

import json
from concurrent.futures import ThreadPoolExecutor

import pytest

from caltrop import papers
from caltrop.papers import UnknownExperiment
from caltrop.papers.progress import RunProgress
from caltrop.record import Cell, Planned, RunFolder
from papers import toy
from papers.toy import NAME, digits

pytestmark = pytest.mark.usefixtures("toys")


def outcomes(judged):
    return {verdict.claim.partition("/")[2]: verdict.outcome for verdict in judged.verdicts}


def test_one_seed_without_a_folder_writes_nothing(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    judged = papers.run(NAME)
    assert [row.value for row in judged.rows] == [0.5, 0.25, 0.125, 0.0625]
    assert outcomes(judged) == {"ends-small": "reproduced", "is-zero": "contradicted", "unknown": "inconclusive"}
    assert list(tmp_path.iterdir()) == []
    assert judged.folder is None


@pytest.mark.slow
def test_several_seeds_in_a_pool_are_those_of_one_process_in_order(tmp_path):
    apart = papers.run(NAME, "desk", seeds=(2, 0), out=tmp_path / "run")
    alone = [papers.run(NAME, "desk", seed) for seed in (2, 0)]
    assert [cell.seed for cell in apart.record.cells] == [2, 0]
    assert digits(apart.record) == [digits(one.record)[0] for one in alone]
    assert apart.record.status == "complete"


def test_a_finished_run_is_not_repeated_unless_forced(tmp_path):
    log = tmp_path / "log"
    for _ in range(2):
        first = papers.run(NAME, out=tmp_path / "run", fields={"log": str(log)})
    assert log.read_text().count("\n") == 4
    again = papers.run(NAME, out=tmp_path / "run", fields={"log": str(log)}, force=True)
    assert log.read_text().count("\n") == 8
    assert digits(again.record) == digits(first.record)


def test_more_seeds_are_added_to_a_run(tmp_path):
    papers.run(NAME, seed=0, out=tmp_path / "run")
    judged = papers.run(NAME, seed=1, out=tmp_path / "run")
    assert [cell.seed for cell in judged.record.cells] == [0, 1]
    (verdict,) = [v for v in judged.verdicts if v.claim.endswith("ends-small")]
    assert verdict.interval == (0.0625, 0.125)


def test_an_interrupted_cell_goes_on_from_its_last_point(tmp_path, monkeypatch):
    log = tmp_path / "log"
    steps = iter(range(3))

    def sleep(_):
        if next(steps, None) is None:
            raise KeyboardInterrupt

    monkeypatch.setattr(toy.time, "sleep", sleep)
    with pytest.raises(KeyboardInterrupt):
        papers.run(NAME, out=tmp_path / "run", fields={"log": str(log)})
    key = RunFolder(tmp_path / "run").read().planned[0].key
    assert RunFolder(tmp_path / "run").progress(key) == (3, 4)
    monkeypatch.undo()


def test_what_was_interrupted_ends_with_the_same_rows(toys, tmp_path, monkeypatch):
    fields = {"log": str(tmp_path / "log")}
    whole = papers.run(NAME, out=tmp_path / "whole", fields=fields)
    (tmp_path / "log").unlink()
    steps = iter(range(2))

    def sleep(_):
        if next(steps, None) is None:
            raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr(toy.time, "sleep", sleep)
        with pytest.raises(KeyboardInterrupt):
            papers.run(NAME, out=tmp_path / "cut", fields=fields)
    again = papers.run(NAME, out=tmp_path / "cut", fields=fields)
    assert digits(again.record) == digits(whole.record)
    assert (tmp_path / "log").read_text().split("\n")[:-1] == [f"0 0 {step}" for step in (1, 2, 3, 4)]
    assert again.record.cells[0].provenance["sessions"] == 2
    assert not list((tmp_path / "cut").rglob("*.partial"))


def test_a_cell_that_fails_is_named_and_the_claims_are_inconclusive(tmp_path):
    judged = papers.run(NAME, seeds=(0,), out=tmp_path / "run", fields={"fails": [0]})
    (failure,) = judged.record.failures.values()
    assert failure == "FloatingPointError: the loss is nan in epoch 3"
    assert set(outcomes(judged).values()) == {"inconclusive"}
    assert "seed 0: FloatingPointError: the loss is nan" in judged.verdicts[0].why
    assert papers.judge(RunFolder(tmp_path / "run").read())[0] == judged.verdicts[0]


@pytest.mark.slow
def test_a_worker_that_dies_fails_its_own_cell_only(tmp_path):
    judged = papers.run(NAME, seeds=(0, 1, 2), out=tmp_path / "run", fields={"dies": [1]})
    assert [cell.seed for cell in judged.record.cells] == [0, 2]
    (failure,) = judged.record.failures.values()
    assert "SIGKILL" in failure
    assert "seed 1" in judged.verdicts[0].why


def test_cases_of_a_sweep_are_told_apart_in_rows_and_keys(tmp_path):
    with_cases = papers.run(NAME, out=tmp_path / "run", fields={"depths": [1, 2]}, workers=1)
    record = with_cases.record
    assert record.rows.distinct("case") == ("depth=1", "depth=2")
    assert record.cases["depth=2"]["depth"] == 2
    assert len({cell.key for cell in record.cells}) == 2


def test_an_unmet_precondition_makes_its_claim_inconclusive():
    judged = papers.run(NAME, fields={"steps": 2})
    assert outcomes(judged)["ends-small"] == "inconclusive"
    assert "seed 0: only 2 steps" in judged.verdicts[0].why


@pytest.mark.parametrize(
    ("arguments", "error", "why"),
    [
        ({"name": "toy2020halvin"}, UnknownExperiment, "did you mean toy2020halving"),
        ({"scale": "large"}, KeyError, "scales are smoke, desk, paper"),
        ({"fields": {"step": 3}}, ValueError, "no field 'step'; did you mean steps"),
        ({"seeds": ()}, ValueError, "must be different integers"),
        ({"seeds": (1, 1)}, ValueError, "must be different integers"),
        ({"seeds": (-1,)}, ValueError, "must be different integers"),
    ],
)
def test_what_cannot_be_run_is_refused_and_nothing_is_written(tmp_path, arguments, error, why):
    with pytest.raises(error, match=why):
        papers.run(**{"name": NAME, "out": tmp_path / "run", **arguments})
    assert not (tmp_path / "run").exists()


def test_a_folder_with_another_configuration_is_refused(tmp_path):
    papers.run(NAME, out=tmp_path / "run")
    with pytest.raises(ValueError, match=r"holds another run \(steps=4, not 5\)"):
        papers.run(NAME, out=tmp_path / "run", fields={"steps": 5})


def test_a_judged_record_shows_itself(tmp_path):
    judged = papers.run(NAME, out=tmp_path / "run")
    assert json.loads(judged.to_json())["verdicts"][0]["claim"] == f"{NAME}/ends-small"
    assert "reproduced" in judged._repr_html_()
    assert "✗ contradicted" in judged.table()
    assert "1 reproduced, 1 contradicted, 1 inconclusive" in repr(judged)
    assert "Halving, again and again" in judged.report(tmp_path / "page.html").read_text()


def test_an_experiment_registered_by_a_user_is_found_by_name():
    assert NAME in papers.names()
    assert papers.get(NAME).title == "Halving, again and again"


def test_a_name_is_given_once(toys):
    with pytest.raises(ValueError, match="registered already"):
        papers.register(toys)


@pytest.mark.parametrize(
    ("changes", "why"),
    [
        ({"name": "Toy 2020"}, "must be lower-case"),
        ({"configs": {"smoke": toy.ToyConfig()}}, "no whole scale 'desk'"),
        ({"seeds": {"smoke": (), "desk": (0,), "paper": (0,)}}, "no whole scale 'smoke'"),
        ({"name": "other2020word"}, r"claims of other2020word must be called other2020word/"),
        ({"claims": (toy.CLAIMS[0], toy.CLAIMS[0])}, "each once"),
    ],
)
def test_a_malformed_experiment_is_refused(changes, why):
    with pytest.raises(ValueError, match=why):
        toy.experiment(**changes)


def test_progress_of_several_cells_is_lines_on_stderr_where_there_is_no_terminal(tmp_path, capsys):
    with ThreadPoolExecutor(1) as executor:
        papers.run(NAME, seeds=(0, 1), out=tmp_path / "run", fields={"fails": [1]}, executor=executor)
    err = capsys.readouterr().err
    assert "0 of 2 cells" in err
    assert "seed 0 done" in err
    assert "seed 1 failed: FloatingPointError: the loss is nan in epoch 3" in err


def test_progress_tells_the_points_of_cells_that_are_being_computed(capsys):
    planned = tuple(Planned(f"key{seed}", None, seed, {}) for seed in (0, 1, 2))
    points = {"key0": (3, 10), "key2": None, "key1": None}
    with RunProgress(planned, points.get, lambda key: f"seed {key[-1]}", shown=True) as shown:
        shown.after(Cell({"key": "key1"}, error="ValueError: no"))
    err = capsys.readouterr().err.splitlines()
    assert err == ["0 of 3 cells; seed 0 at 3 of 10", "seed 1 failed: ValueError: no"]


def test_progress_is_silent_where_it_is_not_wanted(tmp_path, capsys):
    with ThreadPoolExecutor(1) as executor:
        papers.run(NAME, seeds=(0, 1), out=tmp_path / "run", executor=executor, progress=False)
    papers.run(NAME, out=tmp_path / "one", progress=False)
    assert capsys.readouterr().err == ""


def test_a_point_that_cannot_be_used_is_told_and_the_cell_begins_anew(tmp_path, capsys):
    whole = papers.run(NAME, out=tmp_path / "whole", progress=False)
    folder = RunFolder(tmp_path / "run")
    folder.begin(whole.record)
    (key,) = [planned.key for planned in whole.record.planned]
    folder.checkpoint(key).path.write_bytes(b"cut short")
    again = papers.run(NAME, out=tmp_path / "run", progress=False)
    assert digits(again.record) == digits(whole.record)
    assert f"{key}.partial is damaged" in capsys.readouterr().err
