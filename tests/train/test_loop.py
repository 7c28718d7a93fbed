"""The training loop: the same numbers for the same seed, and nothing left behind."""

from __future__ import annotations

import math

import pytest
import torch
from torch import nn
from torch.nn.functional import cross_entropy

from caltrop.data import Batches, clusters
from caltrop.models import Mlp
from caltrop.train import TrainConfig, train

CONFIG = TrainConfig(epochs=3, batch_size=16, learning_rate=0.05, seed=5)


def loaders(seed: int = 0) -> dict[str, Batches]:
    drawn = clusters(80, 6, 4, sigma=0.3, seed=seed)
    inputs, labels = torch.from_numpy(drawn.features), torch.from_numpy(drawn.labels)
    return {"train": Batches(inputs[:64], labels[:64], 16), "test": Batches(inputs[64:], labels[64:], 16)}


def network(dropout: float = 0.0) -> nn.Module:
    torch.manual_seed(0)
    return nn.Sequential(nn.Dropout(dropout), Mlp(6, (12,), 4))


def run(config: TrainConfig = CONFIG, **options):
    model = network(dropout=0.2)
    return model, train(model, loaders(), config, progress=False, **options)


def losses(trained):
    return [row for row in trained.rows if row.measure == "loss"]


def test_the_same_seed_gives_the_same_bits_whatever_the_caller_draws():
    first_model, first = run()
    torch.manual_seed(123)
    torch.rand(7)
    second_model, second = run()
    assert first.rows == second.rows
    for name, values in first_model.state_dict().items():
        assert torch.equal(values, second_model.state_dict()[name])


def test_another_seed_gives_other_numbers():
    other = run(TrainConfig(**{**vars(CONFIG), "seed": 6}))[1]
    assert losses(run()[1])[-1].value != losses(other)[-1].value


def test_the_callers_random_state_is_untouched():
    model = network(dropout=0.5)
    before = torch.get_rng_state()
    train(model, loaders(), CONFIG, on_epoch=lambda epoch: torch.rand(3), progress=False)
    assert torch.equal(torch.get_rng_state(), before)


def test_loss_rows_are_the_mean_loss_in_evaluation_mode():
    model, trained = run()
    model.eval()
    parts = loaders()
    last = {row.split: row for row in losses(trained) if row.step == CONFIG.epochs}
    assert set(last) == {"train", "test"}
    for split, row in last.items():
        loss = cross_entropy(model(parts[split].inputs).double(), parts[split].labels)
        # one batch here, four there: float32 logits agree to about 1e-6
        assert row.value == pytest.approx(loss.item(), rel=1e-5)
        assert (row.layer, row.measure, row.symbol, row.seed) == ("", "loss", "L", 5)


def test_training_lowers_the_loss_from_the_untrained_network():
    trained = run(TrainConfig(epochs=10, batch_size=16, learning_rate=0.05))[1]
    found = [row.value for row in losses(trained) if row.split == "train"]
    assert found[-1] < found[0] / 2


def test_measuring_happens_at_the_epochs_asked_for_and_sees_trained_weights():
    seen = []
    model = network()
    start = model[1].head.weight.detach().clone()

    def look(epoch: int) -> None:
        seen.append((epoch, torch.equal(model[1].head.weight, start)))

    trained = train(model, loaders(), CONFIG, look, measured_epochs={0, 2, 3}, progress=False)
    assert seen == [(0, True), (2, False), (3, False)]
    assert [row.step for row in losses(trained) if row.split == "train"] == [0, 2, 3]


def test_looking_does_not_change_the_training():
    watched = run(on_epoch=lambda epoch: None, measured_epochs=[0, 1, 2, 3])[1]
    alone = run(measured_epochs=[3])[1]
    assert tuple(row for row in watched.rows if row.step == 3) == alone.rows


def test_errors_are_counted_in_evaluation_mode_on_the_whole_training_set():
    model, trained = run()
    part = loaders()["train"]
    errors = int((model.eval()(part.inputs).argmax(dim=1) != part.labels).sum())
    assert (trained.phase.epoch, trained.phase.errors) == (3, errors)


