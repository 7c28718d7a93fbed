"""Unconstrained features models solved from many starts, beside their closed forms: rows for a paper's claims.

The search is over the class-mean form of a model, which has the same infimum. What is called best is the lowest of
all starts and all explicit families but deep neural collapse (DNC) itself; that nothing lower exists is never claimed.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from caltrop.papers.experiment import Outcome
from caltrop.papers.session import Session
from caltrop.rows import Row
from caltrop.solve import Solution, solve
from caltrop.theory import DeepUfmCrossEntropy, DeepUfmMse, Optimum, Params
from caltrop.theory.fibres import fibre_dimension, published_fibre_dimensions

# A singular value counts where it is above this share of the largest: solvers leave about 1e-6, and what a family has
# is of order 1. Our choice: the papers do not state theirs for these models.
RANK_CUT = 1e-3
DNC = {"squared_error": "dnc", "cross_entropy": "simplex"}

GLOSSES = {
    "gap_to_dnc": "Best penalised loss found, relative to that of deep neural collapse: below 0, collapse is beaten.",
    "fit_gain": "What the best point gains over deep neural collapse in fit; negative where it fits worse.",
    "penalty_gain": "What the best point gains over deep neural collapse in penalties.",
    "mean_rank": "Rank of the class means before the activation, averaged over layers; singular values under a "
    "thousandth of the largest do not count.",
    "found_rank": "The same, averaged over all starts too.",
    "rank_above_dnc": "Rank of the best point less that of deep neural collapse, summed over layers before activation.",
    "logit_rank": "Singular values of the class logits above a thousandth of their norm.",
    "singular_value": "Singular value of the class means of a layer, relative to the largest, by its number.",
    "dnc_share": "Share of starts that end in deep neural collapse.",
    "starts": "How many starts end in this structure.",
    "residual": "Largest entry of the gradient, or of the least generalised one where ReLU has kinks.",
    "fibre_dimension": "Dimension of the set of parameters with these logits: how much room a minimum has.",
    "fibre_dimension_as_printed": "The paper's own count of that dimension.",
}


@dataclass(frozen=True)
class FeaturesCase:
    """One deep features model with equal penalties, and how it is searched.

    part: what the case is for. loss: "squared_error" or "cross_entropy". starts: random starts of each seed, normal
    with standard deviation init_scale/√dim. method: "" for the solver's own choice, "gradient-descent" for the papers'.
    steps, step_size: of gradient descent on all samples' features, 0 where the solver decides. polish: whether what it
    ends at is made exact; without, it is what the papers looked at.
    """

    part: str
    loss: str
    num_classes: int
    depth: int
    dim: int
    weight_decay: float
    relu: bool = False
    per_class: int = 1
    starts: int = 16
    method: str = ""
    steps: int = 0
    step_size: float = 0.0
    init_scale: float = 1.0
    polish: bool = True

    def __post_init__(self) -> None:
        if self.starts < 1 or self.steps < 0 or self.step_size < 0 or not self.init_scale > 0:
            raise ValueError(
                f"starts={self.starts} must be at least 1, steps={self.steps} and step_size={self.step_size} at least "
                f"0, init_scale={self.init_scale} positive."
            )
        self.problem()

    @property
    def name(self) -> str:
        """What the case is called."""
        size = {"prevalence": f"dim {self.dim}", "penalty": f"weight decay {self.weight_decay:g}"}
        return f"{self.part}, {size.get(self.part, f'{self.num_classes} classes, depth {self.depth}')}"

    def problem(self) -> DeepUfmMse | DeepUfmCrossEntropy:
        """The model."""
        kinds: dict[str, type[DeepUfmMse | DeepUfmCrossEntropy]]
        kinds = {"squared_error": DeepUfmMse, "cross_entropy": DeepUfmCrossEntropy}
        kind = kinds[self.loss]
        return kind(
            num_classes=self.num_classes,
            dim=self.dim,
            depth=self.depth,
            weight_decay=self.weight_decay,
            feature_decay=self.weight_decay,
            per_class=self.per_class,
            relu=self.relu,
        )


@dataclass(frozen=True)
class Point:
    """A point of a model in class-mean form, with its value split into fit and penalties."""

    source: str
    params: Params
    fit: float
    penalty: float

    @property
    def value(self) -> float:
        """The penalised loss."""
        return self.fit + self.penalty


def run_features(case: FeaturesCase, session: Session) -> Outcome:
    """Solve the model from the seed's starts, and put its closed forms beside what was found."""
    problem = case.problem()
    first = session.seed * case.starts
    solution = solve(
        problem,
        seeds=range(first, first + case.starts),
        method=case.method or None,
        scale=case.init_scale,
        max_steps=case.steps or None,
        step_size=case.step_size or None,
        polish=case.polish,
    )
    families = {name: _of_family(problem, name, found) for name, found in problem.families().items()}
    dnc = families[DNC[case.loss]]
    found = _of_solution(problem, solution)
    rivals = [*found, *(point for name, point in families.items() if name != DNC[case.loss])]
    best = min(rivals, key=lambda point: point.value) if rivals else None
    rows = [*_family_rows(problem, families), *_solved_rows(solution)]
    if best is not None:
        rows += [*_best_rows(best, dnc, problem), *_spectrum_rows(problem, best)]
    if found:
        ranks = [_mean_rank(problem, point.params) for point in found]
        rows.append(Row("", "found_rank", "rank", sum(ranks) / len(ranks), origin="solved"))
    if case.part == "prevalence":
        rows += _fibre_rows(case, families)
    return Outcome(
        rows=[_seeded(row, session.seed) for row in rows],
        conditions={"starts": case.starts, "finite_starts": len(found)},
        notes=(_told(solution),),
        facts={"model": repr(problem), "seed": session.seed, "method": solution.method},
    )


