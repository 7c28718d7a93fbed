"""Every registered experiment, found through the registry: what design asks of a paper."""

from __future__ import annotations

import dataclasses
import json
import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

from caltrop import measures, papers
from caltrop.papers import SCALES, Evidence
from caltrop.papers.experiment import plain
from caltrop.papers.fields import from_plain
from caltrop.papers.running import planned_record
from caltrop.report import page
from caltrop.rows import Rows

EXPERIMENTS = list(papers.experiments().values())
CLAIMS = [claim for experiment in EXPERIMENTS for claim in experiment.claims]
SMOKE_SECONDS = 20.0  # the promise of the command line's help

ours = pytest.mark.parametrize("experiment", EXPERIMENTS, ids=lambda experiment: experiment.name)
every_claim = pytest.mark.parametrize("claim", CLAIMS, ids=lambda claim: claim.id)


@ours
@pytest.mark.parametrize("scale", SCALES)
def test_a_scale_is_a_frozen_configuration_that_survives_json(experiment, scale):
    config = experiment.config(scale)
    with pytest.raises(dataclasses.FrozenInstanceError):
        setattr(config, dataclasses.fields(config)[0].name, None)
    assert from_plain(type(config), json.loads(json.dumps(plain(config)))) == config
    assert experiment.cost[scale]


@ours
def test_desk_has_three_seeds_or_more(experiment):
    assert len(experiment.seeds["desk"]) >= 3


@ours
@pytest.mark.parametrize("scale", SCALES)
def test_every_planned_cell_has_a_key_of_its_own(experiment, scale):
    planned = planned_record(experiment, scale, experiment.config(scale), experiment.seeds[scale]).planned
    assert len({cell.key for cell in planned}) == len(planned) >= len(experiment.seeds[scale])


@every_claim
def test_a_claim_says_what_where_and_why(claim):
    for words in (claim.says, claim.where, claim.computes, claim.threshold, str(claim.expected)):
        assert words.strip()
    assert claim.says.endswith(".")
    assert claim.charts


@every_claim
def test_a_claim_on_an_empty_record_is_inconclusive(claim):
    verdict = claim.judge(Evidence(Rows.of([])))
    assert (verdict.outcome, verdict.measured) == ("inconclusive", None)
    assert verdict.why


@ours
def test_charts_show_measures_that_have_a_name(experiment):
    for chart in experiment.charts:
        assert chart.layer == "" or chart.measure in (*measures.names(), *experiment.glosses), chart
        assert chart.says


@pytest.fixture(scope="module")
def smoke(tmp_path_factory):
    """A smoke run of an experiment by the command line in a process of its own, once, with its duration."""
    done = {}

    def run(experiment):
        if experiment.name not in done:
            out = tmp_path_factory.mktemp("smoke") / experiment.name
            started = time.monotonic()
            command = [sys.executable, "-m", "caltrop", "run", experiment.name, "--scale", "smoke", "--out", str(out)]
            ran = subprocess.run([*command, "--json"], capture_output=True, text=True, timeout=250, check=False)
            done[experiment.name] = (ran, out, time.monotonic() - started)
        return done[experiment.name]

    return run


@ours
@pytest.mark.slow
def test_smoke_runs_and_judges_every_claim_from_every_seed(experiment, smoke):
    ran, out, _ = smoke(experiment)
    assert ran.returncode in (0, 1), ran.stderr[-2000:]
    verdicts = json.loads(ran.stdout)["verdicts"]
    assert [verdict["claim"] for verdict in verdicts] == [claim.id for claim in experiment.claims]
    record = papers.JudgedRecord(papers.running.RunFolder(out).read(), out)
    assert record.record.status == "complete"
    assert json.loads(record.to_json())["verdicts"] == verdicts
    shown = page(record.study())
    for claim in experiment.claims:
        for layer, measure in claim.charts:
            assert len(record.record.rows.where(layer=layer, measure=measure)) > 0, claim.id
        assert f'id="claim-{claim.id.partition("/")[2]}"' in shown


@ours
@pytest.mark.slow
def test_trained_rows_come_with_training_error_and_weight_decay_time(experiment, smoke):
    _, out, _ = smoke(experiment)
    rows = papers.running.RunFolder(out).read().rows
    trained = rows.where(origin="trained")
    for seed, part in trained.split_by("seed").items():
        for step in part.distinct("step"):
            if step is not None:
                for measure in ("training_error", "weight_decay_time"):
                    found = part.where(step=step, measure=measure, split="train", layer="")
                    assert len(found) >= 1, (seed, step, measure)


@ours
@pytest.mark.slow
@pytest.mark.skipif("CALTROP_TIMINGS" not in os.environ, reason="a timing decides nothing on a busy machine")
def test_smoke_takes_less_than_it_promises(experiment, smoke):
    assert smoke(experiment)[2] < SMOKE_SECONDS


def test_every_file_of_a_paper_is_registered():
    folder = Path(papers.__file__).parent
    named = {path.stem for path in folder.glob("*[0-9][0-9][0-9][0-9]*.py")}
    assert named == {experiment.name for experiment in EXPERIMENTS}
