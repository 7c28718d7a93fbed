"""How often collapse is found: counts against starts solved one at a time, intervals against their equation."""

from __future__ import annotations

from dataclasses import replace

import pytest
from scipy.stats import binom

from caltrop.solve import solve
from caltrop.solve.prevalence import HIGH, LOW, SHARE, PrevalenceCell, prevalence
from caltrop.theory import DeepUfmCrossEntropy, DeepUfmMse

LINEAR = DeepUfmCrossEntropy(num_classes=6, depth=2, dim=6, weight_decay=1.0, feature_decay=1.0)


@pytest.fixture(scope="module")
def found():
    return prevalence(LINEAR, dims=(6, 48), decays=(1e-3, 1e-2), seeds=16)


def test_every_start_is_named_as_it_is_when_solved_alone(found):
    for cell in (found.cells[0][0], found.cells[1][1]):
        problem = replace(LINEAR, dim=cell.dim, weight_decay=cell.decay, feature_decay=cell.decay)
        names = [solve(problem, seeds=[seed]).structures[0].name for seed in range(16)]
        assert cell.structures == {name: names.count(name) for name in cell.structures}
        assert sum(cell.structures.values()) == cell.starts == 16
        assert cell.collapsed == names.count("simplex")
        assert cell.outcomes == {"converged": 16}


def test_collapse_is_rare_where_narrow_and_common_where_wide(found):
    for narrow, wide in zip(*found.cells, strict=True):
        assert narrow.interval[1] < wide.interval[0]
        assert max(wide.structures, key=wide.structures.get) == "simplex"


def test_cells_lie_where_they_belong(found):
    assert [[(cell.dim, cell.decay) for cell in line] for line in found.cells] == [
        [(6, 1e-3), (6, 1e-2)],
        [(48, 1e-3), (48, 1e-2)],
    ]
    assert [(row["dim"], row["decay"]) for row in found.rows()] == [(6, 1e-3), (6, 1e-2), (48, 1e-3), (48, 1e-2)]
    assert found.method == "lbfgs"


@pytest.mark.parametrize("collapsed", [0, 1, 7, 11, 12])
def test_the_interval_is_where_either_tail_has_a_chance_of_a_fortieth(collapsed):
    low, high = PrevalenceCell(8, 1e-3, 12, collapsed, {}, {}).interval
    assert low <= collapsed / 12 <= high
    if collapsed > 0:
        assert binom.sf(collapsed - 1, 12, low) == pytest.approx(0.025, rel=1e-6)
    else:
        assert low == 0
    if collapsed < 12:
        assert binom.cdf(collapsed, 12, high) == pytest.approx(0.025, rel=1e-6)
    else:
        assert high == 1


@pytest.mark.parametrize("problem", [replace(LINEAR, num_classes=2), replace(LINEAR, depth=1)], ids=["K=2", "L=1"])
def test_where_nothing_lies_below_collapse_every_start_finds_it(problem):
    ((cell,),) = prevalence(problem, dims=(8,), decays=(1e-2,), seeds=6).cells
    assert (cell.collapsed, cell.share) == (6, 1.0)


def test_starts_that_vanish_and_diverge_count():
    ((cell,),) = prevalence(LINEAR, dims=(8,), decays=(1.0,), seeds=3).cells
    assert (cell.collapsed, cell.structures) == (0, {"zero": 3})
    ((cell,),) = prevalence(
        LINEAR, dims=(8,), decays=(1e-3,), seeds=2, method="gradient-descent", step_size=1e4, max_steps=50, polish=False
    ).cells
    assert (cell.collapsed, cell.structures, cell.outcomes) == (0, {"diverged": 2}, {"diverged": 2})


def test_collapse_with_relu_is_found_by_the_papers_descent():
    model = DeepUfmMse(num_classes=3, depth=3, dim=8, weight_decay=1.0, feature_decay=1.0)
    ((cell,),) = prevalence(
        model, dims=(12,), decays=(1e-2,), seeds=3, method="gradient-descent", max_steps=16_000, scale=0.6, polish=False
    ).cells
    assert cell.structures["dnc"] == cell.collapsed > 0


def test_the_map_holds_shares_intervals_and_counts(found):
    one = found.phase_map(lines={"stable": 5e-3}, group="G", says="S")
    assert (one.columns, one.rows, one.shown, one.between) == ((1e-3, 1e-2), (6.0, 48.0), SHARE, (LOW, HIGH))
    for row, line in enumerate(found.cells):
        for column, cell in enumerate(line):
            assert one.numbers[SHARE][row][column] == cell.share
            assert (one.numbers[LOW][row][column], one.numbers[HIGH][row][column]) == cell.interval
            counts = {name: grid[row][column] for name, grid in one.numbers.items() if name.startswith("starts: ")}
            assert {name.removeprefix("starts: "): n for name, n in counts.items() if n} == cell.structures
    assert one.lines[0].places == (5e-3, 5e-3)


@pytest.mark.parametrize(
    ("changes", "why"),
    [
        ({"dims": (4, 8)}, "there is no simplex of .*: it needs dim ≥ 5, not 4"),
        ({"dims": ()}, "dims and decays need a value"),
        ({"decays": ()}, "dims and decays need a value"),
        ({"decays": (0.0,)}, "must be positive and finite"),
        ({"seeds": (0, 1, 0)}, "seeds has one of them twice"),
        ({"seeds": 0}, "seeds=0 must be an integer of 1 or more"),
        ({"method": "rounded"}, "has no ReLU to round"),
    ],
)
def test_what_cannot_be_is_refused_before_anything_is_solved(changes, why):
    with pytest.raises(ValueError, match=why):
        prevalence(LINEAR, **{"dims": (8,), "decays": (1e-2,), "seeds": 1, **changes})


def test_progress_is_said_on_stderr_alone(capsys):
    prevalence(LINEAR, dims=(6,), decays=(1e-2, 1e-1), seeds=1, progress=True)
    out, err = capsys.readouterr()
    assert out == ""
    assert err == "width 6: DNC from 0 at λ = 0.01, 0 at λ = 0.1 of 1 starts each\n"
