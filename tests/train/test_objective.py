"""What is minimised: penalties against their definition, and the plain objective against a loop written out."""

from __future__ import annotations

import pytest
import torch
from torch import nn
from torch.nn.functional import cross_entropy

from caltrop.data import Batches, clusters
from caltrop.models import DeepHead, Mlp, with_deep_head
from caltrop.record import Checkpoint
from caltrop.train import Objective, TrainConfig, squared_error, train
from caltrop.train.objective import PLAIN

PENALISED = Objective(squared_error, "head", "head", 3e-3)


def loaders() -> dict[str, Batches]:
    drawn = clusters(64, 6, 4, sigma=0.5, seed=1)
    return {"train": Batches(torch.from_numpy(drawn.features), torch.from_numpy(drawn.labels), 16)}


def deep_network() -> nn.Sequential:
    torch.manual_seed(0)
    return with_deep_head(Mlp(6, (8,), 5, batch_norm=False), DeepHead(5, 4, 3, relu=True))


@pytest.fixture(autouse=True)
def own_random_state():
    before = torch.get_rng_state()
    yield
    torch.set_rng_state(before)


def written_out(model, objective, decayed, inputs, labels, weight_decay):
    """Fit and penalties over the whole training set, from the definition."""
    features = model.backbone(inputs)
    logits = model.head(features)
    errors = logits - torch.eye(4, dtype=logits.dtype)[labels]
    fit = (errors**2).sum() / (2 * len(labels))
    weights = sum((parameter**2).sum() for parameter in decayed)
    return fit + weight_decay / 2 * weights + objective.feature_decay / 2 * (features**2).sum()


def test_without_an_objective_training_is_the_loop_written_out_to_the_last_bit():
    config = TrainConfig(epochs=3, batch_size=16, learning_rate=0.05, weight_decay=0.01, cuts=(0.5,), seed=4)
    torch.manual_seed(0)
    model = Mlp(6, (12,), 4)
    torch.manual_seed(0)
    other = Mlp(6, (12,), 4)
    train(model, loaders(), config, progress=False)
    part = loaders()["train"]
    batches = Batches(part.inputs, part.labels, 16, shuffle_seed=4)
    optimizer = torch.optim.SGD(other.parameters(), 0.05, 0.9, weight_decay=0.01)
    for epoch in (1, 2, 3):
        optimizer.param_groups[0]["lr"] = config.learning_rate_at(epoch)
        for inputs, labels in batches:
            optimizer.zero_grad()
            cross_entropy(other(inputs), labels).backward()
            optimizer.step()
    for name, values in other.state_dict().items():
        assert torch.equal(model.state_dict()[name], values), name


def test_a_step_of_the_whole_set_follows_the_gradient_of_fit_and_penalties():
    model, before = deep_network().double(), deep_network().double()
    part = loaders()["train"]
    inputs, labels = part.inputs.double(), part.labels
    decay = 0.02
    before_head = list(before.head.parameters())
    loss = written_out(before, PENALISED, before_head, inputs, labels, decay)
    loss.backward()
    config = TrainConfig(epochs=1, batch_size=64, learning_rate=0.3, momentum=0.0, weight_decay=decay, cuts=())
    train(model, {"train": Batches(inputs, labels, 64)}, config, objective=PENALISED, progress=False)
    for parameter, start in zip(model.parameters(), before.parameters(), strict=True):
        torch.testing.assert_close(parameter, start - 0.3 * start.grad, rtol=1e-12, atol=1e-14)


def test_an_epoch_of_batches_is_the_loop_written_out_with_its_penalties():
    model, other = deep_network().double(), deep_network().double()
    part = loaders()["train"]
    inputs, labels = part.inputs.double(), part.labels
    config = TrainConfig(epochs=1, batch_size=24, learning_rate=0.1, momentum=0.0, weight_decay=0.02, cuts=(), seed=4)
    train(model, {"train": Batches(inputs, labels, 64)}, config, objective=PENALISED, progress=False)
    for rows, classes in Batches(inputs, labels, 24, shuffle_seed=4):  # the last one has 16 samples
        features = other.backbone(rows)
        fit = ((other.head(features) - torch.eye(4, dtype=rows.dtype)[classes]) ** 2).sum(dim=1).mean() / 2
        weights = sum((parameter**2).sum() for parameter in other.head.parameters())
        ridge = 64 * PENALISED.feature_decay * (features**2).sum(dim=1).mean()
        gradients = torch.autograd.grad(fit + 0.02 / 2 * weights + ridge / 2, list(other.parameters()))
        with torch.no_grad():
            for parameter, gradient in zip(other.parameters(), gradients, strict=True):
                parameter -= 0.1 * gradient
    for found, expected in zip(model.parameters(), other.parameters(), strict=True):
        torch.testing.assert_close(found, expected, rtol=1e-12, atol=1e-14)


