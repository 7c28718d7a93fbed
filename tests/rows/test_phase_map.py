"""Phase maps: there and back through strict JSON, and what cannot be one."""

from __future__ import annotations

import json
import math
from dataclasses import replace

import pytest

from caltrop.record import read_study, write_study
from caltrop.rows import MapLine, PhaseMap, Study, to_json

MAP = PhaseMap(
    title="4 classes",
    across="penalty λ",
    up="depth L",
    columns=(1e-3, 1e-2, 1e-1),
    rows=(1.0, 2.0),
    categories=(("simplex", "simplex", "zero"), ("pairs", "pairs", "zero")),
    numbers={"least loss": ((0.1, 0.2, 0.3), (0.4, math.nan, 0.6)), "share": ((0.0, 0.5, 1.0), (math.nan, 0.1, 0.2))},
    shown="share",
    between=("least loss", "share"),
    lines=(MapLine("ties", (0.05, math.nan), "left of it"), MapLine("exists", (0.07, 0.06))),
    says="A caption.",
    group="A heading",
)


def test_a_map_is_read_back_as_it_was_written():
    written = to_json(MAP.as_dict())
    again = PhaseMap.from_dict(json.loads(written, parse_constant=lambda constant: pytest.fail(constant)))
    # NaN differs from itself, so the texts are compared; and what is not NaN as such
    assert to_json(again.as_dict()) == written
    assert replace(again, numbers={}, lines=(), shown=None, between=None) == replace(
        MAP, numbers={}, lines=(), shown=None, between=None
    )
    assert math.isnan(again.numbers["least loss"][1][1])
    assert math.isnan(again.lines[0].places[1])
    assert again.lines[1] == MAP.lines[1]


def test_a_study_keeps_its_maps_on_disk(tmp_path):
    study = Study(rows=(), maps=(MAP, replace(MAP, title="another")))
    assert read_study(write_study(study, tmp_path)).as_dict() == study.as_dict()
    assert [one.title for one in read_study(tmp_path).maps] == ["4 classes", "another"]


def test_a_study_that_was_written_without_maps_is_read():
    old = Study(rows=()).as_dict()
    del old["maps"]
    assert Study.from_dict(old).maps == ()


@pytest.mark.parametrize(
    ("changes", "why"),
    [
        ({"columns": ()}, "its axis penalty λ does not increase"),
        ({"columns": (1.0, 1.0, 2.0)}, "its axis penalty λ does not increase"),
        ({"rows": (2.0, 1.0)}, "its axis depth L does not increase"),
        ({"rows": (2.0, math.nan)}, "its axis depth L does not increase"),
        ({"categories": (("a", "b", "c"),)}, "categories has not 2 rows of 3"),
        ({"categories": (("a", "b"), ("a", "b"))}, "categories has not 2 rows of 3"),
        ({"numbers": {"share": ((0.0, 0.5), (0.1, 0.2))}}, "share has not 2 rows of 3"),
        ({"lines": (MapLine("ties", (0.1,)),)}, "the line 'ties' has not a place for each of 2 rows"),
        ({"shown": "none"}, "there is no number 'none'"),
        ({"between": ("share", "none")}, "there is no number 'none'"),
        ({"numbers": {"share": ((0.0, 0.5, 1.1),) * 2}, "between": None}, "'share' is no share"),
        ({"categories": (), "shown": None}, "neither categories nor a number"),
    ],
)
def test_what_does_not_fit_together_is_refused(changes, why):
    with pytest.raises(ValueError, match=f"the map '4 classes' cannot be: .*{why}"):
        replace(MAP, **changes)


def test_a_damaged_map_makes_a_damaged_record(tmp_path):
    path = write_study(Study(rows=(), maps=(MAP,)), tmp_path)
    held = json.loads(path.read_text())
    held["maps"][0]["rows"] = [1]
    path.write_text(json.dumps(held))
    with pytest.raises(ValueError, match=r"record\.json is not a record of Caltrop: the map '4 classes' cannot be"):
        read_study(path)
