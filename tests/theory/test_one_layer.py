"""One-layer unconstrained features models: loss and gradient by their slow definition, and what they refuse."""

from __future__ import annotations

import json
import subprocess
import sys

import numpy as np
import pytest
import torch

from caltrop.theory import UfmCrossEntropy, UfmMse
from reference import ufm

SIZE = {"num_classes": 3, "dim": 4, "weight_decay": 0.02, "feature_decay": 0.01}
both = pytest.mark.parametrize("kind", [UfmCrossEntropy, UfmMse])


@pytest.fixture(params=[None, (1, 2, 4)], ids=["equal", "unequal"])
def counts(request):
    return request.param


def drawn(problem):
    params = problem.init(seed=5)
    if problem.bias:
        params["bias"] = torch.tensor([0.3, -0.1, 0.7], dtype=torch.float64)
    arrays = {name: value.numpy().copy() for name, value in params.items()}
    return params, {"bias": np.zeros(3), **arrays}


def agrees(problem, value, slopes):
    """Loss, fit and gradient are those of the definition."""
    params, slow = drawn(problem)
    labels = problem.labels.tolist()
    expected = value(slow["features"], slow["weights"], slow["bias"], labels, 0.02, 0.01)
    parameters = {name: one.requires_grad_() for name, one in params.items()}
    loss = problem.loss(parameters)
    assert loss.item() == pytest.approx(expected, rel=1e-13)
    without = value(slow["features"], slow["weights"], slow["bias"], labels, 0.0, 0.0)
    assert problem.fit(params).item() == pytest.approx(without, rel=1e-13)
    loss.backward()
    logits = slow["features"] @ slow["weights"].T + slow["bias"]
    gradient = ufm.gradient(slopes(logits, labels), slow["features"], slow["weights"], 0.02, 0.01)
    for name, one in parameters.items():
        assert one.grad.numpy() == pytest.approx(gradient[name], abs=1e-14), name


@pytest.mark.parametrize("bias", [False, True])
@pytest.mark.parametrize("smoothing", [0.0, 0.3])
def test_cross_entropy_is_that_of_the_definition_sample_by_sample(counts, bias, smoothing):
    problem = UfmCrossEntropy(**SIZE, counts=counts, per_class=2, bias=bias, label_smoothing=smoothing)
    agrees(
        problem,
        lambda *point: ufm.cross_entropy(*point, smoothing=smoothing),
        lambda logits, labels: ufm.cross_entropy_slopes(logits, labels, smoothing),
    )


@pytest.mark.parametrize("bias", [False, True])
def test_squared_error_is_that_of_the_definition_sample_by_sample(counts, bias):
    agrees(UfmMse(**SIZE, counts=counts, per_class=2, bias=bias), ufm.squared_error, ufm.squared_error_slopes)


@both
def test_the_loss_keeps_the_precision_of_its_parameters(kind):
    problem = kind(**SIZE, per_class=2)
    single = {name: value.float() for name, value in problem.init(0).items()}
    assert problem.loss(single).dtype == torch.float32
    assert float(problem.loss(single)) == pytest.approx(float(problem.loss(problem.init(0))), rel=1e-5)


@pytest.mark.parametrize(("kind", "smallest"), [(UfmCrossEntropy, 2), (UfmMse, 1)])
@pytest.mark.parametrize("bias", [False, True])
def test_the_optimum_is_known_down_to_the_smallest_width_that_theory_covers(kind, smallest, bias):
    for dim in range(1, 6):
        problem = kind(**{**SIZE, "dim": dim, "bias": bias})
        assert (problem.optimum() is not None) is (dim >= smallest), dim
        assert (problem.optimal_value is not None) is (dim >= smallest), dim


@both
def test_equal_counts_are_balanced(kind):
    given, equal = kind(**SIZE, counts=(2, 2, 2)), kind(**SIZE, per_class=2)
    assert given.optimal_value == equal.optimal_value
    assert torch.equal(given.optimum().features, equal.optimum().features)