def test_separable_clusters_reach_the_terminal_phase():
    drawn = clusters(64, 6, 4, sigma=0.02)
    part = Batches(torch.from_numpy(drawn.features), torch.from_numpy(drawn.labels), 16)
    config = TrainConfig(epochs=12, batch_size=16, learning_rate=0.05)
    phase = train(network(), {"train": part}, config, progress=False).phase
    assert phase.reached
    assert phase.first is not None
    assert phase.first < 12


@pytest.mark.parametrize("error", [KeyboardInterrupt, RuntimeError])
def test_an_interruption_passes_through_and_leaves_the_model_clean(error):
    model = network()
    model[0].eval()
    before = torch.get_rng_state()

    def interrupt(epoch: int) -> None:
        if epoch == 2:
            raise error("now")

    with pytest.raises(error, match="now"):
        train(model, loaders(), CONFIG, interrupt, measured_epochs={2}, progress=False)
    assert [module.training for module in (model, *model)] == [True, False, True]
    assert all(parameter.grad is None for parameter in model.parameters())
    assert all(parameter.isfinite().all() for parameter in model.parameters())
    assert torch.equal(torch.get_rng_state(), before)


def test_an_interruption_inside_a_step_leaves_the_model_clean():
    model = network()
    calls = []

    def interrupt(module, inputs):
        calls.append(module.training)
        if calls.count(True) == 3:
            raise KeyboardInterrupt("now")

    model.register_forward_pre_hook(interrupt)
    with pytest.raises(KeyboardInterrupt, match="now"):
        train(model, loaders(), CONFIG, progress=False)
    assert model.training
    assert all(parameter.grad is None for parameter in model.parameters())


def test_a_loss_that_is_not_finite_stops_the_training_before_it_spoils_the_weights():
    parts = loaders()
    parts["train"].inputs[10] = math.nan
    model = network()
    with pytest.raises(FloatingPointError, match=r"the loss is nan in epoch 1, batch \d of 4.*Lower the"):
        train(model, parts, CONFIG, progress=False)
    assert all(parameter.isfinite().all() for parameter in model.parameters())


def test_the_splits_must_have_one_to_train_on():
    with pytest.raises(ValueError, match=r"splits are \['test'\]; one must be called \"train\""):
        train(network(), {"test": loaders()["test"]}, CONFIG)


def test_measuring_epochs_beyond_the_last_are_refused():
    with pytest.raises(ValueError, match=r"measuring epochs \[-1, 4\] lie outside 0\.\.3"):
        train(network(), loaders(), CONFIG, measured_epochs=[-1, 2, 4])


def test_a_last_batch_of_one_is_refused_where_batch_norm_could_not_train_on_it():
    parts = loaders()
    one_too_many = {"train": Batches(parts["train"].inputs[:33], parts["train"].labels[:33], 16)}
    with pytest.raises(ValueError, match="last batch of 33 samples holds a single one"):
        train(network(), one_too_many, CONFIG, progress=False)
    plain = Mlp(6, (12,), 4, batch_norm=False)
    assert train(plain, one_too_many, CONFIG, progress=False).phase.epoch == 3


@pytest.mark.parametrize("progress", [True, False])
def test_progress_without_a_terminal_is_a_line_on_stderr_per_measuring_epoch(capsys, progress):
    train(network(), loaders(), CONFIG, measured_epochs=[1, 3], progress=progress)
    out, err = capsys.readouterr()
    assert out == ""
    lines = err.splitlines()
    assert [line.split(":")[0] for line in lines] == (["epoch 1 of 3", "epoch 3 of 3"] if progress else [])
    assert all(" errors of 64" in line for line in lines)


def test_progress_on_a_terminal_is_a_bar_on_stderr(capsys, monkeypatch):
    monkeypatch.setattr("sys.stderr.isatty", lambda: True)
    monkeypatch.setenv("TERM", "xterm")
    train(network(), loaders(), CONFIG)
    out, err = capsys.readouterr()
    assert out == ""
    assert "training, epoch" in err
    assert "epoch 3 of 3:" not in err
