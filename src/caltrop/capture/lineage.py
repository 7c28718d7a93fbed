"""Where a tensor came from: the operations between a module's output and the model's."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils.weak import WeakIdKeyDictionary

from caltrop.capture.placement import tensors


def _operations(names: str) -> frozenset[str]:
    return frozenset(names.split())


# The same numbers in another shape, precision or memory.
RESHAPES = _operations("""
    view _unsafe_view reshape _reshape_alias flatten unflatten squeeze squeeze_ unsqueeze unsqueeze_
    permute transpose transpose_ t t_ alias detach clone contiguous _to_copy expand lift_fresh
""")
# Some of the numbers, or averages of them.
PICKS = _operations("""
    slice select index gather index_select narrow split split_with_sizes unbind chunk mean sum amax
    logsumexp adaptive_avg_pool1d adaptive_avg_pool2d _adaptive_avg_pool2d adaptive_avg_pool3d
    _adaptive_avg_pool3d avg_pool1d avg_pool2d avg_pool3d max_pool2d_with_indices
    max_pool3d_with_indices adaptive_max_pool2d
""")
# What leaves the order of a sample's scores alone.
MONOTONE = _operations("""
    _softmax softmax _log_softmax log_softmax sigmoid log_sigmoid_forward native_dropout
    upsample_bilinear2d upsample_nearest2d upsample_bicubic2d upsample_linear1d upsample_trilinear3d
""")
SCALES = _operations("""
    mul mul_ div div_
""")
JOINS = _operations("""
    cat stack add add_
""")


@dataclass(eq=False)
class Node:
    """One tensor's origin: the operation, the tensors it read, the module calls that returned it."""

    op: str
    parents: tuple[Node, ...] = ()
    sizes: tuple[int, ...] = ()  # elements of each parent
    shape: tuple[int, ...] = ()
    made_by: list[Any] = field(default_factory=list)

    def same_values(self) -> Node:
        """The node this one is merely a reshaped copy of; itself if it is not."""
        node = self
        while node.op in RESHAPES and node.parents:
            node = node.parents[0]
        return node

    def ancestors(self) -> Iterator[Node]:
        """Every node this one was computed from, itself first."""
        seen, waiting = {id(self)}, [self]
        while waiting:
            node = waiting.pop()
            yield node
            for parent in node.parents:
                if id(parent) not in seen:
                    seen.add(id(parent))
                    waiting.append(parent)

    def carriers(self) -> tuple[Node, ...]:
        """Parents that carry a sample's scores through this operation; empty where it does more."""
        if self.op in RESHAPES | PICKS | MONOTONE:
            return self.parents[:1]
        if self.op in SCALES:
            # times a scalar (a temperature) the head stays the head; times a tensor it does not
            large = [p for p, size in zip(self.parents, self.sizes, strict=True) if size > 1]
            return tuple(large) if len(large) == 1 else ()
        return self.parents if self.op in JOINS else ()


class Lineage(TorchDispatchMode):  # type: ignore[no-untyped-call]
    """Records every tensor's `Node` while active; holds no tensor alive."""

    supports_higher_order_operators = True

    def __init__(self) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self._nodes = WeakIdKeyDictionary()

    def of(self, tensor: Tensor) -> Node:
        """The node of `tensor`; a fresh one for a tensor that was there before."""
        if tensor not in self._nodes:
            self._nodes[tensor] = Node("given", shape=tuple(tensor.shape))
        node: Node = self._nodes[tensor]
        return node

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        """Run the operation, then note what its outputs were computed from."""
        kwargs = kwargs or {}
        read = list(tensors((args, kwargs)))
        parents = tuple(self.of(tensor) for tensor in read)
        sizes = tuple(tensor.numel() for tensor in read)
        out = func(*args, **kwargs)
        name = func._schema.name.split("::")[-1] if hasattr(func, "_schema") else str(func)
        for tensor in tensors(out):
            self._nodes[tensor] = Node(name, parents, sizes, tuple(tensor.shape))
        return out
