"""How fast, how large and how exact: caltrop against a textbook implementation and the machine's own limits.

Run `python -m benchmarks` (minutes) or `python -m benchmarks --smoke` (seconds). Nothing here gates a build.
"""

from __future__ import annotations

import os

# One thread, here and in every child: set before anything loads linear algebra.
for _limit in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "VECLIB_MAXIMUM_THREADS"):
    os.environ[_limit] = "1"
