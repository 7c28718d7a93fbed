"""A small experiment of a user's own: a sequence that halves, over seeds and cases, with a point after every step."""

from __future__ import annotations

import os
import signal
import time
from dataclasses import dataclass

from caltrop.papers import Case, Claim, Experiment, Outcome, Precondition, at_most, over_seeds
from caltrop.papers.experiment import one_case
from caltrop.rows import Chart, Row, Rows, to_json

NAME = "toy2020halving"


@dataclass(frozen=True)
class ToyConfig:
    steps: int = 4
    start: float = 1.0
    depths: tuple[int, ...] = ()
    depth: int = 0
    fails: tuple[int, ...] = ()
    dies: tuple[int, ...] = ()
    seconds: float = 0.0
    log: str = ""


def run(config, session):
    if session.seed in config.fails:
        raise FloatingPointError("the loss is nan in epoch 3")
    if session.seed in config.dies:
        os.kill(os.getpid(), signal.SIGKILL)
    state = session.checkpoint.load() or {"step": 0, "value": config.start * (1 + session.seed), "rows": []}
    for step in range(state["step"] + 1, config.steps + 1):
        value = state["value"] / 2
        time.sleep(config.seconds)
        if config.log:  # one line for each step that was computed, whoever computed it
            with open(config.log, "a") as file:
                file.write(f"{config.depth} {session.seed} {step}\n")
        state = {"step": step, "value": value, "rows": [*state["rows"], value]}
        session.checkpoint.save(state, done=step, total=config.steps)
    rows = [
        Row("", "loss", "L", value, origin="solved", seed=session.seed, split="train", step=step)
        for step, value in enumerate(state["rows"], 1)
    ]
    return Outcome(
        rows, {"steps": config.steps}, clock="iteration", notes=(f"{config.steps} steps",), facts={"network": "none"}
    )


def by_depth(config):
    if not config.depths:
        return one_case(config)
    return tuple(
        Case(ToyConfig(**{**vars(config), "depths": (), "depth": depth}), f"depth={depth}") for depth in config.depths
    )


def enough_steps(evidence):
    return evidence.unmet("steps", lambda steps: steps >= 3, "only {value} steps")


LOSS = {"measure": "loss", "layer": "", "split": "train"}
CLAIMS = (
    Claim(
        id=f"{NAME}/ends-small",
        says="The loss ends below a half.",
        where="abstract",
        quantity=over_seeds(Rows.last, case=None, **LOSS),
        computes="the last loss",
        expected=at_most(0.5),
        threshold="ours",
        origin="solved",
        requires=(Precondition("at least three steps", enough_steps),),
        charts=(("", "loss"),),
    ),
    Claim(
        id=f"{NAME}/is-zero",
        says="The loss ends at zero.",
        where="section 2",
        quantity=over_seeds(Rows.last, case=None, **LOSS),
        computes="the last loss",
        expected=at_most(0),
        threshold="the statement itself",
        origin="solved",
        charts=(("", "loss"),),
    ),
    Claim(
        id=f"{NAME}/unknown",
        says="Something that nobody measured holds.",
        where="section 3",
        quantity=lambda evidence: evidence.rows.where(measure="accuracy").last(),
        computes="accuracy",
        expected=at_most(1),
        threshold="ours",
        origin="solved",
    ),
)


def experiment(**changes):
    return Experiment(
        **{
            "name": NAME,
            "title": "Halving, again and again",
            "citation": "A. User: Halving. Journal of Toys (2020)",
            "configs": {"smoke": ToyConfig(), "desk": ToyConfig(steps=6), "paper": ToyConfig(steps=20)},
            "seeds": {"smoke": (0,), "desk": (0, 1, 2), "paper": (0, 1, 2)},
            "cost": {"smoke": "seconds", "desk": "seconds", "paper": "seconds"},
            "run": run,
            "claims": CLAIMS,
            "charts": (Chart("loss", "", says="The loss"),),
            "cases": by_depth,
            **changes,
        }
    )


def digits(record):
    """All cells as they lie on disk, every digit, but for where and how long they were computed."""
    return [to_json({**cell.as_dict(), "provenance": None}) for cell in record.cells]
