"""The schedule of learning rates and of measuring epochs."""

from __future__ import annotations

import itertools

import pytest

from caltrop.train import TrainConfig, log_spaced


@pytest.mark.parametrize(("epoch", "rate"), [(1, 0.1), (60, 0.1), (61, 0.01), (85, 0.01), (86, 0.001), (100, 0.001)])
def test_the_learning_rate_is_cut_after_each_share_of_the_epochs(epoch, rate):
    config = TrainConfig(epochs=100, learning_rate=0.1, cuts=(0.6, 0.85), cut_factor=0.1)
    assert config.learning_rate_at(epoch) == pytest.approx(rate, rel=1e-12)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"epochs": 0}, "epochs=0"),
        ({"batch_size": 0}, "batch_size=0"),
        ({"learning_rate": 0.0}, "learning_rate=0.0 must be positive"),
        ({"momentum": 1.0}, "momentum=1.0 in"),
        ({"weight_decay": -1.0}, "weight_decay=-1.0 at least 0"),
        ({"learning_rate": float("nan")}, "learning_rate=nan must be positive"),
    ],
)
def test_impossible_recipes_are_refused(change, message):
    with pytest.raises(ValueError, match=message):
        TrainConfig(**change)


@pytest.mark.parametrize("last", [2, 3, 7, 13, 14, 40, 120, 1000])
@pytest.mark.parametrize("points", [3, 4, 8, 14, 25])
def test_measuring_epochs_increase_strictly_from_0_over_1_to_the_last(last, points):
    steps = log_spaced(last, points)
    assert steps[:2] == (0, 1)
    assert steps[-1] == last
    assert len(steps) == min(points, last + 1)
    assert all(later > earlier for earlier, later in itertools.pairwise(steps))


def test_large_steps_grow_by_a_constant_factor():
    assert log_spaced(10_000, 6) == (0, 1, 10, 100, 1000, 10_000)


def test_a_single_epoch_is_measured_before_and_after():
    assert log_spaced(1, 14) == (0, 1)


@pytest.mark.parametrize(("last", "points"), [(0, 5), (10, 2), (1, 1)])
def test_too_few_points_or_epochs_are_refused(last, points):
    with pytest.raises(ValueError, match=rf"log_spaced\(last={last}, points={points}\) is impossible"):
        log_spaced(last, points)
