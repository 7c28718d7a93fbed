"""Simple graphs whose edges stand for classes: what low-rank solutions of deep ReLU models are built from."""

from __future__ import annotations

import operator
from collections.abc import Iterable
from itertools import combinations

import torch
from jaxtyping import Float64
from torch import Tensor

Edges = tuple[tuple[int, int], ...]


def complete_graph(vertices: int) -> Edges:
    """All r(r−1)/2 pairs of r vertices."""
    return tuple(combinations(range(vertices), 2))


def triangular_root(number: int) -> int | None:
    """The r with r(r−1)/2 = number, or None."""
    root = next(r for r in range(2, number + 3) if r * (r - 1) // 2 >= number)
    return root if root * (root - 1) // 2 == number else None


def best_graph(num_classes: int) -> Edges:
    """The graph of K edges whose low-rank construction is cheapest: complete if K = r(r−1)/2.

    Otherwise the largest complete graph and one more vertex, joined to as many of it as edges are left; four edges
    are a cycle. Among graphs of at most 7 vertices none of up to 15 edges is better at any depth; beyond that it is a
    rule and not proved.

    Raises ValueError for fewer than two classes.
    """
    if num_classes < 2:
        raise ValueError(f"num_classes={num_classes} must be 2 or more: every class is an edge of the graph.")
    if num_classes == 4:
        return ((0, 1), (0, 3), (1, 2), (2, 3))
    edges = [(low, high) for high in range(1, num_classes + 1) for low in range(high)]
    return tuple(sorted(edges[:num_classes]))


def checked_graph(graph: Iterable[object], num_classes: int) -> Edges:
    """The edges sorted, each from its lower vertex, or a ValueError that says what is wrong and what to do."""
    edges = [_edge(edge) for edge in graph]
    remedy = f"best_graph({num_classes}) is a good one."
    if len(edges) != num_classes:
        raise ValueError(f"graph has {len(edges)} edges, but every one of {num_classes} classes is an edge; {remedy}")
    if len(set(edges)) < len(edges):
        twice = next(edge for edge in edges if edges.count(edge) > 1)
        raise ValueError(f"graph has the edge {twice} twice, so two classes could not be told apart; {remedy}")
    used = {vertex for edge in edges for vertex in edge}
    missing = set(range(max(used) + 1)) - used
    if missing:
        raise ValueError(
            f"no edge of graph ends at vertex {min(missing)}; number the vertices 0, 1, … without gaps: each is a "
            "dimension that has to be paid for."
        )
    return tuple(sorted(edges))


def incidence(edges: Edges) -> Float64[Tensor, "vertices edges"]:
    """1 where a vertex is an end of an edge, else 0."""
    found = torch.zeros(1 + max(high for _, high in edges), len(edges), dtype=torch.float64)
    for place, ends in enumerate(edges):
        found[list(ends), place] = 1
    return found


def disjointness(edges: Edges) -> Float64[Tensor, "edges edges"]:
    """1 where two edges have no end in common, else 0: of a complete graph the Kneser graph of pairs."""
    shared = incidence(edges).T @ incidence(edges)
    return (shared == 0).double()


def _edge(edge: object) -> tuple[int, int]:
    try:
        low, high = sorted(operator.index(vertex) for vertex in edge)  # type: ignore[attr-defined]
    except (TypeError, ValueError):
        raise ValueError(f"{edge!r} in graph is not an edge: give a pair of integers, such as (0, 1).") from None
    if low < 0 or low == high:
        raise ValueError(f"{edge!r} in graph is not an edge: its ends must differ and be numbered from 0.")
    return low, high
