r"""What a solution is called: deep neural collapse, one of the known low-rank arrangements, or unknown.

**Without ReLU** the class-mean logits $HW^\top$ say all: at a stationary point every layer has their singular vectors.
First what the model leaves free is taken out: a constant in each row where the loss does not see it (cross-entropy),
a constant in each column where a bias takes it up.

**With ReLU** logits do not tell families apart (dnc and srg both have multiples of the identity), Gram matrices of the
class means do. They do not change with the order of the neurons, nor when one neuron is split in two. With $B$ the
incidence matrix of a graph whose edges are the classes, and $P$ the adjacency of edges without a common end:

| | after layers 2 … L−1 | before the last ReLU | after it | logits |
|---|---|---|---|---|
| dnc | $I$ | free | $I$ | $I$ |
| srg | $B^\top B$ | $(I-P)^2$ | $I$ | $I$ |
| kneser | $B^\top B$ | $(I-P)^2$ | $P^2$ | a function of $P^2$ |

each up to a length, in one order of the classes. Layer 1, and what enters the first
ReLU, are not asked for more: negative entries there, which ReLU removes, can cost nothing, and descent ends with some.
Where a row or column constant is free (cross-entropy, a bias), deep neural collapse asks for Gram matrices that are a
simplex once they are centred, and for rank K−1; the other names are those of the logits.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import replace

import numpy as np
import torch
from torch import Tensor

from caltrop.geometry import (
    Block,
    ClassLogits,
    Structure,
    deviation_from,
    name_arrangement,
    order_of,
    rank_of,
    without_classes,
)
from caltrop.theory import Params, Problem
from caltrop.theory.chain import FEATURES, WEIGHTS, Chain
from caltrop.theory.edge_graphs import Edges, complete_graph, disjointness, incidence, triangular_root
from caltrop.theory.unconstrained import Unconstrained

__all__ = ["NO_LOGITS", "Structure", "name_structure", "name_structures"]

TOL = 1e-3
# Descent settles kinks slowly: of three classes at depth 3, four starts were 0.02 to 0.04 away from dnc after 12 000
# steps, and 0.01 to 0.02 after 25 000. The families differ by 0.4 and more (K = 3 to 28, where they differ at all).
GRAM_TOL = 5e-2
NO_LOGITS = "no class logits"


def name_structures(
    problem: Problem, params: Params, *, tol: float = TOL, gram_tol: float = GRAM_TOL
) -> tuple[Structure, ...]:
    """`name_structure` of each point along one leading axis of `params`, such as seeds."""
    count = len(next(iter(params.values())))
    each = ({name: value[place] for name, value in params.items()} for place in range(count))
    return tuple(name_structure(problem, point, tol=tol, gram_tol=gram_tol) for point in each)


def name_structure(problem: Problem, params: Params, *, tol: float = TOL, gram_tol: float = GRAM_TOL) -> Structure:
    """What one point is called, the same for any order of the classes, rotations and lengths.

    `params` are over class means or over samples, without leading axes. `tol` bounds the deviation of the logits from
    what the name says, relative to the Frobenius norm, and of samples from their class means; `gram_tol` that of the
    Gram matrices of a model with ReLU (and of its logits, where these alone name nothing: squared error). Ranks count
    singular values above 1e-3 of the largest; the rank of a point with ReLU is the least of any layer's class means
    and of the logits. Names are those of `Structure`, and "dnc", "srg", "kneser". A problem that has no class logits
    is called "no class logits".

    Raises
    ------
    ValueError
        Where `params` have leading axes; `name_structures` takes one.
    """
    if not isinstance(problem, Unconstrained):
        return Structure(NO_LOGITS, 0, math.nan, math.nan)
    features = params[FEATURES]
    if features.ndim != 2:
        raise ValueError(
            f"features of shape {list(features.shape)} are more than one point; name_structures takes one leading "
            "axis, such as seeds."
        )
    with torch.no_grad():
        layers, spread = _class_layers(problem, params)
        logits = _logits(problem, list(layers.values())[-1], params[WEIGHTS])
    chain = problem.class_means
    rectified = chain.relu and chain.depth > 1
    by_grams = rectified and not (problem.bias or _ignores_shifts(chain))
    ranks = {name: _rank(layer) for name, layer in layers.items()}
    found = replace(name_arrangement(logits, tol=gram_tol if by_grams else tol), layer_ranks=ranks)
    if found.name in ("zero", "not finite"):
        return found
    if rectified:
        found = replace(found, rank=min(found.rank, *found.layer_ranks.values()))
        found = _rectified(problem, found, layers, logits, gram_tol)
    elif not _ignores_shifts(chain):
        found = replace(found, name=_dnc_name(found.name))
    return found if spread <= tol else _unknown(replace(found, blocks=()))


def _class_layers(problem: Unconstrained, params: Params) -> tuple[dict[str, Tensor], float]:
    """Class means of what each matrix is given, and how far samples are from them, relative, in the worst layer."""
    rows = len(params[FEATURES])
    if rows == problem.num_classes:
        return problem.class_means.layers(params), 0.0
    if rows != problem.num_samples:
        raise ValueError(
            f"features have {rows} rows; they should be {problem.num_classes} class means or {problem.num_samples} "
            "samples."
        )
    of_class = torch.nn.functional.one_hot(problem.labels, problem.num_classes).double()
    share = (of_class / of_class.sum(dim=0)).T
    means, spread = {}, 0.0
    for name, values in problem.samples.layers(params).items():
        means[name] = share @ values.double()
        size = float(values.norm())
        apart = float((values - means[name][problem.labels]).norm())
        spread = max(spread, apart / size if size > 0 else 0.0)
    return means, spread


def _logits(problem: Unconstrained, features: Tensor, weights: Tensor) -> Tensor:
    """HWᵀ of class means without what the model leaves free."""
    logits = features.double() @ weights.double().mT
    if problem.bias:
        counts = torch.tensor(problem.class_counts, dtype=torch.float64)
        logits = logits - counts @ logits / problem.num_samples
    if _ignores_shifts(problem.class_means):
        logits = logits - logits.mean(dim=1, keepdim=True)
    return logits


def _ignores_shifts(chain: Chain) -> bool:
    """Whether the loss stays the same where all logits of a row move together, as cross-entropy does."""
    label = torch.zeros(1, dtype=torch.int64)
    here = torch.arange(chain.num_classes, dtype=torch.float64)[None]
    values = torch.cat([chain.fit_of.values(here + shift, label) for shift in (0.0, 0.3, 1.0)])
    return bool(values.max() - values.min() < 1e-12 * values.abs().max())


def _dnc_name(name: str) -> str:
    """Collapse of a loss with targets of its own: a frame of all classes, or a simplex where the mean is free."""
    whole, _, without = name.partition(" without ")
    if whole not in ("frame", "simplex"):
        return name
    return f"dnc without {without}" if without else "dnc"


def _rectified(
    problem: Unconstrained, found: Structure, layers: Mapping[str, Tensor], logits: Tensor, tol: float
) -> Structure:
    grams = {name: (layer.double() @ layer.double().mT).numpy() for name, layer in layers.items()}
    rectified = [gram for name, gram in grams.items() if name != "layer 1" and not name.endswith("pre")]
    shifts = _ignores_shifts(problem.class_means)
    if shifts or problem.bias:
        if not found.is_dnc:
            return found if shifts else _unknown(found)
        centre = np.eye(problem.num_classes) - 1 / problem.num_classes
        deviation = max(_away(centre @ gram @ centre, centre) for gram in rectified)
        # garrod2025persistence asks for a simplex before ReLU too
        if deviation > tol or found.rank < problem.num_classes - 1:
            return _unknown(found)
        return replace(
            found, name=found.name if shifts else _dnc_name(found.name), deviation=max(found.deviation, deviation)
        )
    if found.name.partition(" without ")[0] == "frame":
        present = np.ones(problem.num_classes)
        present[list(found.dropped)] = 0
        deviation = max(_away(gram, np.diag(present)) for gram in rectified)
        # Not the ranks: sukenik2024lowrank defines collapse behind ReLU. Before the first one entries below 0 may lower
        # the rank, and the loss stays the same.
        if deviation <= tol:
            return replace(found, name=_dnc_name(found.name), deviation=max(found.deviation, deviation))
    graph = _graph(problem)
    return (None if graph is None else _edges(found, graph, grams, logits.numpy(), tol)) or _unknown(found)


def _unknown(found: Structure) -> Structure:
    """The same without a name, or with the classes that are missing."""
    blocks = tuple(block for block in found.blocks if block.shape == "dropped")
    name = without_classes(f"unknown, rank {found.rank}", len(blocks))
    return replace(found, name=name, deviation=math.nan, blocks=blocks, also=())


def _graph(problem: Unconstrained) -> Edges | None:
    """The edges that classes stand for: those of the problem, else a complete graph, where one has so many."""
    given = getattr(problem, "graph", None)
    if given is not None:
        return tuple(given)
    points = triangular_root(problem.num_classes)
    return None if points is None else complete_graph(points)


def _edges(
    found: Structure, graph: Edges, grams: Mapping[str, np.ndarray], logits: np.ndarray, tol: float
) -> Structure | None:
    """The point as srg or kneser of a graph, if it is one; both where they are the same."""
    depth = sum(not name.endswith("pre") for name in grams)
    middle = grams.get("layer 2")
    if depth < 3 or middle is None or not np.linalg.norm(middle) > 0:
        return None
    places = order_of(ClassLogits(middle), (incidence(graph).T @ incidence(graph)).numpy(), tol)
    if places is None:
        return None
    ordered = np.ix_(places, places)
    last = f"layer {depth}"
    below, after = _edge_patterns(graph, depth)
    deviation = max(_away(grams[name][ordered], pattern) for name, pattern in below.items())
    deviations = {}
    for name, (pattern, head) in after.items():
        each = (_away(grams[last][ordered], pattern), _away(logits[ordered], _function_of(head, logits[ordered])))
        deviations[name] = max(deviation, *each)
    names = [name for name, away in deviations.items() if away <= tol]
    if not names:
        return None
    classes = tuple(int(place) for place in places)
    block = Block(names[0], classes, found.scale, found.rank)
    return replace(found, name=names[0], deviation=deviations[names[0]], blocks=(block,), also=tuple(names[1:]))


def _edge_patterns(graph: Edges, depth: int) -> tuple[dict[str, np.ndarray], dict[str, tuple[np.ndarray, np.ndarray]]]:
    """Gram matrices below the last ReLU, by layer; behind it, and what the logits are a function of, by family."""
    shared = (incidence(graph).T @ incidence(graph)).numpy()
    apart = disjointness(graph).numpy()
    below = {f"layer {layer}": shared for layer in range(2, depth)}
    even = np.eye(len(graph))
    before = even - apart
    below[f"layer {depth} pre"] = before @ before
    after = {"srg": (even, even)}
    # where any two edges share an end ReLU leaves nothing of kneser
    return below, after | ({"kneser": (apart @ apart, apart @ apart)} if apart.any() else {})


def _function_of(pattern: np.ndarray, matrix: np.ndarray) -> np.ndarray:
    """The function of a symmetric pattern nearest to a matrix: a number of 0 or more for each of its eigenvalues."""
    values, vectors = np.linalg.eigh(pattern)
    level = np.cumsum(np.concatenate([[0], np.diff(values) > 1e-9 * max(1.0, float(values[-1]))]))
    own = np.einsum("ki,kl,li->i", vectors, matrix, vectors)
    means = np.array([own[level == here].mean() for here in range(int(level[-1]) + 1)]).clip(min=0)
    found: np.ndarray = (vectors * means[level.astype(int)]) @ vectors.T
    return found


def _away(gram: np.ndarray, pattern: np.ndarray) -> float:
    return deviation_from(gram, pattern) if np.linalg.norm(gram) > 0 else math.inf


def _rank(layer: Tensor) -> int:
    values = layer.double().cpu()
    return rank_of(torch.linalg.svdvals(values).numpy()) if bool(values.isfinite().all()) else 0
