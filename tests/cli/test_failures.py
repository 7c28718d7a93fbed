from __future__ import annotations

import errno

import pytest
import typer

from caltrop.cli.failures import explain
from caltrop.rows import Row


def caught(function, *arguments):
    try:
        function(*arguments)
    except BaseException as error:
        # as in main(), the trace starts in what was called
        return error.with_traceback(error.__traceback__ and error.__traceback__.tb_next)
    pytest.fail("nothing was raised")


def raising(error):
    def fail(*_, **__):
        raise error

    return fail


def test_what_our_code_refuses_is_bad_input_in_its_own_words():
    failure = explain(caught(Row.from_dict, {"value": 1.0, "colour": "red"}))
    assert failure.exit_code == 2
    assert failure.line.startswith("a row has the unknown columns ['colour']")


def test_a_defect_of_ours_is_not_blamed_on_the_input():
    # an operation that fails inside our code, not a raise statement
    failure = explain(caught(Row.from_dict, {}))
    assert failure.exit_code == 3
    assert failure.line.startswith("could not finish, internal error: KeyError: value")
    assert failure.line.endswith("(set CALTROP_TRACEBACK=1 for the traceback)")


def test_what_fails_in_somebodys_code_is_bad_input_with_its_type():
    failure = explain(caught(raising(RuntimeError("shapes differ\nand more"))))
    assert failure.exit_code == 2
    assert failure.line.startswith("the model or its data failed: RuntimeError: shapes differ (set ")


def test_a_forward_that_fails_is_bad_input():
    import torch

    failure = explain(caught(torch.nn.Linear(2, 3), torch.ones(4, 5)))
    assert failure.exit_code == 2
    assert "mat1 and mat2" in failure.line


@pytest.mark.parametrize(
    ("error", "code", "said"),
    [
        (KeyboardInterrupt(), 130, "interrupted; nothing is half-written."),
        (OSError(errno.ENOSPC, "No space left on device", "/x/record.json"), 3, "the disk is full: /x/record.json"),
        (OSError(errno.EIO, "Input/output error"), 3, "could not finish: Input/output error"),
        (FileNotFoundError(errno.ENOENT, "No such file or directory", "a.npz"), 2, "No such file or directory: a.npz"),
        (PermissionError(errno.EACCES, "Permission denied", "a.npz"), 2, "Permission denied: a.npz"),
        (MemoryError("Unable to allocate 3 TiB"), 3, "out of memory: Unable to allocate 3 TiB"),
        (RuntimeError("[enforce] DefaultCPUAllocator: can't allocate memory: 64 GB"), 3, "out of memory: [enforce]"),
        (typer.BadParameter("nine is not a number"), 2, "nine is not a number"),
    ],
)
def test_each_kind_of_failure_has_its_exit_code_and_one_line(error, code, said):
    failure = explain(caught(raising(error)))
    assert failure.exit_code == code
    assert said in failure.line
    assert "\n" not in failure.line


def test_a_note_on_the_exception_names_what_is_safe():
    error = OSError(errno.ENOSPC, "No space left on device")
    error.add_note("The record is safe in results/record.json.")
    assert explain(caught(raising(error))).line.endswith("The record is safe in results/record.json.")


def test_the_traceback_is_printed_when_asked_for(monkeypatch, capsys):
    monkeypatch.setenv("CALTROP_TRACEBACK", "1")
    explain(caught(raising(RuntimeError("deep"))))
    assert "Traceback (most recent call last)" in capsys.readouterr().err
