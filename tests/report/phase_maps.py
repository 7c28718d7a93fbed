"""Made-up phase maps, small enough to know where everything must lie."""

from __future__ import annotations

import math

from caltrop.rows import MapLine, PhaseMap

WINNERS = PhaseMap(
    title="4 classes",
    across="penalty λ",
    up="depth L",
    columns=(1e-4, 1e-3, 1e-2, 1e-1),
    rows=(1.0, 2.0),
    categories=(("simplex", "simplex", "simplex", "zero"), ("pairs", "pairs", "zero", "zero")),
    numbers={
        "least loss": ((0.1, 0.2, 0.3, 0.69), (0.05, 0.15, 0.69, 0.69)),
        "simplex": ((0.1, 0.2, 0.3, 0.69), (0.07, 0.18, 0.69, math.nan)),
    },
    lines=(
        MapLine("exists", (10**-1.5, 10**-2.5), "below it, collapse exists"),
        MapLine("ties", (10**-2.5, math.nan), "below it, collapse is better"),
    ),
    says="Which family has the least loss.",
    group="A model",
)
SHARES = PhaseMap(
    title="4 classes, solved",
    across="penalty λ",
    up="width d",
    columns=(1e-3, 1e-2),
    rows=(8.0, 16.0, 32.0),
    numbers={
        "share": ((0.0, 0.5), (0.25, math.nan), (1.0, 0.75)),
        "low": ((0.0, 0.2), (0.1, math.nan), (0.7, 0.5)),
        "high": ((0.3, 0.8), (0.5, math.nan), (1.0, 0.9)),
        "starts: pairs": ((12.0, 6.0), (9.0, 0.0), (0.0, 3.0)),
    },
    shown="share",
    between=("low", "high"),
    lines=(MapLine("ties", (10**-2.25,) * 3),),
    says="How often descent ends in collapse.",
    group="A model",
)
