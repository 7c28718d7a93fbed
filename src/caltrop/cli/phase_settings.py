"""What `caltrop phase` draws and solves of each problem where nothing else is said, and how."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

CLASSES = (2, 4, 6, 10)
DEPTHS = (1, 2, 3, 4, 5, 6, 7, 8)
# eight a decade, from 1e-5 to 1
DECAYS = tuple(10 ** (place / 8 - 5) for place in range(41))

MOST_STEPS = 200_000


@dataclass(frozen=True)
class Setting:
    """One problem.

    heading, says
        Of its maps; `solved` is the caption of the solved one, with "starts", "scale" and "steps" to fill in.
    at
        Classes and depth of the solved part.
    widths, decays, starts
        Its widths as multiples of the classes, its penalties, and the number of starts.
    steps_per_decay
        Steps of gradient descent times the least penalty, up to `MOST_STEPS`; None for as many as the solver takes.
    options
        Further arguments of `prevalence`.
    """

    heading: str
    says: str
    solved: str
    at: tuple[int, int]
    widths: tuple[float, ...]
    decays: tuple[float, ...]
    starts: int
    steps_per_decay: float | None = None
    options: Mapping[str, Any] = field(default_factory=dict)

    def dims(self, classes: int) -> tuple[int, ...]:
        """The widths of the solved part where none are asked for."""
        return tuple(round(classes * width) for width in self.widths)

    def steps(self, decays: tuple[float, ...]) -> int | None:
        """How many steps a start takes; None where that is the solver's affair."""
        if self.steps_per_decay is None:
            return None
        return min(round(self.steps_per_decay / min(decays)), MOST_STEPS)

    def notes(self, name: str, decays: tuple[float, ...]) -> tuple[str, ...]:
        """What a reader must know of these penalties."""
        least = 0.0 if self.steps_per_decay is None else self.steps_per_decay / MOST_STEPS
        if min(decays) >= least:
            return ()
        return (
            f"{name}: at penalties below {least:.2g}, {MOST_STEPS:,} steps are too few for every start that goes to "
            "collapse to be recognised; the shares there may be too low.",
        )


_LEAST = (
    "Of the families that are known in closed form, the one with the least loss. Every family is an upper bound of the "
    "optimum: lower points may exist. All penalties are equal, each class has one sample, and the width has room for "
    "every family."
)
_SHARE = (
    "The share of {starts} random starts that end in collapse, with its exact binomial 95 % interval. How often that "
    "is depends on the starts and the method, not on the model alone: normal entries of standard deviation {scale}/√d, "
)
SETTINGS = {
    "deep-ufm-cross-entropy": Setting(
        heading="Deep linear features model, cross-entropy",
        says=f"{_LEAST} Collapse (DNC) is the simplex. With K ≥ 4 classes it is a local minimum as long as the scale "
        "of its logits is at least K(L−1)/(L+1).",
        solved=_SHARE + "L-BFGS and Newton’s method.",
        at=(6, 2),
        widths=(1.0, 4 / 3, 2.0, 4.0, 8.0),
        decays=(1e-4, 1e-3, 1e-2, 5e-2),
        starts=24,
        options={"scale": 1.0},
    ),
    "deep-ufm-mse": Setting(
        heading="Deep ReLU features model, squared error",
        says=f"{_LEAST} Collapse (DNC) is dnc. The family srg is no critical point, so that something lies below it.",
        solved=_SHARE + "{steps} steps of gradient descent of size 0.5.",
        at=(6, 4),
        widths=(4 / 3, 2.0, 4.0, 8.0),
        decays=(4e-3, 6e-3, 8e-3, 1.2e-2),
        starts=12,
        # kinks settle late: with half as many steps starts that go to collapse are not yet recognised
        steps_per_decay=160.0,
        # larger starts can diverge at this step size
        options={"method": "gradient-descent", "polish": False, "scale": 0.6, "step_size": 0.5},
    ),
}
