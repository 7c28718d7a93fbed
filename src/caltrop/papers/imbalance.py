"""Unequal classes: a network trained on a long tail of counts, beside the certified optimum of the one-layer model.

The head is one matrix, and the features that enter it are penalised as the model's are, so that nothing is fitted: the
same counts and the same two penalties stand on both sides. How far the rows of small classes have merged is compared.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace

from caltrop.data import load_images
from caltrop.papers.deep_head import DeepHeadConfig, train_head
from caltrop.papers.experiment import Outcome
from caltrop.papers.session import Session
from caltrop.papers.training import conditions_of
from caltrop.rows import Row
from caltrop.solve import Imbalance, ImbalancePoint

# what `DeepHeadConfig.layers` calls the input of the head
LAYER = "layer 1"
MEASURES = ("minority_merge", "within_class_variability", "means_rank", "self_duality_gap", "accuracy")


@dataclass(frozen=True)
class ImbalanceCase:
    """A network with a one-matrix head on counts largest·ratio^(−k/(K−1)), and the model with the same penalties.

    ratio: largest count over smallest. largest, test_per_class: training images of the largest class, and test images
    of every class. feature_decay: λ_H of each sample. network: everything else; its own counts are not used.
    """

    ratio: float = 1.0
    largest: int = 500
    test_per_class: int = 100
    feature_decay: float = 4e-4
    network: DeepHeadConfig = field(default_factory=lambda: DeepHeadConfig(depth=1, weight_decay=2e-2, epochs=100))

    def __post_init__(self) -> None:
        # a ratio that is not possible is refused for any number of classes
        self.model(2).counts(self.ratio)

    @property
    def name(self) -> str:
        """What the case is called."""
        return f"imbalance, ratio {self.ratio:g}"

    def model(self, num_classes: int) -> Imbalance:
        """The one-layer models along the ratio."""
        return Imbalance(
            num_classes=num_classes,
            dim=self.network.dim,
            weight_decay=self.network.weight_decay,
            feature_decay=self.feature_decay,
            profile="long-tailed",
            largest=self.largest,
        )


def run_imbalance(case: ImbalanceCase, session: Session) -> Outcome:
    """Train the network, and put the certified optimum with its counts and penalties beside it."""
    images = load_images(case.network.images)
    model = case.model(images.num_classes)
    counts = model.counts(case.ratio)
    drawn = images.subset(counts, session.seed, test_per_class=case.test_per_class).standardised()
    objective = replace(case.network.objective(1), feature_decay=case.feature_decay)
    trained, seen, costs = train_head(case.network, session, drawn, objective, measures=MEASURES)
    called = case.network.layers()
    rows = [replace(row, layer=called.get(row.layer, row.layer)) for row in seen.study().rows]
    rows += [*costs.rows, *trained.rows, *_solved_rows(model.solved(case.ratio))]
    return Outcome(
        rows=[replace(row, seed=session.seed) for row in rows],
        conditions=conditions_of(drawn, trained),
        clock="epoch",
        notes=(trained.phase.sentence(), *((images.note,) if images.note else ())),
        facts={
            "dataset": f"{drawn.name}: training images per class {', '.join(map(str, counts))}",
            "source": drawn.source,
            "network": case.network.describe(drawn),
            "recipe": case.network.training(session.seed).describe(objective),
            "seed": session.seed,
        },
    )


def _solved_rows(point: ImbalancePoint) -> list[Row]:
    """The certified optimum: how far its rows have merged, and what it costs."""
    note = f"certified to {point.relative_gap:.1e} of its value"
    return [
        Row(LAYER, "minority_merge", "cos", point.minority_merge, "solved", split="train", reason=point.reason or None),
        Row("", "penalised_loss", "L+λ", point.value, "solved", split="train", note=note),
        Row("", "logit_rank", "rank", float(point.rank), "solved", split="train", note=note),
        Row("", "merged_classes", "count", float(len(point.merged)), "solved", split="train", note=note),
    ]
