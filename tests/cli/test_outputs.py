from __future__ import annotations

import errno
import tempfile

import pytest

from caltrop.cli.outputs import out_folder, say, write_results
from caltrop.rows import Row, Study


def test_a_folder_is_made_with_its_parents_and_stays_after_success(workplace):
    with out_folder(workplace / "a" / "b") as folder:
        assert folder is not None
        assert folder.is_dir()
    assert list(folder.iterdir()) == []


def test_folders_that_were_made_are_taken_back_after_a_failure(workplace):
    (workplace / "a").mkdir()
    with pytest.raises(ValueError, match="no"), out_folder(workplace / "a" / "b" / "c"):
        raise ValueError("no")
    assert list(workplace.iterdir()) == [workplace / "a"]
    assert list((workplace / "a").iterdir()) == []


def test_what_was_written_is_never_taken_back(workplace):
    def write_and_fail():
        with out_folder(workplace / "a" / "b"):
            (workplace / "a" / "b" / "result").write_text("safe")
            raise ValueError("no")

    with pytest.raises(ValueError, match="no"):
        write_and_fail()
    assert (workplace / "a" / "b" / "result").read_text() == "safe"


def test_a_file_in_the_way_is_told(workplace):
    (workplace / "taken").write_text("")
    with (
        pytest.raises(NotADirectoryError, match=r"--out .*taken is a file; name a folder"),
        out_folder(workplace / "taken"),
    ):
        pytest.fail("work must not start")


def test_a_file_as_parent_is_told(workplace):
    (workplace / "taken").write_text("")
    with pytest.raises(PermissionError, match=r"cannot be created: "), out_folder(workplace / "taken" / "deep"):
        pytest.fail("work must not start")


def test_a_folder_below_one_that_may_not_be_entered_is_told(workplace, monkeypatch):
    def refuse(self):
        raise PermissionError(errno.EACCES, "Permission denied", str(self))

    monkeypatch.setattr(type(workplace), "exists", refuse)
    with (
        pytest.raises(PermissionError, match=r"--out .*new cannot be created: Permission denied"),
        out_folder(workplace / "new"),
    ):
        pytest.fail("work must not start")


def test_a_folder_that_cannot_be_written_is_told_before_work_starts(workplace, monkeypatch):
    # permissions do not stop the superuser, who may run these tests: refuse at the system call's place
    def refuse(**_):
        raise PermissionError(errno.EACCES, "Permission denied")

    monkeypatch.setattr(tempfile, "TemporaryFile", refuse)
    with pytest.raises(PermissionError, match="cannot be written: Permission denied"), out_folder(workplace / "new"):
        pytest.fail("work must not start")
    assert not (workplace / "new").exists()


def test_a_page_that_fails_says_that_the_record_is_safe(workplace, monkeypatch):
    def fail(*_):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr("caltrop.report.write_page", fail)
    with pytest.raises(OSError, match="No space") as caught:
        write_results(Study(rows=(Row("a", "accuracy", "acc", 1.0),)), workplace)
    assert (workplace / "record.json").is_file()
    assert caught.value.__notes__ == [
        f"The record is safe in {workplace / 'record.json'}; draw its page with: caltrop report {workplace}"
    ]


def test_a_note_is_said_once(capsys):
    say(["one", "two", "one"])
    assert capsys.readouterr().err == "note: one\nnote: two\n"
