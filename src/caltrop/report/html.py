"""The frame of every page: style, icon, policy; and writing it whole or not at all."""

from __future__ import annotations

import base64
import hashlib
import os
from importlib.resources import files
from pathlib import Path

from caltrop.files import write_text
from caltrop.report.markup import esc


def head(title: str, style: str = "", script: str = "") -> str:
    """Everything before the body; `script` is what the page will run, for its policy."""
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    scripts = f"; script-src 'sha256-{digest}'" if script else ""
    # even a string that slipped through escaping could neither run nor load anything
    policy = f"default-src 'none'; style-src 'unsafe-inline'; img-src data:{scripts}"
    return (
        '<!doctype html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        f'<meta http-equiv="Content-Security-Policy" content="{policy}">\n'
        '<meta name="viewport" content="width=device-width,initial-scale=1">\n'
        '<meta name="color-scheme" content="light dark">\n'
        f'<title>{esc(title)}</title>\n<link rel="icon" href="data:,">\n'
        f"<style>{resource('page.css')}{style}</style>\n</head>"
    )


def document(title: str, header: str, main: str) -> str:
    """A page without a script."""
    return "\n".join(
        [
            head(title),
            f"<body><header>{resource('mark.svg').strip()}{header}</header>",
            f"<main>{main}</main>",
            "</body>",
            "</html>",
            "",
        ]
    )


def write_html(content: str, path: str | os.PathLike[str]) -> Path:
    """Write a page to `path`, whole or not at all; the folder must exist.

    Raises:
        OSError: the folder does not exist, cannot be written, or the disk is full.
    """
    return write_text(path, content)


def resource(name: str) -> str:
    """A text that lies beside this code."""
    return files("caltrop.report").joinpath(name).read_text(encoding="utf-8")
