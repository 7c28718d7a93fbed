"""Fields of a configuration by name and as text."""

from __future__ import annotations

import json
from dataclasses import dataclass, field

import pytest

from caltrop.papers.experiment import plain
from caltrop.papers.fields import changed, from_plain


@dataclass(frozen=True)
class Inner:
    rate: float = 0.5


@dataclass(frozen=True)
class Config:
    epochs: int = 3
    rate: float = 0.1
    name: str = "mlp"
    widths: tuple[int, ...] = (4, 4)
    bias: bool = False
    limit: int | None = None
    inner: Inner = field(default_factory=Inner)

    def __post_init__(self):
        if self.epochs < 1:
            raise ValueError("epochs must be at least 1.")


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ({"epochs": "5"}, {"epochs": 5}),
        ({"rate": "1e-3"}, {"rate": 0.001}),
        ({"rate": "2"}, {"rate": 2.0}),
        ({"name": "resnet"}, {"name": "resnet"}),
        ({"name": "3"}, {"name": "3"}),
        ({"widths": "8 16,32"}, {"widths": (8, 16, 32)}),
        ({"widths": ""}, {"widths": ()}),
        ({"bias": "true"}, {"bias": True}),
        ({"limit": "7"}, {"limit": 7}),
        ({"limit": "none"}, {"limit": None}),
        ({"epochs": 9, "widths": [1, 2]}, {"epochs": 9, "widths": (1, 2)}),
    ],
)
def test_texts_and_values_are_read_as_the_field_type(text, expected):
    found = changed(Config(), text)
    for name, value in expected.items():
        assert getattr(found, name) == value
        assert type(getattr(found, name)) is type(value)


@pytest.mark.parametrize(
    ("changes", "why"),
    [
        ({"epoch": "5"}, "Config has no field 'epoch'; did you mean epochs"),
        ({"zzz": "5"}, "Config has no field 'zzz'; fields are epochs, rate"),
        ({"epochs": "many"}, "epochs='many' is not of the type int; it is 3 by default"),
        ({"epochs": "2.5"}, "epochs='2.5' is not of the type int"),
        ({"epochs": True}, "epochs=True is not of the type int"),
        ({"bias": "1"}, "bias='1' is not of the type bool"),
        ({"epochs": "0"}, "epochs must be at least 1"),
    ],
)
def test_what_does_not_fit_is_refused(changes, why):
    with pytest.raises(ValueError, match=why):
        changed(Config(), changes)


def test_a_configuration_survives_json():
    config = Config(epochs=7, rate=1 / 3, widths=(1, 2, 3), limit=4, inner=Inner(0.25))
    assert from_plain(Config, json.loads(json.dumps(plain(config)))) == config


def test_a_field_within_a_field_is_named_with_a_dot():
    assert changed(Config(), {"inner.rate": "0.25", "epochs": 4}) == Config(epochs=4, inner=Inner(0.25))
    with pytest.raises(ValueError, match="Inner has no field 'rat'; did you mean rate"):
        changed(Config(), {"inner.rat": "1"})
    with pytest.raises(ValueError, match=r"Config has no field 'epochs\.rate'"):
        changed(Config(), {"epochs.rate": "1"})
