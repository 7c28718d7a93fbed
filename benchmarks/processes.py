"""Fresh child processes."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parent.parent


def ask(what: str, **request: Any) -> Any:
    """The answer of a fresh process to one request; RuntimeError with its last words where it fails."""
    command = [sys.executable, "-m", "benchmarks.child", json.dumps({"what": what, **request})]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    if done.returncode:
        raise RuntimeError(f"measuring {what} {request} failed:\n{done.stderr[-2000:]}")
    return json.loads(done.stdout)
