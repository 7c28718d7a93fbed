"""Several values after one option, which the parser itself cannot read; and what no option means."""

from __future__ import annotations

import re
from collections.abc import Sequence
from contextvars import ContextVar

# The command being run, for records. Not through typer's context: its type differs between versions.
running: ContextVar[tuple[str, ...]] = ContextVar("running", default=("caltrop",))

SEVERAL = (
    "--layers",
    "--measures",
    "--checkpoint",
    "--ignore-index",
    "--classes",
    "--seeds",
    "--set",
    "--num-classes",
    "--depths",
    "--penalties",
    "--widths",
)
INTEGERS = ("--ignore-index", "--classes", "--seeds", "--num-classes", "--depths", "--widths")
_INTEGER = re.compile(r"[+-]?\d+")
_EMPTY = re.compile(r"(--[\w-]+=)?")


def spread(arguments: Sequence[str]) -> list[str]:
    """`--layers a b` as `--layers=a --layers=b`; everything else as it is.

    Values end at the next option; where they are integers (also negative ones), at whatever is none, so
    that a file may follow. After `--` nothing is changed.

    Raises:
        ValueError: an option without any value, or an empty argument.
    """
    _refuse_empty(arguments)
    out: list[str] = []
    rest = list(arguments)
    while rest:
        argument = rest.pop(0)
        if argument == "--":
            return [*out, argument, *rest]
        values = _values(argument, rest) if argument in SEVERAL else []
        # the parser would take the next option for the value
        if argument in SEVERAL and not values and (not rest or rest[0].startswith("-")):
            raise ValueError(f"{argument} needs a value, or several; see caltrop {verb_of(arguments)}--help.")
        out += [f"{argument}={value}" for value in values] or [argument]
        del rest[: len(values)]
    return out


def verb_of(arguments: Sequence[str]) -> str:
    """The verb with a space behind it; nothing where there is none."""
    first = next(iter(arguments), "-")
    return "" if first.startswith("-") else f"{first} "


def _refuse_empty(arguments: Sequence[str]) -> None:
    # as a path it would mean the working folder, and be written to
    place = next((place for place, argument in enumerate(arguments) if _EMPTY.fullmatch(argument)), None)
    if place is not None:
        before = arguments[place] or (arguments[place - 1] if place else "")
        raise ValueError(f"an argument is empty{f' ({before})' if before else ''}; is a variable of the shell not set?")


def _values(option: str, rest: Sequence[str]) -> list[str]:
    values: list[str] = []
    for argument in rest:
        belongs = _INTEGER.fullmatch(argument) if option in INTEGERS else not argument.startswith("-")
        if not belongs:
            break
        values.append(argument)
    return values
