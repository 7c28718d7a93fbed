"""Made-up experiments: seeds, closed forms beside them, claims with every outcome, a sweep, and very many rows."""

from __future__ import annotations

import functools
import math
from dataclasses import replace

import numpy as np

from caltrop.rows import CONTRADICTED, INCONCLUSIVE, REPRODUCED, Chart, Row, Rows, Study, Verdict
from report.studies import COURSES, EPOCHS, demo_study

HIDDEN = ("blocks.0", "blocks.1", "head:input")
HEAD = HIDDEN[-1]
NETWORK = {
    # name: symbol, value at the first epoch, at the last, of the features model
    "training_error": ("", 0.061, 0.0, None),
    "weight_decay_time": ("", 0.0, 7.9, None),
    "penalised_loss": ("", 1.71, 0.402, 0.391),
    "head_norm": ("‖W‖", 6.2, 3.31, 3.18),
    "feature_norm": ("‖h−μ_G‖", 14.0, 6.4, 6.21),
    "logit_scale": ("α", 4.4, 8.93, 9.12),
}
REQUIRES = (
    "every training sample is classified correctly at the end (training error 0)",
    "weight decay had time to act: at least 5 weight-decay times",
)


@functools.cache
def experiment_study(seeds: tuple[int, ...] = (0, 1, 2)) -> Study:
    """A paper's run: three seeds, two splits, three layers, a closed form, claims with all three outcomes."""
    rows = [row for seed in seeds for row in _of_seed(seed)]
    shown = demo_study(layers=HIDDEN)
    return Study(
        rows=Rows.of(rows),
        per_class=shown.per_class,
        pictures=shown.pictures,
        title="Prevalence of neural collapse in the terminal phase of training",
        clock="epoch",
        notes=(
            "Beside the network stands the one-layer unconstrained features model, λ_H = 0.00391 fitted to the network "
            "at its last epoch: λ_W‖W‖² = λ_H‖H−μ_G‖².",
            "Class means and values of single classes are those of seed 0.",
        ),
        provenance={"experiment": "papyan2020prevalence", "scale": "desk", "status": "complete", "seeds": list(seeds)},
        verdicts=verdicts(),
        charts=(
            Chart("within_class_variability", HEAD, says="NC1: features shrink to their class means"),
            Chart("angle_deviation", HEAD, says="NC2: the class means spread to equal angles"),
            Chart("self_duality_gap", HEAD, says="NC3: the head aligns with the class means"),
            Chart("penalised_loss", "", splits=("train",), says="Loss with penalties, beside the features model"),
            Chart("logit_scale", "", splits=("train",), says="Scale of the logits, beside what the model predicts"),
            Chart("coherence", "nowhere", says="a chart without any rows"),
        ),
    )


def verdicts(paper: str = "papyan2020prevalence") -> tuple[Verdict, ...]:
    """One claim of every outcome and length."""
    return (
        Verdict(
            f"{paper}/variability-falls",
            REPRODUCED,
            37.4217,
            "at least 10",
            "37.42, 95 % interval 33.91 to 40.18 (mean over 3 seeds, bootstrap interval) is at least 10",
            interval=(33.9102, 40.1841),
            says="Within-class variability (NC1) at the last layer falls at least tenfold during training.",
            where="abstract; figure 6, panel “MNIST”",
            quantity="NC1 of the training images at the head's input after the first epoch, over that at the end",
            threshold="ours: ordinary training to zero error moves it by a factor of two to five; ten needs the "
            "terminal phase",
            requires=REQUIRES,
            charts=((HEAD, "within_class_variability"),),
        ),
        Verdict(
            f"{paper}/angles-equalise",
            CONTRADICTED,
            2.41,
            "at least 3",
            "2.41, 95 % interval 2.2 to 2.7 (mean over 3 seeds, bootstrap interval) is not at least 3",
            interval=(2.2, 2.7),
            says="The class means approach the equal, widest possible angles of a simplex: their deviation falls "
            "threefold between the first epoch and the end of training, at the last layer and on the training images.",
            where="abstract",
            quantity="mean over pairs of |cos + 1/(K−1)| after the first epoch, over that at the end",
            threshold="ours: the deviation ends at the sampling noise of the class means",
            requires=REQUIRES,
            charts=((HEAD, "angle_deviation"), (HEAD, "norm_deviation")),
        ),
        Verdict(
            f"{paper}/head-aligns",
            INCONCLUSIVE,
            None,
            "at most 0.15",
            "precondition unmet (weight decay had time to act: at least 5 weight-decay times): seed 1 had 3.2 and "
            "seed 2 had 3.1 weight-decay times, so missing alignment would only mean that it is too early",
            says="The rows of the head align with the class means (self-duality, NC3).",
            where="abstract",
            quantity="‖W/‖W‖ − M/‖M‖‖ at the end, in [0, 2]",
            threshold="ours: unaligned directions give √2, and .15 is a mean angle of about 9°",
            requires=REQUIRES,
            charts=((HEAD, "self_duality_gap"),),
        ),
        Verdict(
            f"{paper}/nearest-centre",
            REPRODUCED,
            0.0,
            "exactly 0",
            "0 is exactly 0",
            says="The network decides as the nearest class mean does (NC4).",
            where="abstract",
            quantity="share of training samples on which head and nearest class mean differ at the end",
            threshold="the paper's limit itself: no sample is decided differently",
            requires=REQUIRES,
            charts=((HEAD, "nearest_centre_disagreement"), ("never measured", "nothing")),
        ),
    )


