"""Files that were damaged in any way: named, never believed, and never the end of reading the others."""

from __future__ import annotations

import copy
import errno
import json
from dataclasses import replace

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from caltrop.record import RunFolder, find_runs, read_study, write_study
from caltrop.rows import Chart, Rows, Study, plain_json
from record.runs import RUN, cell, digits

# what may stand anywhere after an accident, or after somebody edited the file
WRONG = st.sampled_from(
    [None, True, -1, 0, 1, 2**40, 10**400, 0.5, "", "x", "1.5", [], [[]], [0, "x"], {}, {"entries": [0]}, {"": None}]
)
PLANNED = RUN.planned[0]
EXAMPLES = settings(max_examples=200, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])


def places(held, at=()):
    """The path to everything inside, the whole included."""
    yield at
    inner = held.items() if isinstance(held, dict) else enumerate(held) if isinstance(held, list) else ()
    for name, value in inner:
        yield from places(value, (*at, name))


def put(held, at, value):
    held = copy.deepcopy(held)
    if not at:
        return value
    inner = held
    for name in at[:-1]:
        inner = inner[name]
    inner[at[-1]] = value
    return held


def removed(held, at):
    held = copy.deepcopy(held)
    inner = held
    for name in at[:-1]:
        inner = inner[name]
    del inner[at[-1]]
    return held


def read_or_refused(read, name):
    """What was read; None where it was refused with an error that names the file."""
    try:
        return read()
    except ValueError as error:
        told = str(error)
    assert name in told
    return None


@pytest.fixture
def run(tmp_path):
    run = RunFolder(tmp_path / "run")
    run.begin(RUN)
    for seed in (0, 1, 2):
        run.write_cell(cell(seed))
    return run


def check_the_others(run, record):
    """Cells 0 and 2 are read as they were; cell 1 is, too, or is named."""
    read = {one.seed: one for one in record.cells}
    for seed in (0, 2):
        assert digits(read[seed].rows) == digits(cell(seed).rows)
    assert (1 in read) == ("cells/key1.json" not in record.damaged)
    assert (1 in read) or record.failures["key1"]
    # what was believed can be shown, and written again
    record.study().as_dict()
    for one in record.cells:
        plain_json(one.as_dict())


@EXAMPLES
@given(data=st.data())
def test_a_cell_with_anything_anywhere_is_read_or_named(run, data):
    path = run.path / "cells" / "key1.json"
    whole = json.loads(plain_json({"format": 2, "kind": "cell", **cell(1).as_dict()}))
    at = data.draw(st.sampled_from(list(places(whole))))
    path.write_text(json.dumps(put(whole, at, data.draw(WRONG))))
    check_the_others(run, run.read())
    run.has("key1")


@EXAMPLES
@given(data=st.data())
def test_a_cell_with_anything_missing_is_read_or_named(run, data):
    path = run.path / "cells" / "key1.json"
    whole = json.loads(plain_json({"format": 2, "kind": "cell", **cell(1).as_dict()}))
    at = data.draw(st.sampled_from([at for at in places(whole) if at]))
    path.write_text(json.dumps(removed(whole, at)))
    check_the_others(run, run.read())


def test_a_cell_cut_short_anywhere_is_named(run):
    path = run.path / "cells" / "key1.json"
    whole = path.read_bytes()
    for length in range(0, len(whole) - 1, 17):
        path.write_bytes(whole[:length])
        record = run.read()
        assert "cells/key1.json" in record.damaged
        assert [one.seed for one in record.cells] == [0, 2]


@EXAMPLES
@given(data=st.data())
def test_a_plan_with_anything_anywhere_is_read_or_refused(run, data):
    path = run.path / "run.json"
    whole = {
        "format": 2,
        "kind": "run",
        "experiment": "a2020b",
        "scale": "desk",
        "title": "A title",
        "config": {"a": 1},
    }
    whole |= {"planned": [PLANNED.as_dict()], "charts": [Chart("loss").as_dict()]}
    at = data.draw(st.sampled_from(list(places(whole))))
    path.write_text(json.dumps(put(whole, at, data.draw(WRONG))))
    find_runs(run.path)
    record = read_or_refused(run.read, "run.json")
    if record is not None:
        record.study().as_dict()
        assert record.status


@EXAMPLES
@given(data=st.data())
def test_a_study_with_anything_anywhere_is_read_or_refused(tmp_path, data):
    one = cell(1)
    path = write_study(Study(one.rows, one.per_class, one.pictures, notes=("a note",)), tmp_path)
    whole = json.loads(path.read_text())
    at = data.draw(st.sampled_from(list(places(whole))))
    path.write_text(json.dumps(put(whole, at, data.draw(WRONG))))
    study = read_or_refused(lambda: read_study(tmp_path), "record.json")
    assert study is None or len(list(study.rows)) == len(study.rows)


@EXAMPLES
@given(data=st.data())
def test_columns_with_anything_anywhere_are_read_or_refused(data):
    whole = json.loads(plain_json(cell(1).rows.as_columns()))
    at = data.draw(st.sampled_from([at for at in places(whole) if at]))
    try:
        table = Rows.from_columns(put(whole, at, data.draw(WRONG)))
    except ValueError:
        return
    assert len(list(table)) == len(table)
    assert Rows.from_columns(table.as_columns()) == table


DEEP = '{"config":' + '{"a":' * 900 + "1" + "}" * 901


@pytest.mark.parametrize("deep", ["[" * 100_000, '{"config":' * 100_000, DEEP])
def test_what_is_nested_too_deep_is_named(run, deep):
    path = run.path / "cells" / "key1.json"
    path.write_text(deep)
    assert "cells/key1.json" in run.read().damaged


def test_a_cell_that_disagrees_with_the_plan_is_named(run):
    path = run.path / "cells" / "key1.json"
    for change in ({"config": {"depth": 4, "rate": 0.1}}, {"seed": 7}, {"case": "another"}):
        path.write_text(plain_json({"format": 2, "kind": "cell", **replace(cell(1), **change).as_dict()}))
        assert "than the plan: it was edited" in run.read().damaged["cells/key1.json"]


def test_a_cell_that_may_not_be_read_is_named_and_not_taken_for_damaged(run, monkeypatch):
    read_text = type(run.path).read_text

    def refuse(self, *args, **options):
        if self.name == "key1.json":
            raise PermissionError(errno.EACCES, "Permission denied", str(self))
        return read_text(self, *args, **options)

    monkeypatch.setattr(type(run.path), "read_text", refuse)
    assert run.read().damaged == {"cells/key1.json": "cells/key1.json cannot be read: Permission denied."}
    with pytest.raises(PermissionError, match=r"key1\.json cannot be read"):
        run.has("key1")


def test_a_folder_or_a_broken_link_in_place_of_a_cell_is_no_end_of_reading(run):
    (run.path / "cells" / "key1.json").unlink()
    (run.path / "cells" / "key1.json").mkdir()
    (run.path / "cells" / "key2.json").unlink()
    (run.path / "cells" / "key2.json").symlink_to("nowhere")
    record = run.read()
    assert [one.seed for one in record.cells] == [0]
    assert "cells/key1.json" in record.damaged
    assert [planned.seed for planned in record.missing] == [1, 2]
    assert not run.has("key1")
