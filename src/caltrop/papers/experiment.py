"""An experiment: one paper as data, in three scales."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field, is_dataclass
from typing import Any

from caltrop.papers.claim import Claim
from caltrop.papers.session import Session
from caltrop.rows import Chart, ClassValues, Picture, Row

SCALES = ("smoke", "desk", "paper")
_NAME = re.compile(r"[a-z][a-z0-9_]*")


@dataclass(frozen=True)
class Case:
    """One configuration of a sweep, called `name` (None where there is one only)."""

    config: Any
    name: str | None = None


@dataclass(frozen=True)
class Outcome:
    """What one run of an experiment gives: rows, and the conditions under which claims may be judged."""

    rows: Sequence[Row]
    conditions: Mapping[str, float | int | str | bool | None]
    clock: str | None = None
    notes: tuple[str, ...] = ()
    per_class: tuple[ClassValues, ...] = ()
    pictures: tuple[Picture, ...] = ()
    facts: Mapping[str, Any] = field(default_factory=dict)


def one_case(config: Any) -> tuple[Case, ...]:
    """The configuration itself as the only case."""
    return (Case(config),)


@dataclass(frozen=True)
class Experiment:
    """One paper: how it is run at each scale, and what it claims.

    name
        author-year-word, as in `caltrop run NAME`.
    title, citation
        What a reader sees; facts only.
    configs
        A frozen dataclass for each scale: "smoke" (under 20 s), "desk" (under 10 min), "paper".
    seeds
        The default seeds of each scale.
    cost
        What a scale costs, in words.
    run
        A function of a module (workers import it by name): `run(config, session) -> Outcome`, for one case and
        one seed. It must depend on nothing but its arguments.
    claims
        What is judged.
    charts
        The paper's figure, as data.
    remarks
        What a reader of the verdicts must know: choices of ours, and where they stop.
    cases
        Splits a configuration into the cases of a sweep; their configurations may be of classes of their own, so that
        changing one part leaves the finished cells of the others alone.
    glosses
        One sentence for each measure of its rows that no registry knows.
    """

    name: str
    title: str
    citation: str
    configs: Mapping[str, Any]
    seeds: Mapping[str, tuple[int, ...]]
    cost: Mapping[str, str]
    run: Callable[[Any, Session], Outcome]
    claims: tuple[Claim, ...]
    charts: tuple[Chart, ...] = ()
    remarks: tuple[str, ...] = ()
    cases: Callable[[Any], tuple[Case, ...]] = one_case
    glosses: Mapping[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if not _NAME.fullmatch(self.name):
            raise ValueError(f"name={self.name!r} must be lower-case letters and digits, such as author2024word.")
        for scale in SCALES:
            config = self.configs.get(scale)
            frozen = is_dataclass(config) and getattr(type(config), "__dataclass_params__").frozen  # noqa: B009
            if not frozen or not self.seeds.get(scale) or not self.cost.get(scale):
                raise ValueError(
                    f"experiment {self.name} has no whole scale '{scale}': configs, seeds and cost must each hold "
                    f"{', '.join(SCALES)}, and a configuration must be a frozen dataclass."
                )
        ids = [claim.id for claim in self.claims]
        foreign = [id for id in ids if not id.startswith(f"{self.name}/")]
        if foreign or len(set(ids)) != len(ids):
            raise ValueError(f"claims of {self.name} must be called {self.name}/…, each once; given {ids}.")

    def config(self, scale: str) -> Any:
        """The configuration of a scale; an unknown one is a KeyError that lists the three."""
        if scale not in SCALES:
            raise KeyError(f"{self.name} has no scale '{scale}'; scales are {', '.join(SCALES)}.")
        return self.configs[scale]


def plain(config: Any) -> dict[str, Any]:
    """A configuration as plain JSON: tuples become lists, nested dataclasses dicts."""
    out: dict[str, Any] = _listed(asdict(config))
    return out


def _listed(value: Any) -> Any:
    if isinstance(value, dict):
        return {str(key): _listed(entry) for key, entry in value.items()}
    return [_listed(entry) for entry in value] if isinstance(value, tuple | list) else value
