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
        ("--layers", "--layers"),
        ("--ignore-index x", "--ignore-index x"),
        ("-- --layers a b", "-- --layers a b"),
        ("--out results f.npz", "--out results f.npz"),
        ("", ""),
    ],
)
def test_several_values_become_repeats_and_nothing_else_changes(given, read):
    assert spread(given.split()) == read.split()