def test_equal_batches_share_the_penalised_loss_of_the_whole_set():
    model = deep_network().double()
    part = loaders()["train"]
    inputs, labels = part.inputs.double(), part.labels
    spans = [slice(i, i + 16) for i in range(0, 64, 16)]
    parts = [PENALISED.of_batch(model, inputs[span], labels[span], 64).detach() for span in spans]
    whole = written_out(model, PENALISED, [], inputs, labels, 0.0)
    assert float(sum(parts) / 4) == pytest.approx(whole.item(), rel=1e-13)


def test_loss_rows_are_the_fit_without_penalties():
    model = deep_network()
    config = TrainConfig(epochs=1, batch_size=16, learning_rate=0.05)
    trained = train(model, loaders(), config, objective=PENALISED, progress=False)
    part = loaders()["train"]
    fit = squared_error(model(part.inputs).double(), part.labels).item()
    (row,) = [row for row in trained.rows if row.measure == "loss" and row.step == 1]
    assert row.value == pytest.approx(fit, rel=1e-6)  # float32 logits in batches of another size


@pytest.mark.parametrize("error", [False, True])
def test_no_hook_is_left_on_the_model(error):
    model = deep_network()
    part = loaders()["train"]
    inputs = part.inputs[:, :3] if error else part.inputs
    if error:
        with pytest.raises(RuntimeError, match="shapes cannot be multiplied"):
            PENALISED.of_batch(model, inputs, part.labels, 64)
    else:
        PENALISED.of_batch(model, inputs, part.labels, 64)
    assert not model.head._forward_pre_hooks


def test_training_with_penalties_is_taken_up_to_the_last_bit(tmp_path):
    class Stopped(Exception):  # noqa: N818 - stands for a kill
        pass

    class Stopping(Checkpoint):
        def save(self, state, *, done, total):
            super().save(state, done=done, total=total)
            if done == 2:
                raise Stopped

    config = TrainConfig(epochs=4, batch_size=16, learning_rate=0.05, weight_decay=0.01)

    def trained(checkpoint):
        model = deep_network()
        options = {"measured_epochs": [0, 2, 4], "checkpoint": checkpoint, "progress": False}
        found = train(model, loaders(), config, objective=PENALISED, **options)
        return model.state_dict(), found

    whole, rows = trained(None)
    with pytest.raises(Stopped):
        trained(Stopping(tmp_path / "cell.partial"))
    again, rows_again = trained(Checkpoint(tmp_path / "cell.partial"))
    assert rows_again == rows
    assert all(torch.equal(again[name], values) for name, values in whole.items())


def test_only_the_named_module_decays():
    decayed, free = PENALISED.groups(deep_network(), 0.1)
    assert (decayed["weight_decay"], free["weight_decay"]) == (0.1, 0.0)
    assert [tuple(parameter.shape) for parameter in decayed["params"]] == [(5, 5), (5, 5), (4, 5)]
    assert len(free["params"]) == 4
    (everything,) = PLAIN.groups(deep_network(), 0.1)
    assert len(everything["params"]) == 7


def test_squared_error_is_half_the_square_against_the_identity():
    logits = torch.tensor([[1.0, 0.0, 0.0], [0.5, 0.5, 2.0]])
    labels = torch.tensor([0, 2])
    assert float(squared_error(logits, labels, reduction="sum")) == 0.75
    assert float(squared_error(logits, labels)) == 0.375


def test_the_recipe_says_what_is_minimised():
    config = TrainConfig(weight_decay=0.005)
    assert config.describe().startswith("SGD on cross-entropy, 120 epochs")
    assert "weight decay 0.005, learning rate" in config.describe()
    told = config.describe(PENALISED)
    assert told.startswith("SGD on squared-error, feature penalty 0.003 for each sample, 120 epochs")
    assert "weight decay 0.005 on head only" in told


@pytest.mark.parametrize("decay", [-1.0, float("nan"), float("inf")])
def test_an_impossible_feature_penalty_is_refused(decay):
    with pytest.raises(ValueError, match="must be finite and at least 0"):
        Objective(feature_decay=decay)