@functools.cache
def sweep_study() -> Study:
    """Six depths solved from two seeds, the closed form of each beside them, and along the solver's iterations."""
    depths = (1, 2, 3, 4, 6, 8)
    rows = []
    for depth in depths:
        case = f"depth={depth}"
        rows.append(Row("features", "effective_rank", "r_e", 9.0 - depth, "closed form", None, case, at_collapse=9.0))
        for seed in (0, 1):
            wobble = 1 + 0.03 * np.random.default_rng(100 * depth + seed).standard_normal(4)
            for place, step in enumerate((1, 10, 100, 1000)):
                value = (9.0 - depth + 5 / (1 + step)) * wobble[place]
                rows.append(Row("features", "effective_rank", "r_e", value, "solved", seed, case, "all", step))
    return Study(
        rows=tuple(rows),
        title="Deep unconstrained features",
        clock="iteration",
        verdicts=verdicts("sukenik2024multiclass")[:2],
        charts=(
            Chart("effective_rank", "features", across="depth", says="Rank against depth"),
            Chart("effective_rank", "features", says="Rank along the iterations"),
            Chart("effective_rank", "features", across="name", says="Nothing that has a number"),
        ),
        cases={f"depth={depth}": {"depth": depth, "name": "deep"} for depth in depths},
    )


@functools.cache
def wide_study() -> Study:
    """A million rows: 20 seeds, 2 splits, 25 layers, 25 measures, 40 steps."""
    return _grid(seeds=20, splits=("train", "test"), layers=25, measures=25, steps=40)


@functools.cache
def long_study() -> Study:
    """A million rows: 1 seed, 10 layers, 10 measures, 10 000 steps."""
    return _grid(seeds=1, splits=("train",), layers=10, measures=10, steps=10_000)


def _grid(seeds: int, splits: tuple[str, ...], layers: int, measures: int, steps: int) -> Study:
    names = list(COURSES)[:measures]
    rng = np.random.default_rng(5)
    when = np.arange(1, steps + 1)
    shape = (seeds, len(splits), layers, len(names), steps)
    places = np.meshgrid(*(np.arange(size) for size in shape), indexing="ij")
    seed, split, layer, measure, step = (place.reshape(-1).astype(np.int32) for place in places)
    values = (1.0 + layer) * when[step] ** -0.5 * np.exp(0.1 * rng.standard_normal(len(seed)))
    same = np.zeros(len(seed), dtype=np.int32)
    coded = {
        "origin": (("trained",), same),
        "seed": (tuple(range(seeds)), seed),
        "case": ((None,), same),
        "split": (splits, split),
        "step": (tuple(when.tolist()), step),
        "layer": (tuple(f"blocks.{place}" for place in range(layers)), layer),
        "measure": (tuple(names), measure),
        "symbol": (("",), same),
        "at_collapse": ((0.0,), same),
        "reason": ((None,), same),
        "note": ((None,), same),
    }
    missing = np.full(len(seed), math.nan)
    rows = Rows(
        {column: entries for column, (entries, _) in coded.items()},
        {column: codes for column, (_, codes) in coded.items()},
        {"value": values, "half_width": missing, "resolution": missing},
    )
    return Study(rows=rows, title="A million rows", clock="epoch")


def _of_seed(seed: int) -> list[Row]:
    rng = np.random.default_rng(seed)
    rows: list[Row] = []
    for row in demo_study(layers=HIDDEN).rows:
        value = row.value * math.exp(0.08 * rng.standard_normal())
        value = row.value if row.measure.startswith(("means_rank", "nearest", "accuracy")) else value
        rows.append(replace(row, value=value, seed=seed))
    for step in EPOCHS:
        share = math.log(step) / math.log(EPOCHS[-1])
        for name, (symbol, first, last, _) in NETWORK.items():
            value = first + (last - first) * min(1.0, share * (2 if name == "training_error" else 1))
            noise = 1 + 0.03 * rng.standard_normal()
            rows.append(Row("", name, symbol, value * noise, seed=seed, split="train", step=step))
    fitted = "λ_H = 0.00391 fitted to the network at its last epoch"
    theory = [("within_class_variability", "NC1", 3e-31, HEAD), ("angle_deviation", "NC2", 0.0, HEAD)]
    theory += [("self_duality_gap", "NC3", 2.1e-17, HEAD), ("effective_rank", "r_e", 9.0, HEAD)]
    theory += [(name, symbol, value, "") for name, (symbol, _, _, value) in NETWORK.items() if value is not None]
    theory += [("fitted_feature_decay", "λ_H", 0.00391, "")]
    for name, symbol, value, layer in theory:
        value *= 1 + 0.01 * rng.standard_normal()
        rows.append(Row(layer, name, symbol, value, "closed form", seed, split="train", note=fitted))
    return rows
