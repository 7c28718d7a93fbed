"""Garrod and Keating (2025): deep features models with cross-entropy, low-rank bias, and why collapse persists.

In the deep linear unconstrained features model with cross-entropy, deep neural collapse (DNC, a simplex of logits) is
not optimal from three layers and four classes on, nor with two layers from six classes on: the penalty is a Schatten
quasi-norm of the logits, and prefers low rank. As depth grows the optimum has ever fewer singular values. Collapse
persists because wide models have more room around it. The same is looked for in the deep head of a real network.

Beside it, for unequal classes, stands the one-layer model's certified optimum along the ratio of imbalance, and
networks trained on images with such counts.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from itertools import pairwise
from typing import Any

from caltrop.papers.claim import Claim, Within, at_most
from caltrop.papers.deep_features import GLOSSES, FeaturesCase, run_features
from caltrop.papers.deep_features_claims import best_of_case, control, culprit, dnc_is_beaten, prevalence
from caltrop.papers.deep_head import CROSS_ENTROPY, DeepHeadConfig, run_deep_head, smoke
from caltrop.papers.deep_head_claims import HEAD_CHARTS, HEAD_GLOSSES, head_claims
from caltrop.papers.evidence import Evidence
from caltrop.papers.experiment import Case, Experiment, Outcome
from caltrop.papers.imbalance import LAYER, ImbalanceCase, run_imbalance
from caltrop.papers.registry import register
from caltrop.papers.session import Session
from caltrop.rows import Chart

NAME = "garrod2025persistence"


@dataclass(frozen=True)
class PersistenceConfig:
    """Deep linear features models with cross-entropy, and a network with such a head.

    shallow_classes, deep_classes: numbers of classes at depth 2, and at each of `depths`, in which collapse is beaten;
    every factor has the penalty `weight_decay`, and `per_class` samples enter through the features' penalty alone.
    extra: width beyond the number of classes. starts: random starts of each seed. spectrum_depths: depths L at which,
    with spectrum_classes classes and penalty 1/(256 L²), singular values are counted. widths, width_starts, steps,
    step_size, init_scale: of gradient descent with ten classes at depth 2. penalties: weight decays along which
    collapse is counted. ratios: of the largest class to the smallest, at each of which `tail` is trained and solved.
    head: the network, None leaves it out.
    """

    weight_decay: float = 2**-10
    per_class: int = 5
    shallow_classes: tuple[int, ...] = (6, 10)
    deep_classes: tuple[int, ...] = (4, 6, 10)
    depths: tuple[int, ...] = (3, 4)
    extra: int = 2
    starts: int = 8
    spectrum_classes: int = 6
    spectrum_depths: tuple[int, ...] = (1, 2, 3, 4, 6, 8, 10)
    widths: tuple[int, ...] = (10, 30, 70, 100, 160)
    width_starts: int = 10
    steps: int = 20_000
    step_size: float = 0.5
    init_scale: float = 1.0
    penalties: tuple[float, ...] = (2**-8, 2**-9, 2**-11)
    ratios: tuple[float, ...] = (1.0, 3.0, 10.0, 30.0, 100.0)
    tail: ImbalanceCase = field(default_factory=ImbalanceCase)
    head: DeepHeadConfig | None = field(default_factory=lambda: CROSS_ENTROPY)

    def __post_init__(self) -> None:
        if not self.depths:
            raise ValueError("depths is empty: name at least one, such as 3.")
        # every model refuses sizes that are not possible
        cases(self)

    def model(self, part: str, num_classes: int, depth: int, **more: Any) -> FeaturesCase:
        """One case of `part`."""
        case = FeaturesCase(
            part=part,
            loss="cross_entropy",
            num_classes=num_classes,
            depth=depth,
            dim=num_classes + self.extra,
            weight_decay=self.weight_decay,
            per_class=self.per_class,
            starts=self.starts,
            init_scale=self.init_scale,
        )
        return replace(case, **more)

    def descent(self, part: str, **more: Any) -> FeaturesCase:
        """One case of gradient descent with ten classes at depth 2."""
        fields = {
            "starts": self.width_starts,
            "method": "gradient-descent",
            "steps": self.steps,
            "step_size": self.step_size,
            "polish": False,
        }
        return self.model(part, 10, 2, **fields, **more)


def cases(config: PersistenceConfig) -> tuple[Case, ...]:
    """Every model by itself, and the network."""
    models = [
        *(config.model("beaten", classes, 2) for classes in config.shallow_classes),
        *(config.model("beaten", classes, depth) for depth in config.depths for classes in config.deep_classes),
        config.model("control", 2, max(config.depths)),
        *(config.model("control", classes, 1) for classes in config.deep_classes),
        *(
            config.model("spectrum", config.spectrum_classes, depth, weight_decay=1 / (256 * depth**2), per_class=1)
            for depth in config.spectrum_depths
        ),
        *(config.descent("prevalence", dim=width) for width in config.widths),
        *(config.descent("penalty", dim=70, weight_decay=decay) for decay in config.penalties),
    ]
    found = [Case(case, case.name) for case in models]
    tails = [replace(config.tail, ratio=ratio) for ratio in config.ratios]
    found += [Case(tail, tail.name) for tail in tails]
    return (*found, *([Case(config.head, "head")] if config.head is not None else []))


def run(config: FeaturesCase | ImbalanceCase | DeepHeadConfig, session: Session) -> Outcome:
    """One model solved, or one network trained."""
    if isinstance(config, ImbalanceCase):
        return run_imbalance(config, session)
    return run_features(config, session) if isinstance(config, FeaturesCase) else run_deep_head(config, session)


def logit_ranks(evidence: Evidence) -> dict[int, float]:
    """The number of singular values of the best logits, by depth."""
    return {
        int(evidence.cases[case]["depth"]): best_of_case(rows)["logit_rank"]
        for case, rows in evidence.rows.split_by("case").items()
    }


def _greatest_rise(evidence: Evidence) -> float:
    ranks = [rank for _, rank in sorted(logit_ranks(evidence).items())]
    if len(ranks) < 2:
        raise LookupError("two depths or more are needed")
    return max(after - before for before, after in pairwise(ranks))


def _most_when_deep(evidence: Evidence) -> float:
    deep = [rank for depth, rank in logit_ranks(evidence).items() if depth >= 6]
    if not deep:
        raise LookupError("no depth of 6 or more was run")
    return max(deep)


def _spectrum_claim(name: str, **more: Any) -> Claim:
    return Claim(
        id=f"{NAME}/{name}",
        where="theorem on depth",
        origin="solved",
        charts=(("", "logit_rank"),),
        about="spectrum",
        **more,
    )


CLAIMS = (
    dnc_is_beaten(
        NAME,
        "Deep neural collapse is not optimal with four classes or more and three layers or more, nor with six or more "
        "classes and two layers.",
        "theorem on optimality",
    ),
    control(NAME, "With two classes, or one layer, nothing lies below deep neural collapse.", "models"),
    *culprit(NAME, "abstract"),
    _spectrum_claim(
        "singular-values-fall",
        says="With penalties that fall as 1/L², the optimum has no more singular values when the model is deeper.",
        quantity=_greatest_rise,
        computes="greatest rise, from one depth to the next, of the number of singular values of Z/‖Z‖ above 1e-3",
        expected=at_most(0.0),
        threshold="a count; 1e-3 is our cut, between what has to vanish and what cannot",
    ),
    _spectrum_claim(
        "two-singular-values",
        says="From six layers on, the optimum has at most two singular values.",
        quantity=_most_when_deep,
        computes="number of singular values of Z/‖Z‖ above 1e-3, the greatest from depth 6 on",
        expected=Within(0.0, 2.0),
        threshold="two is the least rank of logits that tell three or more classes apart (our derivation)",
    ),
    *prevalence(NAME, "width figure"),
    *head_claims(NAME, "experiments with real networks"),
)

CHARTS = (
    Chart("gap_to_dnc", "", "depth", says="Best value found, relative to deep neural collapse's", about="beaten"),
    Chart("logit_rank", "", "depth", says="Singular values of the best logits, along depth", about="spectrum"),
    Chart("dnc_share", "", "dim", says="Share of starts of gradient descent that end in collapse", about="prevalence"),
    Chart("dnc_share", "", "weight_decay", says="The same along weight decay, at width 70", about="penalty"),
    Chart("fibre_dimension", "family simplex", "dim", says="Room around collapse: parameters with its logits"),
    Chart("minority_merge", LAYER, "ratio", ("train",), says="Largest cosine between head rows, along imbalance"),
    *HEAD_CHARTS,
)

SMOKE = PersistenceConfig(
    shallow_classes=(6,),
    deep_classes=(4,),
    depths=(3,),
    starts=2,
    spectrum_depths=(1, 3, 6),
    widths=(10, 40),
    width_starts=2,
    steps=600,
    penalties=(),
    head=smoke(CROSS_ENTROPY),
    ratios=(10.0,),
    tail=ImbalanceCase(largest=100, test_per_class=20, network=smoke(DeepHeadConfig(depth=1, weight_decay=2e-2))),
)
DESK = PersistenceConfig()
# Widths as in the paper's sweep, as we read it, and 5 000 images a class; its ResNet-20 is a perceptron here.
PAPER = PersistenceConfig(
    widths=(10, 20, 30, 50, 70, 100, 130, 160), starts=32, head=replace(CROSS_ENTROPY, per_class=5000)
)

EXPERIMENT = register(
    Experiment(
        name=NAME,
        title="Why deep neural collapse persists despite low-rank bias",
        citation="C. Garrod, J. P. Keating: The persistence of neural collapse despite low-rank bias. NeurIPS 38 "
        "(2025), arXiv 2410.23169",
        configs={"smoke": SMOKE, "desk": DESK, "paper": PAPER},
        seeds={"smoke": (0,), "desk": (0, 1, 2), "paper": (0, 1, 2)},
        cost={"smoke": "seconds", "desk": "6 minutes on two cores", "paper": "not run by us"},
        run=run,
        remarks=(
            "Starts are class means with entries of variance 1/dim; the paper does not state its own, and smaller "
            "ones end in lower ranks.",
            "The paper counts the parameters that give the same logits otherwise than we do, as we read it "
            "(fibre_dimension beside fibre_dimension_as_printed); Hessians have exactly our number of zero "
            "eigenvalues. That collapse gains room with width holds by both counts.",
            "Beyond the paper: along imbalance the optimum of one layer is certified at the penalties and counts "
            "of networks beside it. They end within 0.3 % of its loss; from ratio 10 on most of them give up the "
            "smallest class (training error up to 2.6 %), and their rows merge earlier than the optimum's.",
        ),
        cases=cases,
        claims=CLAIMS,
        charts=CHARTS,
        glosses=GLOSSES
        | HEAD_GLOSSES
        | {"merged_classes": "Classes whose row of the head equals that of another class."},
    )
)
