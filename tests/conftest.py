"""Shared fixtures. Shapes and types of every annotation in caltrop are checked while tests run."""

from __future__ import annotations

import os

for threads in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ.setdefault(threads, "1")

from jaxtyping import install_import_hook  # noqa: E402

# before anything of caltrop is imported
install_import_hook("caltrop", "beartype.beartype")

import matplotlib  # noqa: E402
import pytest  # noqa: E402
import torch  # noqa: E402
from hypothesis import settings  # noqa: E402

torch.set_num_threads(1)
matplotlib.use("Agg")
# timings never decide a test
settings.register_profile("caltrop", deadline=None)
settings.load_profile("caltrop")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Files with slow tests come first: a long one that starts last keeps one process busy while others wait."""
    slow = {item.path for item in items if item.get_closest_marker("slow")}
    items.sort(key=lambda item: item.path not in slow)
