"""Files of torch.save, read without running any code that they carry."""

from __future__ import annotations

import pickle
import re
import warnings
from pathlib import Path
from typing import Any

import torch


def read_pickle(path: Path) -> Any:
    """Whatever torch.save put into `path`, tensors memory-mapped on the CPU where the format allows it.

    Raises:
        ValueError: the file asks to run code on loading, or is truncated or damaged.
    """
    try:
        with warnings.catch_warnings():
            # torch warns of other pickle protocols before it refuses or reads them; the outcome says enough
            warnings.filterwarnings("ignore", message="Detected pickle protocol")
            return torch.load(path, map_location="cpu", weights_only=True, mmap=_is_zip(path))
    except pickle.UnpicklingError as error:
        raise ValueError(_why_refused(path, str(error))) from error
    except OSError:
        raise
    # torch leaks whatever its unpickler stumbles over (KeyError, IndexError, AttributeError, …)
    except Exception as error:
        raise ValueError(f"{path} cannot be read: it is truncated or damaged, or not of torch.save.") from error


def _is_zip(path: Path) -> bool:
    # files from before torch 1.6 are bare pickles, which cannot be memory-mapped
    with path.open("rb") as file:
        return file.read(2) == b"PK"


def _why_refused(path: Path, message: str) -> str:
    found = re.search(r"(?:Unsupported global: |unsupported )GLOBAL (\S+)", message)
    if found is None:
        return f"{path} cannot be read: it is truncated or damaged, or asks for more than plain tensors."
    name = found[1].rstrip(".")
    remedy = "Save tensors only: torch.save(model.state_dict(), path), or a dict of tensors."
    if name.startswith("numpy"):
        remedy = "Save tensors instead of NumPy arrays (torch.as_tensor), or use .npz."
    return (
        f"{path} asks to unpickle code ({name}), which could run anything and is therefore refused "
        f"(weights_only). {remedy}"
    )
