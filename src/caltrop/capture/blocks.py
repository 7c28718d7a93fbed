"""Layers for people who name none: one output per stage of the network."""

from __future__ import annotations

from collections import Counter
from itertools import pairwise

from torch import nn

from caltrop.capture.layers import Layer, input_of, output_of
from caltrop.capture.lineage import PICKS, RESHAPES, Node
from caltrop.capture.names import ROOT
from caltrop.capture.trace import Call, Trace

_PLAIN = (nn.Sequential, nn.ModuleList, nn.ModuleDict)
_HOW_TO_CHOOSE = "Pass layers= to choose others (names or patterns, see caltrop.capture.module_names)."


def choose(trace: Trace, head: Call | None) -> tuple[list[Layer], str]:
    """The head's input and every block's output, in order of execution, and a sentence that says so.

    Blocks are modules of a class that occurs more than once and has modules inside (residual and
    transformer blocks), the outermost such class. A network without them, and the part behind the
    last of them, is cut into stages at its weighted layers: the tensor that leaves a stage, that is
    with its norm, activation and pooling. No tensor is taken twice.
    """
    root = trace.calls[0] if trace.calls else None
    if root is None or root.name != ROOT:
        return [], ""
    limit = head.start if head is not None else root.end
    repeated = _repeated_classes(trace)
    blocks = [
        call
        for call in _blocks(root, repeated)
        if call.end < limit and not (head is not None and head in set(call.inside()))
    ]
    after = blocks[-1].end if blocks else 0
    stages = _stages(trace, [call for call in _leaves(root) if after < call.start and call.end <= limit], head)
    layers = [output_of(trace, call) for call in blocks] + stages
    if head is not None:
        layers.append(input_of(trace, head))
    layers = _each_tensor_once([layer for layer in layers if layer.seen is not None and layer.seen.is_floating])
    return layers, _sentence(layers, blocks, head)


def _repeated_classes(trace: Trace) -> set[type[nn.Module]]:
    counts = Counter(
        type(c.module) for c in trace.calls if c.children and type(c.module) not in _PLAIN and c.returned is not None
    )
    return {kind for kind, count in counts.items() if count > 1}


def _blocks(call: Call, repeated: set[type[nn.Module]]) -> list[Call]:
    found: list[Call] = []
    for child in call.children:
        inner = _blocks(child, repeated)
        if type(child.module) not in repeated or not child.children:
            found += inner
        elif len(inner) > 1 and _hands_on(child, inner):
            found += inner  # a group of blocks in a class of its own: the blocks, not the group
        else:
            found.append(child)
    return found


def _hands_on(group: Call, inner: list[Call]) -> bool:
    last = inner[-1]
    if group.returned is None or last.returned is None:
        return False
    return type(inner[0].module) is type(last.module) and group.returned.node is last.returned.node


def _leaves(call: Call) -> list[Call]:
    found: list[Call] = []
    for child in call.children:
        whole = isinstance(child.module, nn.TransformerEncoderLayer | nn.TransformerDecoderLayer)
        found += [child] if whole or not child.children else _leaves(child)
    return found


def _stages(trace: Trace, leaves: list[Call], head: Call | None) -> list[Layer]:
    cuts = [i for i, call in enumerate(leaves) if _is_weighted(call)]
    found: list[Layer] = []
    for start, stop in pairwise([*cuts, len(leaves)]):
        following = leaves[stop] if stop < len(leaves) else head
        layer = _leaving(trace, leaves[start:stop], following)
        if layer is not None:
            found.append(layer)
    return found


def _leaving(trace: Trace, stage: list[Call], following: Call | None) -> Layer | None:
    outputs = [call for call in stage if call.returned is not None and call.returned.is_floating]
    if not outputs:
        return None
    last = outputs[-1]
    if following is None or following.received is None or last.returned is None:
        return output_of(trace, last)
    # A functional activation leaves no module behind: what the next layer is given has it applied.
    if _nearest_maker(following.received.node) is last and following.received.is_floating:
        untouched = _only_rearranged(following.received.node, last)
        return output_of(trace, last) if untouched else input_of(trace, following)
    return output_of(trace, last)


def _nearest_maker(node: Node) -> Call | None:
    """The innermost call that returned `node` or what it was computed from without another module."""
    while True:
        if node.made_by:
            call = node.made_by[0]
            assert isinstance(call, Call)
            return call
        computed = [parent for parent in node.parents if parent.op != "given"]
        if len(computed) != 1:
            return None
        node = computed[0]


def _only_rearranged(node: Node, maker: Call) -> bool:
    """Whether `node` is part of what `maker` returned, at most averaged, with no function applied."""
    while maker not in node.made_by:
        if node.op not in RESHAPES | PICKS:
            return False
        node = node.parents[0]
    return True


def _is_weighted(call: Call) -> bool:
    return any(parameter.ndim > 1 for parameter in call.module.parameters())


def _each_tensor_once(layers: list[Layer]) -> list[Layer]:
    kept: dict[int, Layer] = {}
    # later entries win: the head's input comes last, and its name is the one measures of the head need
    for layer in layers:
        if layer.seen is not None:
            kept[id(layer.seen.node.same_values())] = layer
    return sorted(kept.values(), key=lambda layer: layer.moment)


def _sentence(layers: list[Layer], blocks: list[Call], head: Call | None) -> str:
    if not layers:
        return ""
    chosen = ", ".join(layer.name for layer in layers)
    kinds = ", ".join(dict.fromkeys(type(call.module).__name__ for call in blocks))
    what = f"every block's output ({kinds})" if blocks else "one output per weighted layer"
    first = "the head's input and " if head is not None else ""
    return f"Layers were chosen: {first}{what}: {chosen}. {_HOW_TO_CHOOSE}"
