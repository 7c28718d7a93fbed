"""What users may extend by name: added once, found with the nearest offered, packages loaded at the first look."""

from __future__ import annotations

from types import SimpleNamespace

import pytest

from caltrop import registry
from caltrop.registry import Registry


class Unknown(KeyError):  # noqa: N818 - stands for one of ours
    pass


@pytest.fixture
def installed(monkeypatch):
    """Pretend that these entry points are installed, and that nothing was loaded yet."""

    def pretend(*plugins):
        monkeypatch.setattr(registry, "entry_points", lambda group: list(plugins) if group == "caltrop" else [])
        monkeypatch.setattr(registry, "_loaded", False)

    pretend()
    return pretend


def entry_point(load):
    return SimpleNamespace(name="mine", value="mine.module", load=load)


@pytest.mark.usefixtures("installed")
def test_things_are_found_by_name_in_the_order_in_which_they_were_added():
    colours = Registry("colour")
    assert colours.add("red", 1) == 1
    colours.add("green", 2)
    assert list(colours) == ["red", "green"]
    assert (colours["red"], colours.find("green"), len(colours)) == (1, 2, 2)
    assert "blue" not in colours


@pytest.mark.usefixtures("installed")
def test_a_name_is_given_once():
    colours = Registry("colour")
    colours.add("red", 1)
    with pytest.raises(ValueError, match="a colour named 'red' is registered already"):
        colours.add("red", 2)
    assert colours["red"] == 1


@pytest.mark.usefixtures("installed")
@pytest.mark.parametrize(
    ("wrong", "hint"), [("gren", "did you mean green?"), ("zzz", r"there are green, n0, n1, .* … \(13 in all\)")]
)
def test_an_unknown_name_is_the_registry_s_own_error_with_the_nearest(wrong, hint):
    colours = Registry("colour", error=Unknown)
    colours.add("green", 0)
    for number in range(12):
        colours.add(f"n{number}", number)
    with pytest.raises(Unknown, match=rf"no colour is called '{wrong}'; {hint}"):
        colours.find(wrong)


def test_a_package_is_loaded_once_whichever_registry_is_read_first(installed):
    colours, shapes, loaded = Registry("colour"), Registry("shape"), []

    def load():
        loaded.append("loaded")
        colours.add("red", 1)
        assert "red" in colours  # what is imported may read a registry
        shapes.add("round", 2)

    installed(entry_point(load))
    assert list(shapes) == ["round"]
    assert list(colours) == ["red"]
    assert loaded == ["loaded"]


def test_adding_loads_nothing(installed):
    installed(entry_point(lambda: pytest.fail("loaded too early")))
    Registry("colour").add("red", 1)


def test_a_package_that_cannot_be_loaded_is_named_every_time(installed):
    def load():
        raise SyntaxError("line 3")

    installed(entry_point(load))
    for _ in range(2):
        with pytest.raises(ImportError, match=r"mine = mine\.module .* cannot be loaded: SyntaxError: line 3"):
            list(Registry("colour"))


@pytest.mark.usefixtures("installed")
def test_what_belongs_to_a_registry_is_imported_before_it_is_read():
    colours = Registry("colour", lambda: colours._things.setdefault("own", 0))
    assert list(colours) == ["own"]
