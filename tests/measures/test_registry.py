"""The registry: what a measure is, how it is registered, found, evaluated and extended."""

from __future__ import annotations

import math

import pytest
import torch
from torch import Tensor

from caltrop import measures
from caltrop.measures import Undefined, registry
from caltrop.stats import ClassMoments, Head

approx = pytest.approx
MOMENTS = ClassMoments.of(torch.eye(3).repeat(2, 1), torch.arange(6) % 3, 3)
HEAD = Head.of(torch.eye(3))


@pytest.fixture
def own(monkeypatch):
    """A registry to write in: what a test registers is gone afterwards."""
    monkeypatch.setattr(registry._REGISTRY, "_things", dict(registry.registry()))
    return measures.measure(symbol="own", source="a test")


def test_needs_are_read_from_the_annotations(own):
    @own
    def counted(moments: ClassMoments, head: Head) -> float:
        return moments.num_samples + head.num_classes

    assert counted.needs == (ClassMoments, Head)
    assert counted(MOMENTS, HEAD) == 9
    assert measures.get("counted") is counted
    assert measures.names()[-1] == "counted"


def test_a_name_is_taken_only_once(own):
    def accuracy(moments: ClassMoments) -> float:
        return 1.0

    with pytest.raises(ValueError, match="'accuracy' is registered already"):
        own(accuracy)


@pytest.mark.parametrize(
    ("wrong", "offered"), [("acuracy", "accuracy"), ("nc1_within_class_variability", "within_class_variability")]
)
def test_an_unknown_name_offers_the_nearest(wrong, offered):
    with pytest.raises(KeyError, match=f"'{wrong}'; did you mean .*{offered}"):
        measures.get(wrong)


def test_a_name_like_no_other_points_to_the_list():
    with pytest.raises(KeyError, match=r"there are within_class_variability, .* in all\)"):
        measures.get("zzzzqqqq")


@pytest.mark.parametrize(
    ("given", "value", "reason"),
    [
        (0.5, 0.5, None),
        (math.nan, math.nan, "undefined: 0/0 in its formula"),
        (math.inf, math.inf, "infinite: a denominator is 0"),
        (Undefined("undefined: for a test"), math.nan, "undefined: for a test"),
        (Undefined("infinite: for a test", math.inf), math.inf, "infinite: for a test"),
    ],
)
def test_a_value_that_is_not_finite_always_has_a_reason(own, given, value, reason):
    @own
    def given_value(moments: ClassMoments) -> float:
        if isinstance(given, Exception):
            raise given
        return given

    measured = given_value.evaluate((MOMENTS,))
    assert measured.value == approx(value, nan_ok=True)
    assert measured.reason == reason
    assert given_value(MOMENTS) == approx(value, nan_ok=True)


def test_another_error_inside_a_measure_is_not_swallowed(own):
    @own
    def broken(moments: ClassMoments) -> float:
        raise ZeroDivisionError("a mistake in the code")

    with pytest.raises(ZeroDivisionError, match="a mistake"):
        broken(MOMENTS)


@pytest.mark.usefixtures("own")
def test_class_values_are_none_where_undefined():
    def by_class(moments: ClassMoments) -> Tensor:
        raise Undefined("undefined: for a test")

    @measures.measure(symbol="s", source="a test", per_class=by_class)
    def uneven(moments: ClassMoments) -> float:
        return 0.0

    assert uneven.by_class((MOMENTS,)) is None


@pytest.mark.usefixtures("own")
@pytest.mark.parametrize(("stated", "expected"), [(None, None), (0.25, 0.25), (lambda k, d: k / d, 2.0)])
def test_the_value_at_collapse_may_depend_on_classes_and_dimensions(stated, expected):
    @measures.measure(symbol="s", source="a test", at_collapse=stated)
    def stating(moments: ClassMoments) -> float:
        return 0.0

    assert stating.collapsed(10, 5) == expected


@pytest.mark.parametrize("name", measures.names())
def test_every_measure_explains_itself_with_formula_or_range(name):
    doc = measures.get(name).doc
    assert len(doc) > 40
    assert "$" in doc or "1e-6" in doc or "count" in doc.lower() or "`" in doc


@pytest.mark.parametrize("name", measures.names())
def test_invariances_are_of_the_known_words(name):
    assert set(measures.get(name).invariances) <= {"scale", "translation", "rotation"}