@both
def test_counts_may_be_any_sequence_and_problems_stay_comparable(kind):
    listed, spelled = kind(**SIZE, counts=[1, 2, 4]), kind(**SIZE, counts=(1, 2, 4))
    assert listed == spelled
    assert hash(listed) == hash(spelled)
    assert listed.counts == (1, 2, 4)


@both
@pytest.mark.parametrize("decay", [5e-324, 1e-200, 1e200])
def test_extreme_penalties_neither_underflow_nor_overflow(kind, decay):
    problem = kind(num_classes=3, dim=4, weight_decay=decay, feature_decay=decay)
    assert 0 <= problem.optimal_value < 1.1
    optimum = problem.optimum()
    assert optimum.is_zero is (decay > 1)
    assert all(bool(torch.isfinite(value).all()) for value in optimum.params.values())


@pytest.mark.parametrize(
    ("changes", "why"),
    [
        ({"num_classes": 1}, "num_classes=1 must be an integer of 2 or more: one class has nothing to be told apart"),
        ({"dim": 0}, "dim=0 must be an integer of 1 or more"),
        ({"weight_decay": 0.0}, r"weight_decay=0\.0 must be positive and finite: without .* the loss has no minimiser"),
        ({"feature_decay": -1.0}, r"feature_decay=-1\.0 must be positive"),
        ({"feature_decay": float("nan")}, "feature_decay=nan must be positive"),
        ({"feature_decay": float("inf")}, "feature_decay=inf must be positive and finite"),
        ({"per_class": 0}, "per_class=0 must be an integer of 1 or more: every class needs a sample"),
        ({"per_class": True}, "per_class=True must be an integer"),
        ({"counts": (1, 2)}, "counts has 2 entries, but num_classes=3"),
        ({"counts": (1, 0, 2)}, r"counts\[1\]=0 must be an integer of 1 or more"),
    ],
)
@both
def test_impossible_sizes_and_penalties_are_refused(kind, changes, why):
    with pytest.raises(ValueError, match=why):
        kind(**{**SIZE, **changes})


@pytest.mark.parametrize("smoothing", [-0.1, 1.0, float("nan")])
def test_impossible_smoothing_is_refused(smoothing):
    with pytest.raises(ValueError, match=r"label_smoothing=.* must lie in \[0, 1\)"):
        UfmCrossEntropy(**SIZE, label_smoothing=smoothing)


# While tests run, annotations refuse other types before the checks are reached: what a user sees is asked elsewhere.
OTHER_TYPES = """
import json, numpy as np
from caltrop.theory import UfmCrossEntropy
size = dict(num_classes=3, dim=4, weight_decay=0.02, feature_decay=0.01)
cases = [dict(num_classes=3.0), dict(per_class=2.5), dict(counts=(1, 2, 1.5)), dict(feature_decay="1e-3"),
         dict(weight_decay=None), dict(label_smoothing="0.1"), dict(dim=None)]
said = []
for changes in cases:
    try:
        said.append(repr(UfmCrossEntropy(**{**size, **changes})))
    except ValueError as error:
        said.append(str(error))
numbers = dict(num_classes=np.int64(3), dim=np.int32(4), weight_decay=np.float32(0.5), feature_decay=1,
               per_class=np.int16(2), counts=np.array([1, 2, 4]))
said.append(json.dumps(vars(UfmCrossEntropy(**numbers))))
print(json.dumps(said))
"""


def test_other_types_are_refused_by_name_and_numbers_of_numpy_become_those_of_python():
    printed = subprocess.run([sys.executable, "-c", OTHER_TYPES], capture_output=True, text=True, check=True).stdout
    *refused, stored = json.loads(printed)
    assert [message.split(" must ")[0] for message in refused] == [
        "num_classes=3.0",
        "per_class=2.5",
        "counts[2]=1.5",
        "feature_decay='1e-3'",
        "weight_decay=None",
        "label_smoothing='0.1'",
        "dim=None",
    ]
    expected = {"num_classes": 3, "dim": 4, "weight_decay": 0.5, "feature_decay": 1.0, "per_class": 2}
    assert json.loads(stored) == {**expected, "counts": [1, 2, 4], "bias": False, "label_smoothing": 0.0}
