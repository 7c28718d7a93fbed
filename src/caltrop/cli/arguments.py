"""Several values after one option, which the parser itself cannot read."""

from __future__ import annotations

import re
from collections.abc import Sequence
from contextvars import ContextVar

# The command being run, for records. Not through typer's context: its type differs between versions.
running: ContextVar[tuple[str, ...]] = ContextVar("running", default=("caltrop",))

SEVERAL = ("--layers", "--measures", "--checkpoint", "--ignore-index", "--classes", "--seeds", "--set")
INTEGERS = ("--ignore-index", "--classes", "--seeds")
_INTEGER = re.compile(r"[+-]?\d+")


def spread(arguments: Sequence[str]) -> list[str]:
    """`--layers a b` as `--layers=a --layers=b`; everything else as it is.

    Values end at the next option; where they are integers (also negative ones), at whatever is none, so
    that a file may follow. After `--` nothing is changed.
    """
    out: list[str] = []
    rest = list(arguments)
    while rest:
        argument = rest.pop(0)
        if argument == "--":
            return [*out, argument, *rest]
        values = _values(argument, rest) if argument in SEVERAL else []
        out += [f"{argument}={value}" for value in values] or [argument]
        del rest[: len(values)]
    return out


def _values(option: str, rest: Sequence[str]) -> list[str]:
    values: list[str] = []
    for argument in rest:
        belongs = _INTEGER.fullmatch(argument) if option in INTEGERS else not argument.startswith("-")
        if not belongs:
            break
        values.append(argument)
    return values
