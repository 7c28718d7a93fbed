"""Graphs whose edges are classes: what is refused, and that the recommended one is the cheapest."""

from __future__ import annotations

from itertools import combinations

import numpy as np
import pytest

from caltrop.theory import best_graph
from caltrop.theory.edge_graphs import (
    checked_graph,
    complete_graph,
    disjointness,
    incidence,
    triangular_root,
)


def nuclear_norm(edges):
    """Of the incidence matrix, written out."""
    vertices = sorted({vertex for edge in edges for vertex in edge})
    table = np.array([[float(vertex in edge) for edge in edges] for vertex in vertices])
    return np.linalg.svd(table, compute_uv=False).sum(), len(vertices)


@pytest.fixture(scope="module")
def least():
    """By edges and vertices the least nuclear norm over all graphs with up to 6 vertices, none of them alone."""
    found = {}
    for vertices in range(2, 7):
        pairs = np.array(list(combinations(range(vertices), 2)))
        chosen = (np.arange(1, 2 ** len(pairs))[:, None] >> np.arange(len(pairs))) & 1
        signless = np.zeros((len(chosen), vertices, vertices))
        for (low, high), has in zip(pairs, chosen.T, strict=True):
            for row, column in ((low, low), (low, high), (high, low), (high, high)):
                signless[:, row, column] += has
        covers = (np.diagonal(signless, axis1=1, axis2=2) > 0).all(axis=1)
        roots = np.sqrt(np.clip(np.linalg.eigvalsh(signless), 0, None)).sum(axis=1)
        edges = chosen.sum(axis=1)
        for count in range(2, len(pairs) + 1):
            there = roots[covers & (edges == count)]
            if len(there):
                found[count, vertices] = there.min()
    return found


@pytest.mark.parametrize("num_classes", range(2, 16))
def test_no_graph_of_up_to_six_vertices_is_cheaper_at_any_depth(num_classes, least):
    norm, vertices = nuclear_norm(best_graph(num_classes))
    assert len(set(best_graph(num_classes))) == num_classes
    for (edges, others), value in least.items():
        if edges == num_classes:
            # a cost of u² r^{L−2}: cheaper at depth 3 and no more vertices is cheaper at every greater depth
            assert vertices <= others
            assert norm**2 * vertices <= value**2 * others * (1 + 1e-12)


@pytest.mark.parametrize("root", [3, 4, 5, 7, 12])
def test_of_a_triangular_number_the_best_graph_is_complete(root):
    edges = complete_graph(root)
    assert best_graph(len(edges)) == edges
    assert triangular_root(len(edges)) == root
    assert triangular_root(len(edges) + 1) is None
    norm, _ = nuclear_norm(edges)
    assert norm == pytest.approx(np.sqrt(2 * (root - 1)) + (root - 1) * np.sqrt(root - 2), rel=1e-13)


def test_edges_are_disjoint_where_they_share_no_end():
    edges = complete_graph(5)
    expected = [[float(not set(one) & set(other)) for other in edges] for one in edges]
    assert disjointness(edges).tolist() == expected
    assert incidence(edges).sum(dim=0).tolist() == [2.0] * 10
    # the Petersen graph
    assert np.linalg.eigvalsh(disjointness(edges).numpy()) == pytest.approx([-2.0] * 4 + [1.0] * 5 + [3.0])


@pytest.mark.parametrize(
    ("graph", "says"),
    [
        ([(0, 1), (1, 2)], r"graph has 2 edges, but every one of 3 classes is an edge; best_graph\(3\)"),
        ([(0, 1), (1, 2), (1, 0)], r"graph has the edge \(0, 1\) twice"),
        ([(0, 1), (1, 1), (1, 2)], r"\(1, 1\) in graph is not an edge: its ends must differ"),
        ([(0, 1), (1, 2), (-1, 2)], r"\(-1, 2\) in graph is not an edge: .* numbered from 0"),
        ([(0, 1), (1, 2), (0, 1, 2)], r"\(0, 1, 2\) in graph is not an edge: give a pair of integers"),
        ([(0, 1), (1, 2), (0, 0.5)], r"\(0, 0.5\) in graph is not an edge: give a pair of integers"),
        ([(0, 1), (1, 2), 3], "3 in graph is not an edge: give a pair of integers"),
        ([(0, 1), (1, 3), (0, 3)], "no edge of graph ends at vertex 2; number the vertices"),
    ],
)
def test_a_bad_graph_is_a_clear_error(graph, says):
    with pytest.raises(ValueError, match=says):
        checked_graph(graph, 3)


def test_a_graph_is_kept_sorted_and_of_two_classes_at_least():
    assert checked_graph([(2, 1), [0, 1], (np.int64(2), 0)], 3) == ((0, 1), (0, 2), (1, 2))
    with pytest.raises(ValueError, match="num_classes=1 must be 2 or more"):
        best_graph(1)