def _of_family(problem: DeepUfmMse | DeepUfmCrossEntropy, name: str, found: Optimum) -> Point:
    assert found.params is not None
    # all samples of a class have equal features there: the first of each stands for it
    firsts = torch.tensor([problem.labels.tolist().index(k) for k in range(problem.num_classes)])
    return _point(problem, f"the family {name}", {**found.params, "features": found.params["features"][firsts]})


def _of_solution(problem: DeepUfmMse | DeepUfmCrossEntropy, solution: Solution) -> list[Point]:
    return [
        _point(problem, f"start {seed}", solution.at(place))
        for place, (seed, word) in enumerate(zip(solution.seeds, solution.outcomes, strict=True))
        if word != "diverged"
    ]


def _point(problem: DeepUfmMse | DeepUfmCrossEntropy, source: str, params: Params) -> Point:
    chain = problem.class_means
    return Point(source, params, float(chain.fit(params)), float(chain.penalty(params)))


def _family_rows(problem: DeepUfmMse | DeepUfmCrossEntropy, families: Mapping[str, Point]) -> Iterable[Row]:
    for name, point in families.items():
        yield Row(f"family {name}", "penalised_loss", "L+λ", point.value, origin="closed form")
        yield Row(f"family {name}", "mean_rank", "rank", _mean_rank(problem, point.params), origin="closed form")
    yield Row("", "penalised_loss", "L+λ", families[_dnc_name(families)].value, origin="closed form")
    yield Row("", "lower_bound", "bound", problem.lower_bound, origin="closed form")


def _solved_rows(solution: Solution) -> Iterable[Row]:
    """Where each start ended, and how far from stationary."""
    for place, (value, word) in enumerate(zip(solution.values.tolist(), solution.outcomes, strict=True)):
        reason = "the start diverged" if word == "diverged" else None
        yield Row(f"start {place}", "penalised_loss", "L+λ", value, origin="solved", reason=reason, note=word)
    counts = Counter("diverged" if found is None else found.name for found in solution.structures)
    for name, count in counts.most_common():
        yield Row(f"structure {name}", "starts", "count", float(count), origin="solved")
    dnc = sum(counts[name] for name in DNC.values())
    yield Row("", "dnc_share", "P(DNC)", dnc / len(solution.structures), origin="solved")


