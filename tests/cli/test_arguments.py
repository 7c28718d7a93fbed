from __future__ import annotations

import pytest

from caltrop.cli.arguments import spread


@pytest.mark.parametrize(
    ("given", "read"),
    [
        ("--layers a b c", "--layers=a --layers=b --layers=c"),
        ("--layers a --layers b", "--layers=a --layers=b"),
        ("--layers=a b", "--layers=a b"),
        ("--layers a --json", "--layers=a --json"),
        ("--checkpoint x.pt y.pt --device cpu", "--checkpoint=x.pt --checkpoint=y.pt --device cpu"),
        ("--ignore-index -1 255 f.npz", "--ignore-index=-1 --ignore-index=255 f.npz"),
        ("--ignore-index=-1", "--ignore-index=-1"),
        ("f.npz --measures a b", "f.npz --measures=a --measures=b"),
        ("--ignore-index x", "--ignore-index x"),
        ("-- --layers a b", "-- --layers a b"),
        ("--out results f.npz", "--out results f.npz"),
        ("", ""),
    ],
)
def test_several_values_become_repeats_and_nothing_else_changes(given, read):
    assert spread(given.split()) == read.split()


@pytest.mark.parametrize("given", ["measure --layers", "measure f.npz --layers --json", "measure --seeds -- 1"])
def test_an_option_without_a_value_does_not_take_the_next_option_for_one(given):
    with pytest.raises(ValueError, match=r"--(layers|seeds) needs a value, or several; see caltrop measure --help"):
        spread(given.split())


@pytest.mark.parametrize(
    ("given", "where"),
    [
        (["check", ""], r" \(check\)"),
        (["measure", "f.npz", "--out", ""], r" \(--out\)"),
        (["--out=", "f.npz"], r" \(--out=\)"),
        ([""], ""),
    ],
)
def test_an_empty_argument_is_not_the_working_folder(given, where):
    with pytest.raises(ValueError, match=f"an argument is empty{where}; is a variable of the shell not set"):
        spread(given)


def test_a_field_may_be_set_to_nothing():
    assert spread(["--set", "classes="]) == ["--set=classes="]
