"""What a failure means to the person at the terminal: one line and an exit code."""

from __future__ import annotations

import dis
import errno
import os
import sysconfig
import traceback
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType

import typer

from caltrop.cli.arguments import running, verb_of

BAD_INPUT = 2
COULD_NOT_FINISH = 3
INTERRUPTED = 130

_OURS = Path(__file__).resolve().parent.parent

TRACEBACK = "CALTROP_TRACEBACK"

# typer carries its own copy of click or uses the installed one, depending on its version
_USAGE_ERROR = next(kind for kind in typer.BadParameter.__mro__ if kind.__name__ == "ClickException")
_PATH_ERRORS = (FileNotFoundError, PermissionError, IsADirectoryError, NotADirectoryError, FileExistsError)


@dataclass(frozen=True)
class Failure:
    """What to print on stderr and to return to the shell."""

    exit_code: int
    line: str


def explain(error: BaseException) -> Failure:
    """One line for `error`, with what is safe on disk if a note on the exception says so.

    Bad input is what our own code refuses on purpose, a path that cannot be used, or a failure inside
    the model or the data that somebody brought. Everything else is ours, and not being able to finish.
    """
    if isinstance(error, KeyboardInterrupt):
        return Failure(INTERRUPTED, _one_line("interrupted; nothing is half-written.", *_notes(error)))
    if isinstance(error, _USAGE_ERROR):
        return Failure(BAD_INPUT, _one_line(_usage(error)))
    if os.environ.get(TRACEBACK):
        traceback.print_exception(error)
    if isinstance(error, Exception) and _raised_by_us(error):
        return Failure(BAD_INPUT, _one_line(_first_line(error)))
    if isinstance(error, _PATH_ERRORS):
        return Failure(BAD_INPUT, _one_line(_of_system(error)))
    if _is_out_of_memory(error):
        return Failure(COULD_NOT_FINISH, _one_line(f"out of memory: {_first_line(error)}", *_notes(error)))
    if isinstance(error, OSError) and error.errno is not None:
        return Failure(COULD_NOT_FINISH, _one_line(f"could not finish: {_of_system(error)}", *_notes(error)))
    if came_from_user(error):
        line = f"the model or its data failed: {type(error).__name__}: {_first_line(error)} {_hint()}"
        return Failure(BAD_INPUT, _one_line(line))
    line = f"could not finish, internal error: {type(error).__name__}: {_first_line(error)}"
    return Failure(COULD_NOT_FINISH, _one_line(line, *_notes(error), _hint()))


def came_from_user(error: BaseException) -> bool:
    """Whether `error` passed through a module's forward, a loader, or a file that is nobody's library."""
    return any(_is_foreign(frame.filename) for frame in traceback.extract_tb(error.__traceback__))


def _is_foreign(filename: str) -> bool:
    name = filename.replace("\\", "/")
    if "/torch/nn/modules/" in name or "/torch/utils/data/" in name:
        return True
    if name.startswith("<") or "/site-packages/" in name or "/dist-packages/" in name:
        return False
    return not Path(filename).is_relative_to(sysconfig.get_paths()["stdlib"]) and not _is_ours(filename)


def _is_out_of_memory(error: BaseException) -> bool:
    # torch has a type of its own for GPUs, and none for the processor
    named = type(error).__name__ == "OutOfMemoryError" or "DefaultCPUAllocator: can't allocate" in str(error)
    return named or isinstance(error, MemoryError)


def _is_ours(filename: str) -> bool:
    return Path(filename).resolve().is_relative_to(_OURS)


def _raised_by_us(error: BaseException) -> bool:
    """Whether a `raise` statement of ours made `error`, not an operation that went wrong.

    A ValueError that we raise is a sentence for the reader; one out of a library's depths is a defect.
    """
    last = _last(error.__traceback__)
    if last is None:
        return False
    code = last.tb_frame.f_code
    return _is_ours(code.co_filename) and code.co_code[last.tb_lasti] == dis.opmap["RAISE_VARARGS"]


def _last(trace: TracebackType | None) -> TracebackType | None:
    while trace is not None and trace.tb_next is not None:
        trace = trace.tb_next
    return trace


def _usage(error: BaseException) -> str:
    text = str(getattr(error, "format_message", lambda: error)())
    text = text.rstrip(".")
    return f"{text}{'' if text.endswith('?') else '.'} See: caltrop {_verb(error)}--help"


def _verb(error: BaseException) -> str:
    context = getattr(error, "ctx", None)
    if context is None:
        return verb_of(running.get()[1:])
    return "" if context.info_name in (None, "caltrop") else f"{context.info_name} "


def _of_system(error: OSError) -> str:
    reason = error.strerror or str(error)
    if error.errno == errno.ENOSPC:
        reason = "the disk is full"
    return f"{reason}: {error.filename}" if error.filename else reason


def _first_line(error: BaseException) -> str:
    # a KeyError's str() is the repr of its message
    text = str(error.args[0]) if isinstance(error, KeyError) and error.args else str(error)
    return next(iter(text.strip().splitlines()), "") or type(error).__name__


def _notes(error: BaseException) -> list[str]:
    return list(getattr(error, "__notes__", []))


def _hint() -> str:
    return f"(set {TRACEBACK}=1 for the traceback)"


def _one_line(*parts: str) -> str:
    return " ".join(" ".join(parts).split())
