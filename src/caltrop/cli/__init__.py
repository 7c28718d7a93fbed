"""The command line. Importing it loads typer and nothing heavier, so that --help is quick."""

from caltrop.cli.app import main

__all__ = ["main"]
