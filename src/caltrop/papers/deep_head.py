"""A real network with a deep head under the penalties of the deep unconstrained features model, beside that model.

The backbone is free of penalties; weight decay λ_W acts on the head's matrices, and λ_H/2‖h‖² is added for every
training sample's features h, which enter the head. A backbone that can place every feature where it likes makes this
the deep features model itself, whose closed form of deep neural collapse (DNC) the trained loss is set against.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Any

from torch import nn
from torch.nn.functional import cross_entropy

from caltrop.data import ImageSet
from caltrop.models import DeepHead, Mlp, with_deep_head
from caltrop.observe import Observation
from caltrop.papers.experiment import Outcome
from caltrop.papers.head_rows import HeadRows
from caltrop.papers.images import balanced_images
from caltrop.papers.recipe import training_of
from caltrop.papers.session import Session
from caltrop.papers.training import conditions_of, train_watched
from caltrop.rows import Picture, Row, Rows
from caltrop.theory import DeepUfmCrossEntropy, DeepUfmMse
from caltrop.train import Objective, TrainConfig, Trained, log_spaced, squared_error
from caltrop.train.objective import Loss

LOSSES: dict[str, Loss] = {"cross_entropy": cross_entropy, "squared_error": squared_error}
# what is said of each layer; the rest of the measures is about heads of one matrix, or costs more than it tells here
_MEASURES = (
    "within_class_variability",
    "variability_ratio",
    "means_rank",
    "means_rank_resolved",
    "norm_deviation",
    "angle_deviation",
    "simplex_distance",
    "orthogonal_frame_distance",
    "self_duality_gap",
    "nearest_centre_disagreement",
    "accuracy",
)


@dataclass(frozen=True)
class DeepHeadConfig:
    """A network with a deep head, the images it is trained on, and how.

    images, per_class, test_per_class: as many images of every class (0 takes all). widths: hidden layers of the
    backbone, a multilayer perceptron without batch norm, so that training and evaluation are one function; a linear
    layer makes `dim` features of any sign of them. depth, relu, init_scale: of the head (`DeepHead`). loss:
    "cross_entropy" or "squared_error". weight_decay: λ_W. feature_ratio: n λ_H/λ_W with n samples of each class.
    points: how many epochs are measured. The rest is `TrainConfig`'s.
    """

    images: str = "mnist"
    per_class: int = 500
    test_per_class: int = 100
    widths: tuple[int, ...] = (256, 256)
    dim: int = 64
    depth: int = 3
    relu: bool = False
    init_scale: float = 1.0
    loss: str = "cross_entropy"
    weight_decay: float = 5e-3
    feature_ratio: float = 1.0
    points: int = 10
    epochs: int = 120
    batch_size: int = 128
    learning_rate: float = 0.1
    momentum: float = 0.9
    cuts: tuple[float, ...] = (0.6, 0.85)
    cut_factor: float = 0.1

    def __post_init__(self) -> None:
        if self.loss not in LOSSES:
            raise ValueError(f"loss={self.loss!r} is unknown; choose one of {', '.join(LOSSES)}.")
        if not self.widths or min(self.widths) < 1:
            raise ValueError(f"widths={self.widths} must hold at least one width of 1 or more.")
        if min(self.per_class, self.test_per_class) < 0:
            raise ValueError("per_class and test_per_class must be 0 (all images) or more.")
        if not (self.weight_decay > 0 and self.feature_ratio > 0):
            raise ValueError(
                f"weight_decay={self.weight_decay} and feature_ratio={self.feature_ratio} must be positive: without "
                "both penalties the features model beside the network has no minimiser."
            )
        DeepHead(self.dim, 2, self.depth, relu=self.relu, init_scale=self.init_scale)
        self.training(seed=0)
        log_spaced(self.epochs, min(self.points, self.epochs + 1))

    def training(self, seed: int) -> TrainConfig:
        """How the network is trained."""
        return training_of(self, seed)

    def objective(self, per_class: int) -> Objective:
        """What is minimised, with `per_class` training samples of every class."""
        return Objective(LOSSES[self.loss], "head", "head", self.feature_ratio * self.weight_decay / per_class)

    def problem(self, num_classes: int, per_class: int) -> DeepUfmCrossEntropy | DeepUfmMse:
        """The features model with these penalties."""
        kind = DeepUfmCrossEntropy if self.loss == "cross_entropy" else DeepUfmMse
        return kind(
            num_classes=num_classes,
            dim=self.dim,
            depth=self.depth,
            weight_decay=self.weight_decay,
            feature_decay=self.feature_ratio * self.weight_decay / per_class,
            per_class=per_class,
            relu=self.relu,
        )

    def build(self, images: ImageSet) -> nn.Module:
        """The untrained network for these images, from torch's global generator."""
        backbone = Mlp(images.train_inputs[0].numel(), self.widths, self.dim, batch_norm=False)
        head = DeepHead(self.dim, images.num_classes, self.depth, relu=self.relu, init_scale=self.init_scale)
        return with_deep_head(backbone, head)

    def layers(self) -> dict[str, str]:
        """What is measured: where it is in the network, and what it is called in rows (`HeadRows`)."""
        named = {"head.matrices.0:input": "layer 1"}
        for number in range(2, self.depth + 1):
            if self.relu:
                named[f"head.matrices.{number - 2}"] = f"layer {number} pre"
            named[f"head.matrices.{number - 1}:input"] = f"layer {number}"
        return {**named, f"head.matrices.{self.depth - 1}": "logits"}

    def describe(self, images: ImageSet) -> str:
        """The network in one line, for records."""
        sizes = "-".join(str(width) for width in (images.train_inputs[0].numel(), *self.widths, self.dim))
        kind = "with ReLU" if self.relu else "linear"
        return f"MLP {sizes}, then a head of {self.depth} matrices of width {self.dim}, {kind}, without bias"


