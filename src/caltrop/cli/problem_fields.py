"""A problem from the command line's text: `--num-classes 10 --weight-decay .002 .006`, checked against its fields."""

from __future__ import annotations

import dataclasses
import difflib
from collections.abc import Mapping, Sequence
from typing import Any, get_args, get_type_hints


def read_problem(name: str, arguments: Sequence[str]) -> Any:
    """The problem of that name with the fields that the arguments give.

    Numbers, words and true or false are read by what they look like; several values make a sequence, "0-1" a pair; a
    field without a value is true.

    Raises
    ------
    KeyError
        No problem has that name; the nearest are offered.
    ValueError
        Unknown, repeated or missing fields, or values that the problem refuses.
    """
    from caltrop.theory import get

    kind = get(name)
    fields = {field.name: field for field in dataclasses.fields(kind) if field.init}
    given = _given(arguments)
    for field in given:
        if field not in fields:
            raise ValueError(f"{name} has no field --{_dashed(field)}; {_offer(field, fields)}")
    missing = [field for field, spec in fields.items() if field not in given and _is_needed(spec)]
    if missing:
        wanted = ", ".join(f"--{_dashed(field)}" for field in missing)
        raise ValueError(f"{name} needs {wanted}; its fields are {_listed(fields)}.")
    hints = get_type_hints(kind)
    return kind(**{field: _typed(field, value, _plain_kinds(hints[field])) for field, value in given.items()})


def _given(arguments: Sequence[str]) -> dict[str, Any]:
    texts: dict[str, list[str]] = {}
    field = None
    for argument in arguments:
        if argument.startswith("--"):
            name, is_joined, value = argument[2:].partition("=")
            field = name.replace("-", "_")
            if field in texts:
                raise ValueError(f"--{name} is given twice; give all its values behind one.")
            texts[field] = [value] if is_joined else []
        elif field is None:
            raise ValueError(f"'{argument}' belongs to no field; write --field value, such as --num-classes 10.")
        else:
            texts[field].append(argument)
    return {field: _value(values) for field, values in texts.items()}


def _value(texts: list[str]) -> Any:
    if not texts:
        return True
    read = [_read(text) for text in texts]
    # a pair by itself is one edge of a graph, not the graph
    return read[0] if len(read) == 1 and not isinstance(read[0], tuple) else tuple(read)


def _read(text: str) -> Any:
    lowered = text.lower()
    if lowered in ("true", "false", "none"):
        return {"true": True, "false": False, "none": None}[lowered]
    for kind in (int, float):
        try:
            return kind(text)
        except ValueError:
            continue
    first, dash, second = text.partition("-")
    if dash and first.isdigit() and second.isdigit():
        return int(first), int(second)
    return text


def _plain_kinds(hint: Any) -> set[type]:
    """The types that a hint is made of: of `float | Sequence[float] | None` float and None's."""
    inner = get_args(hint)
    if not inner:
        return {hint} if isinstance(hint, type) else set()
    return set().union(*map(_plain_kinds, inner))


def _typed(field: str, value: Any, kinds: set[type]) -> Any:
    """The value as its field has it; whole numbers are numbers.

    A field whose type is no plain one, such as a class of its own, gets the value as it is.
    """
    if not kinds & {int, float, bool, str}:
        return value
    if isinstance(value, tuple):
        return tuple(_typed(field, one, kinds) for one in value)
    if float in kinds and type(value) is int:
        return float(value)
    if type(value) not in kinds:
        wanted = " or ".join(_KINDS[kind] for kind in (int, float, bool, str) if kind in kinds)
        raise ValueError(f"--{_dashed(field)} {value} is not {wanted}.")
    return value


_KINDS = {int: "an integer", float: "a number", bool: "true or false", str: "a word"}


def _is_needed(field: dataclasses.Field[Any]) -> bool:
    return field.default is dataclasses.MISSING and field.default_factory is dataclasses.MISSING


def _offer(field: str, known: Mapping[str, Any]) -> str:
    nearest = difflib.get_close_matches(field, known, n=3, cutoff=0.4)
    if nearest:
        return f"did you mean {' or '.join(f'--{_dashed(one)}' for one in nearest)}?"
    return f"its fields are {_listed(known)}."


def _listed(fields: Mapping[str, Any]) -> str:
    return ", ".join(f"--{_dashed(field)}" for field in fields)


def _dashed(field: str) -> str:
    return field.replace("_", "-")
