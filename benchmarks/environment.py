"""What numbers depend on, and nothing that names a machine."""

from __future__ import annotations

import os
import platform
from datetime import UTC, datetime
from importlib import metadata
from pathlib import Path
from typing import Any

import numpy as np
import torch

QUIET = 0.5
FLAGS = ("avx2", "avx512f", "amx_tile", "asimd")


def environment() -> dict[str, Any]:
    """Versions, linear algebra, processor family."""
    config: Any = np.show_config(mode="dicts")
    blas = config.get("Build Dependencies", {}).get("blas", {})
    return {
        "python": platform.python_version(),
        "system": f"{platform.system()} {platform.machine()}",
        **{name: metadata.version(name) for name in ("caltrop", "torch", "numpy", "scipy")},
        "blas_numpy": f"{blas.get('name', 'unknown')} {blas.get('version', '')}".strip(),
        "blas_torch": "MKL" if "mkl" in torch.__config__.show().lower() else "other",
        "processor": processor(),
        "cores": os.cpu_count(),
        "threads": 1,
        "date": datetime.now(UTC).date().isoformat(),
    }


def processor() -> str:
    """Vendor, family and vector units, or the bare architecture."""
    try:
        text = Path("/proc/cpuinfo").read_text(encoding="utf-8")
    except OSError:
        return platform.processor() or platform.machine()
    lines = (line.partition(":") for line in text.splitlines())
    facts = {name.strip(): value.strip() for name, colon, value in lines if colon}
    units = [flag for flag in FLAGS if flag in facts.get("flags", facts.get("Features", "")).split()]
    named = [facts.get("vendor_id", platform.machine()), f"family {facts.get('cpu family', 'unknown')}"]
    return ", ".join([" ".join(named), *units])


def load_per_core() -> float | None:
    """Processes that want to run, per core, over the last minute; None where the system does not say."""
    try:
        return os.getloadavg()[0] / (os.cpu_count() or 1)
    except OSError:
        return None
