"""The public names, however and whenever they are reached."""

from __future__ import annotations

import inspect
import subprocess
import sys
from importlib import import_module

import pytest
import torch

import caltrop as ct


def test_observe_is_still_a_door_after_its_module_was_imported():
    """Importing `caltrop.observe` puts the module where the function of that name is looked up."""
    import_module("caltrop.observe")
    with pytest.raises(ValueError, match="loader is an empty dict"):
        ct.observe(torch.nn.Linear(2, 2), {})


def test_observe_shows_its_arguments():
    assert list(inspect.signature(ct.observe).parameters)[:2] == ["model", "loader"]


def test_importing_the_package_imports_no_torch():
    code = "import sys, caltrop; assert caltrop.__version__; dir(caltrop); sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


@pytest.mark.parametrize("name", [name for name in ct.__all__ if name != "__version__"])
def test_every_public_name_resolves(name):
    assert getattr(ct, name) is not None
    assert name in dir(ct)


def test_an_unknown_name_lists_the_public_ones():
    with pytest.raises(AttributeError, match="caltrop has no 'mesure'; public names: ClassMoments"):
        _ = ct.mesure
