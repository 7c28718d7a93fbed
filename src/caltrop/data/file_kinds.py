"""Is a file what its suffix says? Decided from its first bytes, before anything parses it."""

from __future__ import annotations

import zipfile
from pathlib import Path

SUFFIXES = {
    ".npz": "npz",
    ".npy": "npy",
    ".pt": "pt",
    ".pth": "pt",
    ".ckpt": "pt",
    ".safetensors": "safetensors",
    ".h5": "h5",
    ".hdf5": "h5",
}
WORDS = {
    "npz": "a NumPy archive (.npz)",
    "npy": "a NumPy array (.npy)",
    "pt": "a file of torch.save (.pt)",
    "safetensors": "a safetensors file",
    "h5": "an HDF5 file (.h5)",
    "zip": "a zip archive, but neither of NumPy's nor of torch's",
    "empty": "empty",
    "other": "in no format that can be read here",
}


def kind_of(path: Path) -> str:
    """The format that the suffix of `path` names, once the file's first bytes agree.

    Raises:
        FileNotFoundError: there is no such file.
        IsADirectoryError: it is a folder.
        ValueError: the suffix is unknown, the file is empty, or it holds something else.
    """
    if path.is_dir():
        raise IsADirectoryError(f"{path} is a folder; give a file ({', '.join(SUFFIXES)}).")
    if not path.exists():
        raise FileNotFoundError(f"there is no file {path}.{_nearest(path)}")
    named = SUFFIXES.get(path.suffix.lower())
    if named is None:
        raise ValueError(f"{path} has the suffix {path.suffix or '(none)'}; readable are {', '.join(SUFFIXES)}.")
    found = _sniff(path)
    if found == "empty":
        raise ValueError(f"{path} is empty (0 bytes).")
    # a zip whose directory is gone still starts like one: let the reader say that it is truncated
    if found != named and not (found == "cut zip" and named in ("npz", "pt")):
        raise ValueError(
            f"{path} is not what its suffix says: it is {WORDS.get(found, WORDS['zip'])}, not {WORDS[named]}."
        )
    return named


def _sniff(path: Path) -> str:
    with path.open("rb") as file:
        head = file.read(16)
    if not head:
        return "empty"
    if head.startswith(b"\x93NUMPY"):
        return "npy"
    if head.startswith(b"\x89HDF\r\n\x1a\n"):
        return "h5"
    if head.startswith(b"PK"):
        return _kind_of_zip(path)
    # protocol 2 is what torch wrote before it used zip archives; later protocols are plain pickles
    if head[0] == 0x80 and 2 <= head[1] <= 5:
        return "pt"
    if len(head) > 8 and head[8:9] == b"{":
        return "safetensors"
    return "other"


def _kind_of_zip(path: Path) -> str:
    try:
        with zipfile.ZipFile(path) as archive:
            names = archive.namelist()
    except (zipfile.BadZipFile, OSError):
        return "cut zip"
    if any(name.endswith("data.pkl") for name in names):
        return "pt"
    return "npz" if all(name.endswith(".npy") for name in names) else "zip"


def _nearest(path: Path) -> str:
    from difflib import get_close_matches

    if not path.parent.is_dir():
        return f" The folder {path.parent} does not exist either."
    near = get_close_matches(path.name, sorted(entry.name for entry in path.parent.iterdir()), n=3)
    return f" Did you mean {' or '.join(near)}?" if near else ""
