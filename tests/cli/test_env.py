from __future__ import annotations

import json

import torch


def test_versions_devices_and_threads_are_printed(run):
    ran = run("env")
    assert (ran.code, ran.err) == (0, "")
    facts = dict(line.split(None, 1) for line in ran.out.splitlines())
    assert facts["torch"] == torch.__version__
    assert facts["devices"].startswith("cpu: ")


def test_json_holds_the_same_facts(run):
    facts = json.loads(run("env", "--json").out)
    assert facts["torch"] == torch.__version__
    assert facts["threads"] == torch.get_num_threads()
    assert isinstance(facts["devices"], list)
