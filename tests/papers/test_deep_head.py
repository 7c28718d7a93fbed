"""A network with a deep head: its penalised loss is the features model's, and its rows say what a claim asks for."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch
from scipy.optimize import brentq
from torch import nn

from caltrop.data import Batches
from caltrop.models import DeepHead, with_deep_head
from caltrop.papers.deep_head import CROSS_ENTROPY, SQUARED_ERROR, DeepHeadConfig, run_deep_head, smoke
from caltrop.papers.head_rows import HeadRows
from caltrop.papers.session import Session, TimedCheckpoint
from caltrop.record import Checkpoint
from caltrop.rows import Rows
from caltrop.train import TrainConfig, train

TINY = DeepHeadConfig(
    images="digits", per_class=20, test_per_class=10, widths=(16,), dim=12, points=3, epochs=2, batch_size=50
)
KINDS = {
    "cross-entropy": {"loss": "cross_entropy", "depth": 3},
    "squared error behind ReLU": {"loss": "squared_error", "depth": 4, "relu": True},
}


@pytest.fixture(params=KINDS)
def kind(request):
    return KINDS[request.param]


def free_features(config, num_classes, per_class, seed=0):
    """A network whose backbone looks its feature up by the sample's number: the features model itself."""
    samples = num_classes * per_class
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        head = DeepHead(config.dim, num_classes, config.depth, relu=config.relu)
        model = with_deep_head(nn.Linear(samples, config.dim, bias=False), head).double()
        nn.init.normal_(model.backbone.weight, std=config.dim**-0.5)
    labels = torch.arange(num_classes).repeat_interleave(per_class)
    return model, Batches(torch.eye(samples, dtype=torch.float64), labels, samples)


def measured(config, model, batches, num_classes, per_class):
    looked = HeadRows(model, batches, config.objective(per_class), config.weight_decay)
    looked.look(0)
    return Rows.of(looked.rows)


def params_of(model):
    *hidden, last = [weights.detach() for weights in model.head.weights]
    named = {f"weights_{number}": weights for number, weights in enumerate(hidden, start=1)}
    return {"features": model.backbone.weight.detach().T, **named, "weights": last}


def test_the_penalised_loss_of_a_network_is_that_of_the_features_model(kind):
    config = replace(TINY, feature_ratio=0.4, weight_decay=0.02, **kind)
    model, batches = free_features(config, 4, 3)
    rows = measured(config, model, batches, 4, 3)
    problem = config.problem(4, 3)
    params = params_of(model)
    assert rows.where(measure="penalised_loss").last() == pytest.approx(float(problem.loss(params)), rel=1e-13)
    assert rows.where(measure="fit").last() == pytest.approx(float(problem.fit(params)), rel=1e-13)
    costs = [row.value for row in rows if row.measure == "factor_cost"]
    assert costs == pytest.approx(problem.samples.balance(params).tolist(), rel=1e-13)
    assert rows.where(measure="balance_gap").last() == pytest.approx(
        (max(costs) - min(costs)) / (sum(costs) / len(costs)), rel=1e-12
    )


def test_layers_are_those_of_the_features_model(kind):
    config = replace(TINY, **kind)
    model, batches = free_features(config, 4, 3)
    rows = measured(config, model, batches, 4, 3)
    problem = config.problem(4, 3)
    params = params_of(model)
    expected = {**problem.layers(params), "logits": problem.logits(params)}
    assert set(rows.where(measure="means_singular_value_1").distinct("layer")) == set(expected)
    assert {*config.layers().values()} == set(expected)
    for layer, values in expected.items():
        means = values.reshape(4, 3, -1).mean(dim=1)
        spectrum = torch.linalg.svdvals(means).tolist()
        found = [
            rows.where(layer=layer, measure=f"means_singular_value_{number}").last()
            for number in range(1, len(spectrum) + 1)
        ]
        assert found == pytest.approx(spectrum, rel=1e-10, abs=1e-14)


@pytest.mark.slow
def test_with_free_features_training_ends_at_a_balanced_point_above_the_lower_bound():
    # two classes without ReLU: the closed form is the global optimum, so that training must end there
    config = replace(TINY, depth=2, weight_decay=0.02)
    model, batches = free_features(config, 2, 3)
    recipe = TrainConfig(epochs=600, learning_rate=0.5, momentum=0.9, weight_decay=0.02, batch_size=6, cuts=())
    train(model, {"train": batches}, recipe, objective=config.objective(3), measured_epochs=[600], progress=False)
    rows = measured(config, model, batches, 2, 3)
    optimal = config.problem(2, 3).optimal_value
    assert optimal is not None
    assert rows.where(measure="penalised_loss").last() == pytest.approx(optimal, rel=1e-10)
    assert rows.where(measure="balance_gap").last() == pytest.approx(0, abs=1e-6)
    assert rows.where(measure="means_rank_visible", layer="layer 2").last() == 1


