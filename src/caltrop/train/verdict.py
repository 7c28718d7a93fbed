"""Did the network collapse? The answer in plain sentences, whichever it is."""

from __future__ import annotations

import math
from collections.abc import Sequence

from caltrop.rows import Row

MEASURE = "within_class_variability"
HEAD_INPUT = "head:input"
# What a demonstration must show to speak of collapse; the number is ours, not a theorem's.
_TENFOLD = 10.0


def collapse_sentences(rows: Sequence[Row], *, layer: str = HEAD_INPUT) -> tuple[str, ...]:
    """What became of NC1 of the training images at `layer` between the first epoch and the last.

    The untrained network (epoch 0) is left out: its within-class variability says nothing about training.
    """
    series = {
        row.step: row.value
        for row in rows
        if (row.layer, row.measure, row.split) == (layer, MEASURE, "train") and row.step
    }
    if len(series) < 2:
        return (f"NC1 at {layer} was measured at fewer than two epochs: whether it fell is unknown.",)
    first, last = min(series), max(series)
    before, after = series[first], series[last]
    if not (math.isfinite(before) and math.isfinite(after) and after > 0):
        return (
            f"NC1 at {layer} is {before:.4g} after epoch {first:g} and {after:.4g} after epoch {last:g}: "
            "no ratio can be formed, and collapse is not shown.",
        )
    ratio = before / after
    told = (
        f"NC1 at {layer} (training images) went from {before:.4g} after epoch {first:g} "
        f"to {after:.4g} after epoch {last:g}, "
    )
    if ratio >= _TENFOLD:
        return (told + f"down {ratio:.3g}-fold: collapse by at least tenfold happened.",)
    if ratio > 1:
        return (told + f"down {ratio:.3g}-fold only: collapse by at least tenfold DID NOT happen.",)
    return (told + "it did not fall: collapse DID NOT happen.",)
