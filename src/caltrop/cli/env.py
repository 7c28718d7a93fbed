"""caltrop env: versions, devices, threads."""

from __future__ import annotations

from typing import Annotated

import typer


def env(
    json: Annotated[bool, typer.Option("--json", help="Print strict JSON.")] = False,
) -> None:
    """Print what numbers from this machine depend on: versions, devices, threads, precision.

    \b
    Examples:
      caltrop env
      caltrop env --json
    """
    from caltrop.record import environment
    from caltrop.rows import to_json

    facts = environment()
    if json:
        print(to_json(facts))
        return
    width = max(len(name) for name in facts)
    for name, fact in facts.items():
        shown = "; ".join(fact) if isinstance(fact, list) else "not installed" if fact is None else fact
        print(f"{name:<{width}}  {shown}")
