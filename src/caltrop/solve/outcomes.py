"""What became of a seed, in one word."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal, get_args

from torch import Tensor

Outcome = Literal["converged", "zero", "stalled", "step limit", "diverged"]
OUTCOMES: tuple[str, ...] = get_args(Outcome)
# collapsed logits shrink geometrically, those of any other solution are of order 1
ZERO = 1e-6

MEANINGS = {
    "converged": "stationary to the tolerance",
    "zero": "everything has collapsed to zero: nothing is learned",
    "stalled": "no step lowers the loss, and the point is not stationary to the tolerance",
    "step limit": "the steps ran out first",
    "diverged": "the loss left the finite numbers, so that the point is the last finite one",
}


def outcomes(
    largest_output: Tensor, is_diverged: Tensor, is_stationary: Tensor, is_out_of_steps: Tensor
) -> tuple[Outcome, ...]:
    """One word for each seed, the first that is true: diverged, zero, converged, step limit, stalled."""
    flags: Sequence[tuple[Outcome, Tensor]] = (
        ("diverged", is_diverged),
        ("zero", largest_output <= ZERO),
        ("converged", is_stationary),
        ("step limit", is_out_of_steps),
    )
    return tuple(
        next((word for word, flag in flags if bool(flag[place])), "stalled") for place in range(len(is_diverged))
    )
