"""The whole benchmark, part by part, as one record."""

from __future__ import annotations

import dataclasses
import sys
import tempfile
import time
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

from benchmarks.cases import FULL, MOST_FILE, SCHEMES, SMOKE, WARM, Case, left_out
from benchmarks.environment import QUIET, environment, load_per_core
from benchmarks.rows import missing, rounds_of, row, spread, with_ratios

Ask = Callable[..., Any]
VARIABILITIES = (1e-2, 1e-4, 1e-6, 1e-8, 1e-10)
OFFSETS = (0.0, 10.0, 1000.0)
FORMATS = ("float64", "float32", "bfloat16", "float16")


DOUBLED = Case(80_000, 1024, 20)


@dataclasses.dataclass(frozen=True)
class Plan:
    """Sizes of every part."""

    cases: tuple[Case, ...] = FULL
    variabilities: tuple[float, ...] = VARIABILITIES
    offsets: tuple[float, ...] = OFFSETS
    formats: tuple[str, ...] = FORMATS
    doubled: Case = DOUBLED
    in_situ: tuple[tuple[str, str], ...] = (("resnet", "mean"), ("resnet", "flatten"), ("mlp", "auto"))
    in_situ_samples: int = 128
    in_situ_batch: int = 32
    in_situ_rounds: int = 3
    large: tuple[int, int, int] = (30_000, 1024, 9_000)
    ceiling: int = 2048


SMOKE_PLAN = Plan(
    cases=SMOKE,
    variabilities=(1e-6,),
    offsets=(10.0,),
    formats=("float32",),
    doubled=Case(2_000, 64, 4),
    in_situ=(("small resnet", "mean"),),
    in_situ_samples=64,
    in_situ_batch=32,
    in_situ_rounds=1,
    large=(300, 32, 200),
    ceiling=256,
)


def run(plan: Plan, ask: Ask, parts: Iterable[str]) -> dict[str, Any]:
    """The record: environment, load, ceilings, and the parts asked for."""
    chosen = set(parts)
    before, start = load_per_core(), time.perf_counter()
    _say(f"load {before} per core")
    rates = ask("ceilings", size=plan.ceiling)
    record: dict[str, Any] = {"environment": environment(), "ceilings": rates}
    with tempfile.TemporaryDirectory(prefix="caltrop-bench-") as name:
        folder = Path(name)
        ask("write", case=dataclasses.asdict(WARM), folder=str(folder / "warm"), seed=0)
        if "in situ" in chosen:
            record["in_situ"] = _in_situ(plan, ask)
        if "accuracy" in chosen:
            record["accuracy"] = _accuracy(plan, ask)
        if "memory" in chosen:
            record["memory"] = _memory(plan, ask, folder)
        if "classes" in chosen:
            classes, dim, scanned = plan.large
            record["large_classes"] = ask("large classes", classes=classes, dim=dim, scanned=scanned)
        if "speed" in chosen:
            record["rows"] = [entry for case in plan.cases for entry in _speed(case, ask, folder, rates)]
    after = load_per_core()
    loads = [load for load in (before, after) if load is not None]
    record["load"] = {
        "before_per_core": before,
        "after_per_core": after,
        "quiet": bool(loads) and max(loads) <= QUIET,
    }
    record["seconds"] = time.perf_counter() - start
    return record


def _speed(case: Case, ask: Ask, folder: Path, rates: dict[str, float]) -> list[dict[str, Any]]:
    if case.feature_bytes > MOST_FILE:
        reason = f"the feature file would take {case.feature_bytes / 2**30:.0f} GiB"
        return [missing(case, scheme, reason) for scheme in SCHEMES]
    where, fields = folder / "features", dataclasses.asdict(case)
    ask("write", case=fields, folder=str(where), seed=1)
    exact = ask("reference", case=fields, folder=str(where))
    chosen = [scheme for scheme in SCHEMES if left_out(case, scheme) is None]
    answers: dict[str, list[dict[str, Any]]] = {scheme: [] for scheme in chosen}
    nulls: list[float] = []
    # A B A B, not A A B B: whatever else the machine does hits all schemes alike
    for number in range(max(rounds_of(case, scheme) for scheme in chosen)):
        nulls.append(ask("null", case=fields, folder=str(where))["cpu_s"])
        for scheme in chosen:
            if number < rounds_of(case, scheme):
                answer = ask("scheme", case=fields, folder=str(where), warm=str(folder / "warm"), scheme=scheme)
                answers[scheme].append(answer)
                _say(f"{case.name}: {scheme} {answer['cpu_s']:.3f} s")
    null_s = spread(nulls)["median"]
    rows = []
    for scheme in SCHEMES:
        why = left_out(case, scheme)
        rows.append(row(case, scheme, answers[scheme], null_s, exact) if why is None else missing(case, scheme, why))
    return with_ratios(rows, rates)


def _accuracy(plan: Plan, ask: Ask) -> list[dict[str, Any]]:
    cells = [
        {"variability": variability, "offset": offset, "dtype": dtype}
        for dtype in plan.formats
        for variability in plan.variabilities
        for offset in plan.offsets
    ]
    found: list[dict[str, Any]] = ask("accuracy", cells=cells)
    return found


def _memory(plan: Plan, ask: Ask, folder: Path) -> list[dict[str, Any]]:
    found = []
    for times in (1, 2):
        case = dataclasses.replace(plan.doubled, samples=times * plan.doubled.samples)
        fields = dataclasses.asdict(case)
        ask("write", case=fields, folder=str(folder / "doubled"), seed=2)
        mapped = ask("memory", case=fields, folder=str(folder / "doubled"))
        streamed = ask(
            "scheme", case=fields, folder=str(folder / "doubled"), warm=str(folder / "warm"), scheme="two passes"
        )
        found.append({**fields, "mapped_mib": mapped["private_mib"], "streamed_mib": streamed["extra_mib"]})
        _say(f"memory {case.name}: {found[-1]}")
    return found


def _in_situ(plan: Plan, ask: Ask) -> list[dict[str, Any]]:
    found = []
    for network, pool in plan.in_situ:
        answers = [
            ask("in situ", network=network, pool=pool, samples=plan.in_situ_samples, batch=plan.in_situ_batch)
            for _ in range(plan.in_situ_rounds)
        ]
        entry = dict(answers[0])
        for name in list(entry):
            if name.endswith("_cpu_s") and name != "forward_cpu_s" and entry[name] is not None:
                shares = spread([answer[name] / answer["forward_cpu_s"] for answer in answers])
                entry[name.removesuffix("_cpu_s") + "_share"] = shares["median"]
                entry[name.removesuffix("_cpu_s") + "_share_iqr"] = shares["iqr"]
        entry["rounds"] = len(answers)
        found.append(entry)
        _say(f"in situ {network} {pool}: {entry}")
    return found


def _say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)
