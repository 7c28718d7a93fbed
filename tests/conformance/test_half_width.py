"""The sampling half-width against a jackknife that really deletes, and against sampling itself."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import t as student

from caltrop.observe import measure
from reference import half_width, twin, unequal

approx = pytest.approx
BLOCKS = 20
DRAWS = {
    "balanced": lambda: unequal([200] * 5, 10, dtype=np.float64),
    "long tail": lambda: unequal([640, 320, 160, 80, 40], 10, dtype=np.float64),
    "one-sample class": lambda: unequal([200, 200, 1, 200, 100], 10, dtype=np.float64),
    "float32": lambda: unequal([200] * 5, 10, offset=10.0),
}


def dealt(labels):
    """The blocks: the samples of each class in turn, each class starting one block later; none for an only one."""
    labels, blocks = np.asarray(labels), np.empty(len(labels), dtype=int)
    for place, label in enumerate(np.unique(labels)):
        rows = np.flatnonzero(labels == label)
        blocks[rows] = (place + np.arange(len(rows))) % BLOCKS if len(rows) > 1 else -1
    return blocks


def deleted(name, features, labels):
    """The half-width of the slow jackknife: 95 % of Student's t with one degree of freedom less than blocks."""
    return half_width(twin(name), features, labels, dealt(labels), multiplier=student.ppf(0.975, BLOCKS - 1))


@pytest.mark.parametrize("draw", DRAWS)
@pytest.mark.parametrize(
    ("name", "share"),
    [
        # ours moves the class means inside their span only, which is all that these two see to first order
        ("variability_ratio", 0.02),
        ("class_distance_normalized_variance", 0.02),
        # for the inverse, the means' moves out of the span cancel to first order where noise is isotropic
        ("within_class_variability", 0.06),
        ("within_class_variability_resolved", 0.06),
    ],
)
def test_the_half_width_is_that_of_deleting_blocks(name, share, draw):
    features, labels, *_ = DRAWS[draw]()
    found = measure(features, labels, measures=[name]).row("features", name).half_width
    assert found == approx(deleted(name, features, labels), rel=share)


INTERVALS = ["within_class_variability", "variability_ratio"]


@pytest.fixture(scope="module")
def population():
    """Rows of 60 draws from one population, by measure."""
    draw = np.random.default_rng(0)
    means, labels = draw.standard_normal((4, 8)), np.arange(200) % 4
    features = (means[labels] + 0.5 * draw.standard_normal((200, 8)) for _ in range(60))
    seen = [measure(sample, labels, measures=INTERVALS) for sample in features]
    return {name: [one.row("features", name) for one in seen] for name in INTERVALS}


@pytest.mark.slow
@pytest.mark.parametrize("name", INTERVALS)
def test_the_interval_covers_the_truth_nineteen_times_in_twenty(population, name):
    """60 draws: a coverage of .95 gives 57 hits with standard deviation 1.7."""
    rows = population[name]
    # the mean over draws stands for the truth of samples of this size
    truth = np.mean([row.value for row in rows])
    assert 51 <= sum(abs(row.value - truth) <= row.half_width for row in rows) <= 60


@pytest.mark.xfail(
    strict=True,
    reason="class means move inside their span only: with one dominant noise direction, correlated with the "
    "span, a first-order term is missed and the half-width of tr(Σ_W Σ_B⁺) is several times too small",
)
def test_one_dominant_direction_of_noise_does_not_fool_the_half_width():
    draw = np.random.default_rng(1)
    labels, means = np.repeat(np.arange(5), 200), draw.standard_normal((5, 30)) / np.sqrt(30)
    direction = draw.standard_normal(30)
    features = means[labels] + 0.3 * draw.standard_normal((1000, 1)) * direction
    features += 0.02 * draw.standard_normal((1000, 30))
    name = "within_class_variability"
    found = measure(features, labels, measures=[name]).row("features", name).half_width
    assert found == approx(deleted(name, features, labels), rel=0.5)
