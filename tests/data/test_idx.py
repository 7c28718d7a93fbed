"""The idx reader on files made here: sound ones, and every way of being broken."""

from __future__ import annotations

import gzip
import hashlib
import struct

import numpy as np
import pytest

from caltrop.data.idx import read_idx


def idx_bytes(values: np.ndarray, kind: int = 0x08) -> bytes:
    header = bytes([0, 0, kind, values.ndim]) + struct.pack(f">{values.ndim}I", *values.shape)
    return header + values.astype(np.uint8).tobytes()


@pytest.fixture
def values() -> np.ndarray:
    return np.arange(24, dtype=np.uint8).reshape(2, 3, 4)


@pytest.mark.parametrize("name", ["plain", "zipped.gz", "zipped-without-suffix"])
def test_plain_and_gzipped_files_hold_the_same(tmp_path, values, name):
    content = idx_bytes(values)
    path = tmp_path / name
    path.write_bytes(gzip.compress(content) if "zipped" in name else content)
    file = read_idx(path)
    np.testing.assert_array_equal(file.values, values)
    assert file.sha256 == hashlib.sha256(content).hexdigest()


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (lambda content: b"", "not an idx file: it starts with nothing"),
        (lambda content: b"PK\x03\x04" + content, "not an idx file: it starts with 50 4b 03 04"),
        (lambda content: content[:2] + b"\x0d" + content[3:], "element type 0x0d"),
        (lambda content: content[:3] + b"\0" + content[4:], "0 axes"),
        (lambda content: content[:9], "ends inside its own header"),
        (lambda content: content[:-1], r"holds 39 bytes, but its header \(axes \(2, 3, 4\)\) promises 40"),
        (lambda content: content + b"\0", "holds 41 bytes"),
    ],
    ids=["empty", "zip", "float", "no axes", "header cut", "one byte short", "one byte long"],
)
def test_a_broken_file_is_refused_by_name(tmp_path, values, spoil, message):
    path = tmp_path / "train-images"
    path.write_bytes(spoil(idx_bytes(values)))
    with pytest.raises(ValueError, match=message) as caught:
        read_idx(path)
    assert "train-images" in str(caught.value)


@pytest.mark.parametrize("keep", [10, -4, -9], ids=["header only", "checksum cut", "data cut"])
def test_a_truncated_gzip_file_is_refused(tmp_path, values, keep):
    path = tmp_path / "labels.gz"
    path.write_bytes(gzip.compress(idx_bytes(values))[:keep])
    with pytest.raises(ValueError, match=r"labels\.gz is a damaged gzip file"):
        read_idx(path)