# Chosen on seed 0, for cross-entropy by training error, balance and speed alone. Squared error got twice the epochs and
# later cuts after a look at its loss, which was still falling, at 1.005 of DNC, when the rate was cut at 60 % of 120.
CROSS_ENTROPY = DeepHeadConfig()
SQUARED_ERROR = DeepHeadConfig(loss="squared_error", depth=4, relu=True, epochs=240, cuts=(0.8, 0.95))


def smoke(config: DeepHeadConfig) -> DeepHeadConfig:
    """The same head and penalties on a smaller network and 500 small images: seconds, just five weight-decay times."""
    return replace(
        config,
        images="digits",
        per_class=50,
        test_per_class=20,
        widths=(64,),
        dim=32,
        points=5,
        epochs=125,
        batch_size=50,
        cuts=(0.8, 0.95),
    )


def run_deep_head(config: DeepHeadConfig, session: Session) -> Outcome:
    """Train one network, measure it along the way, and put the closed forms at its penalties beside it.

    Of every measured epoch: the rows of `train`, of `HeadRows`, measures of every layer of the head, and of the whole
    model `loss_over_dnc` (penalised loss over DNC's closed form) and `low_rank_share` (share of the layers "layer 1" to
    "layer L" whose class means have `means_rank_visible` below K−1), `low_rank_share_pre` (the same before ReLU) and
    `vanished_rank_share` (the same with `means_rank`, for which a direction must have shrunk to 1e-6 of the largest).
    """
    images, notes = balanced_images(
        config.images, session.seed, per_class=config.per_class, test_per_class=config.test_per_class
    )
    per_class = len(images.train_labels) // images.num_classes
    trained, seen, costs = train_head(config, session, images, config.objective(per_class))
    measured = seen.study()
    called = config.layers()
    layers = [replace(row, layer=called.get(row.layer, row.layer)) for row in measured.rows]
    rows = [*layers, *costs.rows, *trained.rows]
    theory, dnc, told = _closed_forms(config, images.num_classes, per_class)
    rows += _summary(config, (*layers, *costs.rows), images.num_classes, dnc)
    return Outcome(
        rows=[replace(row, seed=session.seed) for row in (*rows, *theory)],
        conditions={
            **conditions_of(images, trained),
            "balance_gap": Rows.of(costs.rows).where(measure="balance_gap").last(),
        },
        clock="epoch",
        notes=(trained.phase.sentence(), told, *notes, *measured.notes),
        pictures=_pictures(measured.pictures, called, config) if session.is_first else (),
        facts=_facts(config, images, session.seed),
    )


