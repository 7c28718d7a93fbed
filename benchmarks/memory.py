"""Whether memory depends on the number of samples."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import caltrop
from benchmarks import stream
from benchmarks.cases import MEASURES, Case
from benchmarks.meters import private_peak


def peaks(case: dict[str, Any], folder: str) -> dict[str, Any]:
    """Private memory above the start, in MiB, of two passes over features mapped from a file."""
    data = stream.read(Case(**case), Path(folder))
    features = data.mapped()
    caltrop.measure(features[:500], data.labels[:500] % 4, measures=MEASURES)

    def work() -> None:
        # the peak is sampled: three times the work is three chances to see it
        for _ in range(3):
            caltrop.measure(
                features,
                data.labels,
                weights=data.weights,
                bias=data.bias,
                num_classes=data.case.classes,
                measures=MEASURES,
            )

    return {"samples": data.case.samples, "private_mib": private_peak(work)}
