"""Single files: whole or absent, with the permissions of any other."""

from __future__ import annotations

import os
import threading

import pytest

from caltrop.files import aside, remove_parts, write_bytes
from caltrop.record import write_text


def test_what_is_written_is_there_and_nothing_else(tmp_path):
    path = write_text(tmp_path / "file.json", "first, ä\n")
    assert path.read_bytes() == "first, ä\n".encode()
    assert write_bytes(path, memoryview(b"second")).read_bytes() == b"second"
    assert write_bytes(path, b"").read_bytes() == b""
    assert [entry.name for entry in tmp_path.iterdir()] == ["file.json"]


@pytest.mark.parametrize("where", ["write", "fsync", "replace"])
@pytest.mark.parametrize("failure", [OSError("it broke"), KeyboardInterrupt()])
def test_whatever_stops_a_write_the_old_file_stays_and_nothing_beside_it(tmp_path, monkeypatch, where, failure):
    path = write_text(tmp_path / "file.json", "old")

    def fail(*_):
        raise failure

    with monkeypatch.context() as patch:
        patch.setattr(os, where, fail)
        with pytest.raises(type(failure)):
            write_text(path, "new")
    assert path.read_text() == "old"
    assert [entry.name for entry in tmp_path.iterdir()] == ["file.json"]


def test_a_system_that_writes_less_than_asked_is_asked_again(tmp_path, monkeypatch):
    write = os.write
    with monkeypatch.context() as patch:
        patch.setattr(os, "write", lambda handle, content: write(handle, content[:3]))
        path = write_bytes(tmp_path / "file.json", b"0123456789")
    assert path.read_bytes() == b"0123456789"


@pytest.mark.skipif(os.name == "nt", reason="masks are POSIX")
@pytest.mark.parametrize("mask", [0o022, 0o077, 0o002])
def test_a_file_has_the_permissions_that_the_mask_leaves(tmp_path, mask):
    old = os.umask(mask)
    try:
        path = write_text(tmp_path / "file.json", "text")
    finally:
        os.umask(old)
    assert path.stat().st_mode & 0o777 == 0o666 & ~mask


@pytest.mark.skipif(os.name == "nt", reason="masks are POSIX")
def test_the_mask_of_the_process_is_never_touched(tmp_path, monkeypatch):
    # other threads write files at the same time
    monkeypatch.setattr(os, "umask", lambda mask: pytest.fail("the mask was set"))
    write_text(tmp_path / "file.json", "text")


def test_threads_that_write_and_clean_one_file_leave_one_whole_content(tmp_path):
    path, failures = tmp_path / "file.json", []

    def work(letter):
        try:
            for _ in range(40):
                write_bytes(path, letter * 10_000)
                remove_parts(path)
        except BaseException as error:
            failures.append(error)

    threads = [threading.Thread(target=work, args=(letter,)) for letter in (b"a", b"b", b"c", b"d")]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failures == []
    assert (len(path.read_bytes()), len(set(path.read_bytes()))) == (10_000, 1)
    assert [entry.name for entry in tmp_path.iterdir()] == ["file.json"]


def test_a_part_that_is_removed_between_its_making_and_its_lock_is_made_again(tmp_path, monkeypatch):
    made, real = [], os.open

    def removed_at_once(path, flags, *args):
        handle = real(path, flags, *args)
        if flags & os.O_EXCL and not made:
            made.append(path)
            os.unlink(path)
        return handle

    monkeypatch.setattr(os, "open", removed_at_once)
    assert write_bytes(tmp_path / "file.json", b"text").read_bytes() == b"text"
    assert len(made) == 1


@pytest.mark.parametrize("name", ["file[1].json", "file*.json", "file.json"])
def test_only_parts_of_the_file_itself_are_removed(tmp_path, name):
    mine = tmp_path / f".{name}.0.part"
    others = [tmp_path / ".file1.json.0.part", tmp_path / "other.part", tmp_path / name]
    for path in (mine, *others):
        path.write_text("half")
    remove_parts(tmp_path / name)
    assert not mine.exists()
    assert all(path.exists() for path in others)


def test_a_missing_folder_is_an_error(tmp_path):
    with pytest.raises(FileNotFoundError):
        write_text(tmp_path / "nowhere" / "file.json", "text")


def test_names_aside_are_free(tmp_path):
    path = tmp_path / "key.json"
    for expected in ("key.damaged", "key.damaged-2", "key.damaged-3"):
        kept = aside(path, ".damaged")
        assert kept.name == expected
        kept.touch()
