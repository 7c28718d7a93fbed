"""Strings on their way into HTML: everything that comes from a study passes through here."""

from __future__ import annotations

import html
import json
import re
from typing import Any

# HTML forbids these, and lone surrogates cannot be encoded at all
_UNPRINTABLE = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\ud800-\udfff]")


def esc(text: object) -> str:
    """`text` for element content and quoted attributes alike."""
    return html.escape(_printable(text), quote=True)


def prose(text: str) -> str:
    """`text` for element content, with words in `backticks` set as code."""
    return re.sub(r"`([^`]+)`", r"<code>\1</code>", esc(text))


def script_json(value: Any) -> str:
    """Compact JSON that cannot end or confuse the script element it stands in."""
    text = json.dumps(value, allow_nan=False, ensure_ascii=False, separators=(",", ":"))
    for character in "<>&\u2028\u2029":
        text = text.replace(character, f"\\u{ord(character):04x}")
    return _printable(text)


def shorten(text: str, most: int) -> str:
    """`text` with its middle left out where it is longer than `most` characters: both ends tell layers apart."""
    if len(text) <= most:
        return text
    front = (most - 1) // 2
    return f"{text[:front]}…{text[len(text) - (most - 1 - front) :]}"


def anchor_name(kind: str, name: str) -> str:
    """`kind-name` as an identifier on the page, which must hold no space; the same for the same name."""
    return f"{kind}-{'-'.join(_printable(name).split())}"


def coordinate(value: int | float) -> str:
    """A drawing coordinate with one decimal, which is finer than a screen's pixel."""
    text = f"{value:.1f}"
    return text[:-2] if text.endswith(".0") else text


def _printable(text: object) -> str:
    return _UNPRINTABLE.sub("\ufffd", str(text))
