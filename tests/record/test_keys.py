"""Keys of configurations: equal ones share it, and what cannot be a key is named."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import pytest

from caltrop.record import cell_key


@dataclass(frozen=True)
class Config:
    depth: int = 3
    widths: tuple[int, ...] = (4, 5)


def test_a_key_is_known_and_stays():
    # a change here would orphan every record on every disk
    assert cell_key({"depth": 3, "rate": 0.1}) == "1f549217dfa65259"


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ({"a": 1, "b": 2}, {"b": 2, "a": 1}),
        (Config(), {"depth": 3, "widths": [4, 5]}),
        ({"a": (1, 2)}, {"a": [1, 2]}),
        ({"a": np.int64(3), "b": np.float64(0.5), "c": np.True_}, {"a": 3, "b": 0.5, "c": True}),
    ],
)
def test_equal_configurations_share_a_key(one, other):
    assert cell_key(one) == cell_key(other)


def test_different_configurations_have_different_keys():
    configs = [1, 1.0, "1", True, None, [1], {"a": 1}, {"a": 1.0}, {"b": 1}, 0.1, 0.1 + 2**-56]
    assert len({cell_key(config) for config in configs}) == len(configs)


@pytest.mark.parametrize(
    ("config", "error", "why"),
    [
        ({"a": {"b": {1, 2}}}, TypeError, r"configuration\['a'\]\['b'\] is a set"),
        ({"a": [0.0, math.nan]}, ValueError, r"configuration\['a'\]\[1\] is nan"),
        ({3: 1}, TypeError, "has the key 3, a int"),
        (Config(widths=(1, object())), TypeError, r"widths\[1\] is a object"),
        (Config, TypeError, "is a type"),
    ],
)
def test_what_cannot_be_a_key_is_named(config, error, why):
    with pytest.raises(error, match=why):
        cell_key(config)