@pytest.mark.parametrize(
    ("kind", "value"),
    [
        ({"depth": 3}, 0.2421977055),
        ({"depth": 4}, 0.2512307464),
        ({"depth": 4, "relu": True}, 0.2512307464),  # without ReLU, a lower bound
        ({"depth": 4, "relu": True, "loss": "squared_error", "feature_ratio": 5.0}, 0.1699795581),
    ],
)
def test_collapse_costs_at_these_penalties_what_our_notes_say(kind, value):
    from caltrop.papers.deep_head import _closed_forms

    rows, dnc, told = _closed_forms(replace(DeepHeadConfig(), **kind), 10, 500)
    assert dnc == pytest.approx(value, abs=6e-11)  # ten digits are noted
    assert Rows.of(rows).where(measure="penalised_loss").last() == dnc
    assert ("lower bound" in told) == (kind == {"depth": 4, "relu": True})


def test_collapse_of_squared_error_solves_its_scalar_equation():
    from caltrop.papers.deep_head import _closed_forms

    config = DeepHeadConfig(loss="squared_error", depth=4, relu=True)
    x = brentq(lambda x: x**0.6 * (1 - x) - 10 * 0.005, 0.5, 1, xtol=1e-15)
    assert _closed_forms(config, 10, 500)[1] == pytest.approx((1 - x) * (1 + 4 * x) / 2, rel=1e-12)


@pytest.mark.parametrize("config", [CROSS_ENTROPY, SQUARED_ERROR, smoke(CROSS_ENTROPY), smoke(SQUARED_ERROR)])
def test_the_recipes_last_five_weight_decay_times(config):
    classes = 10
    steps = -(-classes * config.per_class // config.batch_size)
    assert config.training(0).weight_decay_time(config.epochs, steps) >= 5
    assert config.objective(config.per_class).feature_decay * config.per_class == pytest.approx(0.005, rel=1e-15)


def run(config, checkpoint=None, seed=1):
    return run_deep_head(config, Session(seed, TimedCheckpoint(checkpoint), progress=False))


@pytest.mark.slow
def test_a_run_says_of_every_layer_and_epoch_what_claims_ask_for(kind):
    outcome = run(replace(TINY, **kind))
    rows = Rows.of(outcome.rows).where(origin="trained", split="train", seed=1)
    depth = kind["depth"]
    layers = [f"layer {number}" for number in range(1, depth + 1)]
    for step in (0, 1, 2):
        here = rows.where(step=step)
        for measure in ("penalised_loss", "loss_over_dnc", "low_rank_share", "training_error", "weight_decay_time"):
            assert len(here.where(measure=measure, layer="")) == 1, (measure, step)
        for share, rank_of in (("low_rank_share", "means_rank_visible"), ("vanished_rank_share", "means_rank")):
            ranks = [here.where(measure=rank_of, layer=layer).last() for layer in layers]
            assert here.where(measure=share).last() == sum(rank < 9 for rank in ranks) / depth
    assert {"training_error", "weight_decay_time", "contradictory_share", "balance_gap"} <= set(outcome.conditions)
    closed = Rows.of(outcome.rows).where(origin="closed form", measure="penalised_loss")
    ratio = rows.where(measure="penalised_loss").last() / closed.last()
    assert rows.where(measure="loss_over_dnc").last() == pytest.approx(ratio, rel=1e-12)
    assert rows.where(measure="penalised_loss").last() > Rows.of(outcome.rows).where(measure="lower_bound").last()
    # the network's own loss, in float32, and the float64 copy's
    assert rows.where(measure="fit").last() == pytest.approx(rows.where(measure="loss").last(), rel=1e-5)


class Stopped(Exception):  # noqa: N818 - stands for a kill
    pass


class Stopping(Checkpoint):
    def save(self, state, *, done, total):
        super().save(state, done=done, total=total)
        if done == 1:
            raise Stopped


@pytest.mark.slow
def test_an_interrupted_run_ends_with_the_same_rows(tmp_path):
    config = replace(TINY, loss="squared_error", depth=2, relu=True)
    with pytest.raises(Stopped):
        run(config, Stopping(tmp_path / "cell.partial"))
    assert Rows.of(run(config, Checkpoint(tmp_path / "cell.partial")).rows) == Rows.of(run(config).rows)


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"loss": "hinge"}, "choose one of cross_entropy, squared_error"),
        ({"widths": ()}, "at least one width"),
        ({"per_class": -1}, "must be 0"),
        ({"weight_decay": 0.0}, "has no minimiser"),
        ({"feature_ratio": 0.0}, "has no minimiser"),
        ({"depth": 0}, "must be 1 or more"),
        ({"epochs": 0}, "epochs=0"),
    ],
)
def test_configurations_without_a_sense_are_refused(fields, message):
    with pytest.raises(ValueError, match=message):
        DeepHeadConfig(**fields)