def train_head(
    config: DeepHeadConfig,
    session: Session,
    images: ImageSet,
    objective: Objective,
    *,
    measures: tuple[str, ...] = _MEASURES,
) -> tuple[Trained, Observation, HeadRows]:
    """A network trained to that objective, with all that was seen of it."""
    return train_watched(
        config,
        session,
        images,
        lambda model, batches: HeadRows(model, batches, objective, config.weight_decay),
        layers=tuple(config.layers()),
        head=f"head.matrices.{config.depth - 1}",
        measures=measures,
        objective=objective,
    )


def _pictures(pictures: Iterable[Picture], called: dict[str, str], config: DeepHeadConfig) -> tuple[Picture, ...]:
    """Those of the features and of what the last matrix is given; of every layer they would fill a page."""
    named = [replace(picture, layer=called[picture.layer]) for picture in pictures]
    return tuple(picture for picture in named if picture.layer in ("layer 1", f"layer {config.depth}"))


def _closed_forms(config: DeepHeadConfig, num_classes: int, per_class: int) -> tuple[list[Row], float, str]:
    """Rows of every family at the network's penalties, DNC's value, and a sentence about it.

    For cross-entropy behind ReLU "DNC" is the value without ReLU, which no collapsed point with ReLU lies below.
    """
    problem = config.problem(num_classes, per_class)
    families = problem.families()
    if isinstance(problem, DeepUfmCrossEntropy):
        dnc = problem.linear_simplex_value
        called = "a lower bound of DNC" if config.relu else "DNC"
    else:
        dnc = families["dnc"].value
        called = "DNC"
    assert dnc is not None  # classes are balanced
    values = {"dnc": dnc, **{name: family.value for name, family in families.items() if name not in ("dnc", "simplex")}}
    rows = [
        Row("", "penalised_loss", "L + penalties", dnc, origin="closed form", split="train", note=called),
        *(
            Row("", f"penalised_loss_{name}", "L + penalties", value, origin="closed form", split="train", note=name)
            for name, value in values.items()
        ),
        Row("", "lower_bound", "", problem.lower_bound, origin="closed form", split="train"),
    ]
    told = (
        f"Closed form of {called} at the network's penalties (λ_W = {config.weight_decay:g}, n λ_H = "
        f"{config.feature_ratio * config.weight_decay:g}): {dnc:.10g}."
    )
    return rows, dnc, told


def _summary(config: DeepHeadConfig, rows: Iterable[Row], num_classes: int, dnc: float) -> list[Row]:
    table = Rows.of(rows).where(split="train")
    layers = [f"layer {number}" for number in range(1, config.depth + 1)]
    before = [name if number == 0 or not config.relu else f"{name} pre" for number, name in enumerate(layers)]
    out = []
    for epoch, part in table.split_by("step").items():
        loss = part.where(measure="penalised_loss").last()
        ranks, strict = (
            {row.layer: row.value for row in part.where(measure=measure)}
            for measure in ("means_rank_visible", "means_rank")
        )
        numbers = {
            "loss_over_dnc": ("loss / DNC", loss / dnc),
            "low_rank_share": ("rank < K−1", _share_below(num_classes - 1, ranks, layers)),
            "low_rank_share_pre": ("rank < K−1", _share_below(num_classes - 1, ranks, before)),
            "vanished_rank_share": ("rank < K−1 (1e-6)", _share_below(num_classes - 1, strict, layers)),
        }
        out += [
            Row("", measure, symbol, value, split="train", step=epoch) for measure, (symbol, value) in numbers.items()
        ]
    return out


def _share_below(most: int, ranks: dict[str, float], layers: list[str]) -> float:
    return sum(ranks[layer] < most for layer in layers) / len(layers)


def _facts(config: DeepHeadConfig, images: ImageSet, seed: int) -> dict[str, Any]:
    per_class = len(images.train_labels) // images.num_classes
    return {
        "dataset": f"{images.name}: {len(images.train_labels)} training and {len(images.test_labels)} test images",
        "source": images.source,
        "network": config.describe(images),
        "recipe": config.training(seed).describe(config.objective(per_class)),
        "seed": seed,
    }
