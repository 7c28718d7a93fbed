"""The idx format of the MNIST family: a big-endian header, then unsigned bytes."""

from __future__ import annotations

import gzip
import hashlib
import math
import zlib
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from jaxtyping import UInt8

# Header: two zero bytes, the element type, the number of axes, then one 32-bit size per axis.
_UNSIGNED_BYTE = 0x08
_GZIP_MAGIC = b"\x1f\x8b"
_REMEDY = "Fetch the file again, or give another folder."


@dataclass(frozen=True)
class IdxFile:
    """The array of one idx file, and the SHA-256 of its unpacked bytes (hex)."""

    values: UInt8[np.ndarray, "..."]
    sha256: str


def read_idx(path: Path) -> IdxFile:
    """Read an idx file of unsigned bytes, gzipped or plain (told apart by content, not by suffix).

    Raises ValueError where the file is not gzip after all, is not idx, holds another element type, or is
    shorter or longer than its header says.
    """
    content = _unpacked(path)
    return IdxFile(_parse(content, path.name), hashlib.sha256(content).hexdigest())


def _unpacked(path: Path) -> bytes:
    content = path.read_bytes()
    if not content.startswith(_GZIP_MAGIC):
        return content
    try:
        return gzip.decompress(content)
    except (EOFError, zlib.error, gzip.BadGzipFile) as problem:
        raise ValueError(f"{path.name} is a damaged gzip file ({problem}). {_REMEDY}") from problem


def _parse(content: bytes, name: str) -> UInt8[np.ndarray, "..."]:
    if len(content) < 4 or content[:2] != b"\0\0":
        raise ValueError(
            f"{name} is not an idx file: it starts with {content[:4].hex(' ') or 'nothing'}, "
            "an idx file of bytes with 00 00 08 and its number of axes."
        )
    kind, num_axes = content[2], content[3]
    if kind != _UNSIGNED_BYTE or num_axes == 0:
        raise ValueError(
            f"{name} is an idx file of element type 0x{kind:02x} with {num_axes} axes; "
            "only unsigned bytes (0x08) with at least one axis can be read."
        )
    start = 4 + 4 * num_axes
    if len(content) < start:
        raise ValueError(f"{name} ends inside its own header: it is truncated. {_REMEDY}")
    shape = tuple(int(size) for size in np.frombuffer(content[4:start], dtype=">u4"))
    promised = start + math.prod(shape)
    if len(content) != promised:
        raise ValueError(
            f"{name} holds {len(content)} bytes, but its header (axes {shape}) promises {promised}: "
            f"it is truncated or damaged. {_REMEDY}"
        )
    return np.frombuffer(content, dtype=np.uint8, offset=start).reshape(shape)
