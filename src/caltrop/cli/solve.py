"""caltrop solve: a problem's closed forms beside what a solver finds, with a certificate."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Annotated, Any

import typer

if TYPE_CHECKING:
    from caltrop.solve import Solution
    from caltrop.theory import Problem

# what click passes through: the problem's own fields
PASSED = {"ignore_unknown_options": True}


def solve(
    problem: Annotated[
        str | None, typer.Argument(metavar="PROBLEM", help="A problem's name; all are listed where none is given.")
    ] = None,
    fields: Annotated[
        list[str] | None, typer.Argument(metavar="--FIELD VALUE ...", help="The problem's own fields.")
    ] = None,
    seeds: Annotated[
        list[int] | None,
        typer.Option("--seeds", metavar="N", help="How many random starts, or their seeds where several [default: 8]."),
    ] = None,
    method: Annotated[
        str | None, typer.Option("--method", metavar="NAME", help="The solver; chosen by the problem where not given.")
    ] = None,
    max_steps: Annotated[int | None, typer.Option("--max-steps", metavar="N", help="Steps of each start.")] = None,
    step_size: Annotated[
        float | None, typer.Option("--step-size", metavar="X", help="Of gradient descent, on samples' features.")
    ] = None,
    init_scale: Annotated[
        float, typer.Option("--init-scale", metavar="X", help="Standard deviation of the starts, times 1/sqrt(dim).")
    ] = 1.0,
    tol: Annotated[float, typer.Option("--tol", metavar="X", help="Largest gradient entry called stationary.")] = 1e-9,
    as_json: Annotated[bool, typer.Option("--json", help="Print strict JSON.")] = False,
) -> None:
    """Solve a theoretical model: closed forms, what a solver finds from many starts, and a certificate.

    \b
    The problem's fields are options: --num-classes 10 --depth 4. Several values make a list, such as one
    weight decay for each layer. `caltrop solve` lists the problems, `caltrop solve PROBLEM` its fields.

    \b
    Examples:
      caltrop solve ufm-cross-entropy --num-classes 10 --dim 16 --weight-decay 5e-3 --feature-decay 1e-3
      caltrop solve ufm-cross-entropy --num-classes 3 --counts 100 10 1 --dim 4 --weight-decay 1e-2 --feature-decay 1e-4
      caltrop solve deep-ufm-mse --num-classes 10 --depth 4 --dim 20 --weight-decay 4e-3 --feature-decay 4e-3
      caltrop solve deep-ufm-cross-entropy --num-classes 6 --depth 3 --dim 8 \\
        --weight-decay 1e-3 --feature-decay 1e-3 --json

    \b
    --json prints {"optimal_value", "lower_bound", "families", "solutions", "certificate", ...}.
    """
    from caltrop.cli.problem_fields import read_problem
    from caltrop.rows import to_json
    from caltrop.solve import solve as solved
    from caltrop.theory import names

    if problem is None:
        print("\n".join(names()))
        return
    model = read_problem(problem, fields or [])
    chosen: Any = 8 if not seeds else seeds[0] if len(seeds) == 1 else tuple(seeds)
    found = solved(
        model,
        seeds=chosen,
        method=method,
        max_steps=max_steps,
        step_size=step_size,
        scale=init_scale,
        tol=tol,
        progress=True,
    )
    told = told_as(problem, model, found)
    print(to_json(told) if as_json else table(told))


def told_as(name: str, problem: Problem, found: Solution) -> dict[str, Any]:
    """Everything as plain values."""
    from dataclasses import asdict

    certificate = found.certificate
    solved = found.as_dict()
    best = found.best
    return {
        "problem": {"name": name, **asdict(problem)},  # type: ignore[call-overload]
        "optimal_value": problem.optimal_value,
        "lower_bound": max(problem.lower_bound, found.lower_bound),
        "families": {family: point.value for family, point in problem.families().items()},
        "zero_families": [family for family, point in problem.families().items() if point.is_zero],
        "missing_families": _missing(problem),
        "solutions": solved["seeds"],
        "best": None if best is None else best.value,
        "is_zero": None if best is None else best.is_zero,
        "method": solved["method"],
        "seconds": solved["seconds"],
        "certificate": None if certificate is None else certificate.as_dict(),
    }


def _missing(problem: Problem) -> dict[str, str]:
    """Families of its kind that do not exist at these sizes, and why."""
    missing = {}
    for family in getattr(problem, "family_names", ()):
        try:
            getattr(problem, "family")(family)  # noqa: B009 - the protocol does not promise it
        except ValueError as error:
            missing[family] = str(error).partition(": ")[2]
    return missing


def table(told: dict[str, Any]) -> str:
    """The same for people: closed form, solver and certificate side by side."""
    lines = [f"{'closed form':<34}{'value':>22}"]
    known = told["optimal_value"]
    lines.append(_line("global optimum", "unknown" if known is None else f"{known:.12f}"))
    lines.append(_line("nothing lies below", f"{told['lower_bound']:.12f}"))
    for family, value in told["families"].items():
        what = " (zero: beyond its threshold)" if family in told["zero_families"] else ""
        lines.append(_line(f"family {family}", f"{value:.12f}{what}"))
    lines += [f"  no {family}: {why}" for family, why in told["missing_families"].items()]
    lines += ["", f"{'solver':<34}{'value':>22}  outcome, structure"]
    lines += _starts(told)
    if told["is_zero"]:
        lines += ["", "The best point is zero: the penalties are beyond the threshold, so that nothing is learned."]
    certificate = told["certificate"]
    if certificate is not None:
        lines += ["", "certificate of the best start"]
        lines += [f"  proved: {sentence}" for sentence in certificate["proves"]]
        lines += [f"  not proved: {sentence}" for sentence in certificate["does_not_prove"]]
    return "\n".join(lines)


def _line(what: str, value: str) -> str:
    return f"  {what:<32}{value:>22}" if len(value) <= 22 else f"  {what:<32}{value:>50}"


def _starts(told: dict[str, Any]) -> list[str]:
    """Starts that ended alike, to ten digits, are one line."""
    alike: Counter[tuple[str, str, str]] = Counter()
    for start in told["solutions"]:
        value = "–" if start["value"] is None else f"{start['value']:.10f}"
        alike[value, start["outcome"], start["structure"] or ""] += 1
    total = len(told["solutions"])
    lines = []
    for (value, outcome, name), count in sorted(alike.items(), key=lambda entry: (entry[0][0] == "–", entry[0][0])):
        lines.append(f"  {f'{count} of {total} starts':<32}{value:>22}  {', '.join(filter(None, (outcome, name)))}")
    return lines