def _best_rows(best: Point, dnc: Point, problem: DeepUfmMse | DeepUfmCrossEntropy) -> Iterable[Row]:
    """The best point beside deep neural collapse."""
    note = f"best: {best.source}"
    ranks, collapsed = _ranks(problem, best.params), _ranks(problem, dnc.params)
    numbers = {
        "penalised_loss": ("L+λ", best.value),
        "gap_to_dnc": ("gap", (best.value - dnc.value) / dnc.value),
        "fit_gain": ("gain", dnc.fit - best.fit),
        "penalty_gain": ("gain", dnc.penalty - best.penalty),
        "rank_above_dnc": ("rank", float(sum(ranks) - sum(collapsed))),
        "mean_rank": ("rank", sum(ranks) / len(ranks)),
        "logit_rank": ("rank", float(_logit_rank(problem, best.params))),
    }
    for measure, (symbol, value) in numbers.items():
        yield Row("", measure, symbol, value, origin="solved", note=note)


def _spectrum_rows(problem: DeepUfmMse | DeepUfmCrossEntropy, best: Point) -> Iterable[Row]:
    """Singular values of every layer of the best point, relative to the largest, by number."""
    named = {**problem.class_means.layers(best.params), "logits": problem.class_means.logits(best.params)}
    for name, values in named.items():
        singular = torch.linalg.svdvals(values)
        for number, value in enumerate((singular / singular[0]).tolist(), 1):
            yield Row(name, "singular_value", "σ", value, origin="solved", step=number)


def _fibre_rows(case: FeaturesCase, families: Mapping[str, Point]) -> Iterable[Row]:
    """How much room each linear family has at this width, by the exact count and by the paper's."""
    if case.relu:
        return
    ranks = {"simplex": case.num_classes - 1, "pairs": (case.num_classes + 1) // 2}
    for name in ranks.keys() & families.keys():
        size = (ranks[name], case.dim, case.depth)
        printed = published_fibre_dimensions(*size, is_simplex=name == "simplex")
        exact = float(fibre_dimension(*size))
        yield Row(f"family {name}", "fibre_dimension", "dim", exact, origin="closed form")
        note = None if printed[0] == printed[1] else f"between {printed[0]} and {printed[1]}; the most is shown"
        most = float(printed[1])
        yield Row(f"family {name}", "fibre_dimension_as_printed", "dim", most, origin="closed form", note=note)


def _dnc_name(families: Mapping[str, Point]) -> str:
    return next(name for name in DNC.values() if name in families)


def _ranks(problem: DeepUfmMse | DeepUfmCrossEntropy, params: Params) -> list[int]:
    """Ranks of the class means that each matrix makes, before the activation; of the features where there is none."""
    layers = problem.class_means.layers(params)
    made = [name for name in layers if name.endswith("pre")] or list(layers)
    return [_rank(layers[name]) for name in made]


def _rank(values: Tensor) -> int:
    singular = torch.linalg.svdvals(values)
    return int((singular > RANK_CUT * singular[0]).sum())


def _logit_rank(problem: DeepUfmMse | DeepUfmCrossEntropy, params: Params) -> int:
    singular = torch.linalg.svdvals(problem.class_means.logits(params))
    return int((singular > RANK_CUT * torch.linalg.vector_norm(singular)).sum())


def _mean_rank(problem: DeepUfmMse | DeepUfmCrossEntropy, params: Params) -> float:
    ranks = _ranks(problem, params)
    return sum(ranks) / len(ranks)


def _seeded(row: Row, seed: int) -> Row:
    return replace(row, seed=seed)


def _told(solution: Solution) -> str:
    counts = Counter(solution.outcomes)
    return f"{len(solution.seeds)} starts by {solution.method}: " + ", ".join(
        f"{count} {word}" for word, count in counts.most_common()
    )
