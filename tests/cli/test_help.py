from __future__ import annotations

import subprocess
import sys

import pytest

VERBS = ("demo", "measure", "phase", "report", "env")
HEAVY = ("torch", "numpy", "scipy", "matplotlib", "rich")

PROBE = """
import sys
from caltrop.cli import main
code = main(sys.argv[1:])
heavy = [name for name in {heavy!r} if name in sys.modules]
sys.exit(f"loaded {{heavy}}" if heavy else code)
"""


def in_a_fresh_interpreter(*argv):
    script = [sys.executable, "-c", PROBE.format(heavy=HEAVY), *argv]
    # well under a second alone; the limit only has to tell that from the many seconds of importing torch
    return subprocess.run(script, capture_output=True, text=True, timeout=60, check=False)


@pytest.mark.parametrize("argv", [["--help"], [], ["--version"], *([verb, "--help"] for verb in VERBS)])
def test_help_loads_nothing_heavy(argv):
    done = in_a_fresh_interpreter(*argv)
    assert (done.returncode, done.stderr) == (0, "")


@pytest.mark.parametrize("argv", [["measure"], ["measure", "--task", "ordinal", "f.npz"], ["mesure"]])
def test_a_usage_error_loads_nothing_heavy(argv):
    assert in_a_fresh_interpreter(*argv).returncode == 2


def test_caltrop_alone_shows_help(run):
    assert run() == run("--help")
    assert run().code == 0
    assert "caltrop measure features.npz" in run().out


@pytest.mark.parametrize("verb", VERBS)
@pytest.mark.parametrize("flag", ["--help", "-h"])
def test_every_verb_has_help_with_examples(run, verb, flag):
    ran = run(verb, flag)
    assert ran.code == 0
    assert f"  caltrop {verb}" in ran.out.partition("Examples:")[2]
    assert ran.err == ""


def test_the_version_is_printed(run):
    ran = run("--version")
    assert ran.code == 0
    assert ran.out.startswith("caltrop 0.")


@pytest.mark.parametrize(
    ("argv", "why"),
    [
        (["mesure"], "mesure"),
        (["measure", "--lables-file", "x"], "--lables-file"),
        (["measure", "--num-classes", "ten", "f.npz"], "--num-classes"),
        (["measure", "--ignore-index", "x", "f.npz"], "--ignore-index"),
        (["measure", "a.npz", "b.npz"], "b.npz"),
        (["measure", "--layers"], "--layers"),
        (["report"], "DIR"),
        (["measure", "--out"], "caltrop measure --help"),
        (["measures"], "Did you mean 'measure'? See"),
    ],
)
def test_usage_errors_are_one_line_that_names_the_culprit(refuses, argv, why):
    said = refuses(*argv)
    assert why in said
    assert "--help" in said


def test_python_m_caltrop_is_the_same_command():
    done = subprocess.run([sys.executable, "-m", "caltrop", "--version"], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.startswith("caltrop ")
    refused = subprocess.run([sys.executable, "-m", "caltrop", "mesure"], capture_output=True, text=True, check=False)
    assert refused.returncode == 2
