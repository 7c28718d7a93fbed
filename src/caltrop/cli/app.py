"""The command `caltrop`: its verbs, and how an exception becomes an exit code."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from typing import Annotated

import typer

from caltrop.cli import check, demo, env, measure, papers, phase, report, run, solve
from caltrop.cli.arguments import running, spread
from caltrop.cli.failures import explain

# Markup mode None: rich would be imported for every --help, and would reflow the examples.
app = typer.Typer(
    name="caltrop",
    add_completion=False,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
app.command("demo")(demo.demo)
app.command("measure")(measure.measure)
app.command("solve", context_settings=solve.PASSED)(solve.solve)
app.command("phase")(phase.phase)
app.command("papers")(papers.papers)
app.command("run")(run.run)
app.command("check")(check.check)
app.command("report")(report.report)
app.command("env")(env.env)


def _version(wanted: bool) -> bool:
    if wanted:
        from importlib.metadata import version

        print(f"caltrop {version('caltrop')}")
        raise typer.Exit
    return wanted


@app.callback()
def caltrop(
    version: Annotated[
        bool, typer.Option("--version", help="Print the version and stop.", callback=_version, is_eager=True)
    ] = False,
) -> None:
    """An instrument for neural collapse: measures how far the features of a network have collapsed.

    \b
    caltrop demo                                  train a small network on real images and see it collapse
    caltrop measure features.npz                  measure features that you have saved
    caltrop measure --model pkg.mod:make_model --data pkg.mod:make_loader
    caltrop solve PROBLEM                         closed forms beside a solver, with a certificate
    caltrop phase                                 which family wins, and where collapse exists, ties, is stable
    caltrop papers                                papers that can be run, with their last verdicts
    caltrop run papyan2020prevalence --scale desk run a paper's experiment and judge its claims
    caltrop check results                         judge stored records again
    caltrop report results/demo                   draw a record again as one page

    Results go to stdout, notes and progress to stderr. Exit codes: 0 done, 1 a claim is contradicted,
    2 usage or bad input, 3 could not finish, 130 interrupted.
    """


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command and return its exit code; never raises, never prints a traceback unasked.

    Args:
        argv: the arguments after the program's name, those of this process where None.
    """
    arguments = list(sys.argv[1:] if argv is None else argv)
    running.set(("caltrop", *arguments))
    command = typer.main.get_command(app)
    try:
        # not command.main(): it would turn Ctrl-C and a cut-off file (EOFError) into one "Aborted!"
        with command.make_context("caltrop", spread(arguments) or ["--help"]) as context:
            command.invoke(context)
        sys.stdout.flush()
    except typer.Exit as done:
        return done.exit_code
    except BrokenPipeError:
        _silence_stdout()
        return 0
    except BaseException as error:
        failure = explain(error)
        print(f"caltrop: {failure.line}", file=sys.stderr)
        return failure.exit_code
    return 0


def _silence_stdout() -> None:
    """Whoever read our output has seen enough (`caltrop ... | head`); the interpreter must not complain at exit."""
    import os

    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
