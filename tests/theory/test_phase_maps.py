"""Phase diagrams as maps: every cell is the diagram's."""

from __future__ import annotations

import math

import pytest

from caltrop.theory.phase import cross_entropy_phases, squared_error_phases
from caltrop.theory.phase_maps import BEST, phase_maps

CLASSES, DEPTHS, DECAYS = (4, 6), (1, 2, 4), (1e-3, 1e-1, 1.0)


@pytest.mark.parametrize("phases", [cross_entropy_phases, squared_error_phases])
def test_every_cell_is_the_diagrams(phases):
    diagram = phases(CLASSES, DEPTHS, DECAYS)
    maps = dict(zip(CLASSES, phase_maps(diagram, group="G", says="S"), strict=True))
    for row in diagram.rows():
        one = maps[row["num_classes"]]
        up, across = one.rows.index(row["depth"]), one.columns.index(row["decay"])
        assert one.categories[up][across] == row["winner"]
        assert one.numbers[BEST][up][across] == row["value"]
        values = {name: grid[up][across] for name, grid in one.numbers.items() if name != BEST}
        there = {f"value of {name}": value for name, value in values.items() if not math.isnan(value)}
        assert there == {name: value for name, value in row.items() if name.startswith("value of")}
    assert {(one.group, one.says) for one in maps.values()} == {("G", "S")}
    for place, one in enumerate(maps.values()):
        assert {line.name: line.places for line in one.lines} == {
            name: tuple(values[place]) for name, values in diagram.thresholds.items()
        }
        assert all(line.says for line in one.lines)


def test_a_family_that_a_number_of_classes_does_not_have_is_left_out():
    four, six = phase_maps(cross_entropy_phases(CLASSES, DEPTHS, DECAYS))
    assert "hypercube" in four.numbers
    assert "hypercube" not in six.numbers
    assert "product 3x2" in six.numbers


def test_depths_that_do_not_increase_make_no_map():
    with pytest.raises(ValueError, match="its axis depth L does not increase"):
        phase_maps(cross_entropy_phases((4,), (2, 1), DECAYS))
