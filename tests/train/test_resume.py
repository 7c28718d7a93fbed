"""Training that is interrupted and taken up again ends as if nothing had happened, to the last bit."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from caltrop.data import Batches, clusters
from caltrop.models import Mlp
from caltrop.record import Checkpoint
from caltrop.train import TrainConfig, train

CONFIG = TrainConfig(epochs=6, batch_size=16, learning_rate=0.05, weight_decay=0.01, seed=3)


class Stopped(Exception):  # noqa: N818 - stands for a kill
    pass


class Memory:
    def __init__(self, stop_after=None):
        self.seen, self.stop_after = [], stop_after

    def look(self, epoch):
        self.seen.append(epoch)

    def state(self):
        return {"seen": list(self.seen)}

    def restore(self, state):
        self.seen = list(state["seen"])


class Stopping(Checkpoint):
    """A checkpoint after whose n-th save the process is gone."""

    left = 1

    def save(self, state, *, done, total):
        super().save(state, done=done, total=total)
        self.left -= 1
        if self.left == 0:
            raise Stopped


def loaders():
    drawn = clusters(64, 6, 4, sigma=0.8, seed=1)
    return {"train": Batches(torch.from_numpy(drawn.features), torch.from_numpy(drawn.labels), 16)}


def network():
    # dropout draws from torch's generator, batch norm keeps running statistics: both must be taken up
    torch.manual_seed(0)
    return nn.Sequential(nn.Dropout(0.3), Mlp(6, (8,), 4))


def trained(checkpoint=None, memory=None):
    model = network()
    memory = memory or Memory()
    found = train(
        model,
        loaders(),
        CONFIG,
        memory.look,
        measured_epochs=[0, 1, 3, 6],
        progress=False,
        checkpoint=checkpoint,
        memory=memory,
    )
    return model.state_dict(), found, memory.seen


@pytest.fixture(autouse=True)
def own_random_state():
    before = torch.get_rng_state()
    yield
    torch.set_rng_state(before)


@pytest.mark.parametrize("saves", [1, 2, 3])
def test_a_training_taken_up_after_any_point_ends_with_the_same_bits(tmp_path, saves):
    whole_state, whole, whole_seen = trained()
    stopping = Stopping(tmp_path / "cell.partial")
    stopping.left = saves
    with pytest.raises(Stopped):
        trained(stopping)
    state, again, seen = trained(Checkpoint(tmp_path / "cell.partial"))
    assert again.rows == whole.rows
    assert again.phase == whole.phase
    assert seen == whole_seen == [0, 1, 3, 6]
    assert state.keys() == whole_state.keys()
    assert all(torch.equal(state[name], whole_state[name]) for name in state)


def test_a_checkpoint_changes_nothing_about_the_training(tmp_path):
    assert trained(Checkpoint(tmp_path / "cell.partial"))[1] == trained()[1]


def test_points_between_measuring_epochs_are_saved_when_time_has_passed(tmp_path, monkeypatch):
    monkeypatch.setattr("caltrop.train.loop._SAVE_SECONDS", -1.0)
    stopping = Stopping(tmp_path / "cell.partial")
    stopping.left = 5  # epochs 0 to 4, of which 2 and 4 are not measured
    with pytest.raises(Stopped):
        trained(stopping)
    assert Checkpoint(tmp_path / "cell.partial").load()["epoch"] == 4
    assert trained(Checkpoint(tmp_path / "cell.partial"))[1] == trained()[1]


def test_going_on_is_told(tmp_path, capsys):
    stopping = Stopping(tmp_path / "cell.partial")
    with pytest.raises(Stopped):
        trained(stopping)
    train(network(), loaders(), CONFIG, measured_epochs=[6], checkpoint=Checkpoint(tmp_path / "cell.partial"))
    assert "going on after epoch 0 of 6" in capsys.readouterr().err


def test_every_measured_epoch_says_training_error_and_weight_decay_time():
    _, found, _ = trained()
    by_measure = {
        measure: {row.step: row.value for row in found.rows if row.measure == measure}
        for measure in ("training_error", "weight_decay_time")
    }
    # 64 samples in batches of 16: four steps an epoch; cuts after 3.6 and 5.1 of 6 epochs
    rates = [0.05] * 3 + [0.005] * 2 + [0.0005]
    expected = {epoch: sum(rates[:epoch]) / 0.1 * 0.01 * 4 for epoch in (0, 1, 3, 6)}
    assert by_measure["weight_decay_time"] == pytest.approx(expected, rel=1e-12)
    assert by_measure["training_error"].keys() == expected.keys()
    assert by_measure["training_error"][6] == found.phase.errors / 64


def test_a_state_of_another_layout_begins_anew_and_ends_with_the_same_rows(tmp_path):
    stopping = Stopping(tmp_path / "cell.partial")
    with pytest.raises(Stopped):
        trained(stopping)
    state = Checkpoint(tmp_path / "cell.partial").load()
    del state["layout"], state["phase"]
    Checkpoint(tmp_path / "cell.partial").save(state, done=0, total=6)
    assert trained(Checkpoint(tmp_path / "cell.partial"))[1] == trained()[1]
