"""A little run, for the tests of records: three seeds, rows that are not all finite, values per class, a picture."""

from __future__ import annotations

import math
from dataclasses import replace

from caltrop.record import CellRecord, Planned, Record
from caltrop.rows import Chart, ClassValues, Picture, Row, Rows

PLANNED = tuple(Planned(f"key{seed}", None, seed, {"depth": 3, "rate": 0.1}) for seed in (0, 1, 2))
RUN = Record(
    "author2020word", "desk", "A title", {"depth": 3, "rate": 0.1}, PLANNED, charts=(Chart("loss", says="a chart"),)
)


def cell(seed=0, **changes):
    rows = [
        Row("", "loss", "L", 1 / 3, seed=seed, split="train", step=1),
        Row("", "loss", "L", math.nan, seed=seed, split="train", step=2, reason="undefined"),
        Row("", "loss", "L", math.inf, seed=seed, split="train", step=3, reason="infinite: it diverged"),
        Row("", "training_error", "", 0.25, seed=seed, split="train", step=1),
    ]
    made = CellRecord(
        "author2020word",
        "desk",
        f"key{seed}",
        None,
        seed,
        {"depth": 3, "rate": 0.1},
        Rows.of(rows),
        preconditions={"training_error": 0.0, "weight_decay_time": 5.5},
        provenance={"torch": "2", "seconds": 3.0 + seed},
        clock="epoch",
        notes=("The same.", f"Only of {seed}."),
        per_class=(ClassValues("", "loss", {0: 1.0}),),
        pictures=(Picture("a", (0, 1), ((1.0, -1.0), (-1.0, 1.0)), ((1.0,), (-1.0,)), (1.0,)),),
    )
    return replace(made, **changes)


def digits(rows):
    return [repr(row) for row in rows]
