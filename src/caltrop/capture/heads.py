"""Which module is the last linear layer: found by following the model's output backwards, or named."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from caltrop.capture.lineage import Node
from caltrop.capture.names import ROOT, nearest, without_wrappers
from caltrop.capture.trace import Call, Trace


@dataclass(frozen=True)
class Found:
    """The call of the head, or why there is none; `notes` are sentences for the reader."""

    call: Call | None
    why_not: str | None = None
    notes: tuple[str, ...] = ()


def find_head(trace: Trace) -> Found:
    """The linear layer whose output, pooled or reshaped, is the model's output. Never a guess between two."""
    if not trace.scores:
        return Found(None, "the model returns no tensor of scores [samples, classes]; pass head=")
    candidates: list[Call] = []
    blocked = ""
    for seen in trace.scores:
        found, blocker = _linear_origins(seen.node)
        candidates += [call for call in found if call not in candidates]
        blocked = blocked or blocker
    if not candidates:
        return Found(None, f"the model's output comes from {blocked}; pass head= to name a linear layer inside")
    last, earlier = _most_downstream(sorted(candidates, key=lambda call: call.start))
    names = list(dict.fromkeys(call.name for call in last))
    if len(names) > 1:
        count = {2: "two", 3: "three"}.get(len(names), str(len(names)))
        return Found(None, f"{count} candidate heads: {', '.join(names)}; pass head=")
    if blocked and len(trace.scores) == 1:
        return Found(None, f"the model's output joins {names[0]} with {blocked}; pass head={names[0]!r} if it is meant")
    call = max(last, key=lambda call: call.end)
    notes = [f"The head is {_described(call)}: its output is the model's output. Pass head= to choose another."]
    notes += [
        f"{name} also returns an output of the model, but the head is computed from it."
        for name in dict.fromkeys(call.name for call in earlier)
    ]
    return Found(call, None, (*notes, *_repeated(trace, call)))


def named_head(trace: Trace, request: str, known: Iterable[str]) -> Found:
    """The head the user named.

    Raises:
        ValueError: no such module, not run, or not linear.
    """
    known = list(known)
    name = request if request in known else without_wrappers(request, known)
    if name not in known:
        raise ValueError(f"there is no module {request!r} to be the head; {nearest(name, known)}.")
    calls = trace.of(name)
    if not calls:
        raise ValueError(f"the head {name!r} did not run in the model's forward; name a layer that does.")
    call = calls[-1]
    if call.form is None:
        inner = _linear_origins(call.returned.node)[0] if call.returned is not None else []
        inner = [candidate for candidate in inner if candidate in set(call.inside())]
        if len({candidate.name for candidate in inner}) != 1:
            raise ValueError(
                f"the head {name!r} is a {type(call.module).__name__}, not a linear layer or 1×1 convolution "
                "whose output is W x + b. Name such a layer, or measure without a head."
            )
        call = inner[-1]
    note = f"The head is {_described(call)}, as asked."
    return Found(call, None, (note, *_repeated(trace, call)))


def _described(call: Call) -> str:
    kind = type(call.module).__name__
    return f"{call.name} ({'1×1 ' if call.form == 'conv' else ''}{kind})"


def _repeated(trace: Trace, call: Call) -> tuple[str, ...]:
    times = trace.times[call.name]
    if times == 1:
        return ()
    return (f"The head {call.name} ran {times} times in one forward; call #{call.turn} is measured.",)


def _linear_origins(start: Node) -> tuple[list[Call], str]:
    """Linear calls whose scores reach `start`, and what stood in the way on any path that has none."""
    found: list[Call] = []
    blocked = ""
    seen: set[int] = set()
    waiting = [start]
    while waiting:
        node = waiting.pop()
        if id(node) in seen:
            continue
        seen.add(id(node))
        linear = [call for call in node.made_by if call.form is not None]
        if linear:
            found.append(linear[0])
            continue
        carriers = node.carriers()
        if not carriers:
            blocked = blocked or _origin(node)
        waiting.extend(carriers)
    return found, blocked


def _origin(node: Node) -> str:
    leaves = [call for call in node.made_by if not call.children and call.name != ROOT]
    if leaves:
        return f"{leaves[0].name} (a {type(leaves[0].module).__name__}, which is not linear)"
    if node.op in ("addmm", "mm", "bmm", "linear", "convolution", "matmul"):
        return f"a matrix product outside any linear module (operation {node.op})"
    if node.op == "given":
        return "a tensor that was there before the forward"
    return f"the operation {node.op}"


def _most_downstream(candidates: list[Call]) -> tuple[list[Call], list[Call]]:
    """Candidates that no other candidate is computed from, and the rest."""
    above: set[int] = set()
    for call in candidates:
        if call.received is not None:
            above |= {id(node) for node in call.received.node.ancestors()}
    earlier = [c for c in candidates if c.returned is not None and id(c.returned.node) in above]
    return [call for call in candidates if call not in earlier], earlier
