from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy
import pytest
import torch

import caltrop
from caltrop.record import provenance
from caltrop.record.provenance import command, commit
from caltrop.rows import to_json


def test_versions_threads_and_devices_are_those_of_this_process():
    said = provenance()
    assert said["torch"] == torch.__version__
    assert said["numpy"] == numpy.__version__
    assert said["threads"] == torch.get_num_threads()
    assert said["devices"][0].startswith("cpu: ")
    assert said["precision"].startswith("float32")
    assert said["date"].endswith("+00:00")


def test_it_is_strict_json_and_keeps_what_the_caller_adds():
    said = provenance(seconds=1.26, network="mlp", sizes=(3, 4), loss=float("nan"))
    assert said["seconds"] == 1.3
    assert (said["network"], said["sizes"], said["loss"]) == ("mlp", [3, 4], None)
    assert '"network": "mlp"' in to_json(said)


@pytest.mark.parametrize(
    ("argument", "shortened"),
    [
        ("/somewhere/private/f.npz", "'…/f.npz'"),
        ("--out=/somewhere/private/runs", "'--out=…/runs'"),
        ("relative/f.npz", "relative/f.npz"),
        ("--classes=3", "--classes=3"),
    ],
)
def test_the_command_names_no_folder_of_this_machine(argument, shortened):
    assert command(["/usr/local/bin/caltrop", "measure", argument]) == f"caltrop measure {shortened}"


def test_paths_below_the_working_folder_are_kept(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert command(["__main__.py", str(tmp_path / "a" / "f.npz")]) == "caltrop a/f.npz"


def test_the_commit_says_when_tracked_files_differ(tmp_path):
    def git(*arguments):
        identity = ["-c", "user.name=a", "-c", "user.email=a@b.c", "-c", "commit.gpgsign=false"]
        subprocess.run(["git", *identity, *arguments], cwd=tmp_path, check=True, capture_output=True)

    git("init")
    (tmp_path / "file").write_text("one")
    git("add", "file")
    git("commit", "-m", "first")
    clean = commit(tmp_path)
    assert clean is not None
    assert len(clean) == 40
    (tmp_path / "untracked").write_text("")
    assert commit(tmp_path) == clean
    (tmp_path / "file").write_text("two")
    assert commit(tmp_path) == f"{clean} + changes"
    # what lies beside the folder asked about, such as records that a run writes, does not count
    (tmp_path / "code").mkdir()
    assert commit(tmp_path / "code") == clean


def test_outside_of_git_there_is_no_commit(tmp_path, monkeypatch):
    monkeypatch.setenv("GIT_CEILING_DIRECTORIES", str(tmp_path.parent))
    assert commit(tmp_path) is None


def test_without_git_there_is_no_commit(tmp_path, monkeypatch):
    monkeypatch.setenv("PATH", "")
    assert commit(tmp_path) is None


def test_the_command_defaults_to_the_one_that_runs(monkeypatch):
    monkeypatch.setattr(sys, "argv", ["caltrop", "env"])
    assert provenance()["command"] == "caltrop env"


def test_our_own_commit_is_told_where_the_package_lies_in_its_repository(monkeypatch):
    package = Path(caltrop.__file__).parent
    inside = commit(package)
    if inside is None:
        pytest.skip("not a checkout")
    assert provenance()["caltrop_commit"] == inside
