"""A process of its own for every figure."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parent.parent


def ask(what: str, **request: Any) -> Any:
    """The answer of a process of its own to one request; RuntimeError where it fails.

    On Linux it is forked from this one, which has loaded the libraries and never worked with them: that
    saves seconds of imports per figure. Elsewhere it starts afresh.
    """
    text = json.dumps({"what": what, **request})
    answer = _forked(text) if sys.platform == "linux" else _started(text)
    if answer is None:
        raise RuntimeError(f"measuring {what} {request} failed; see above.")
    return json.loads(answer)


def _forked(text: str) -> str | None:
    from benchmarks.child import work

    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        status = 1
        try:
            os.close(reading)
            with os.fdopen(writing, "w", encoding="utf-8") as pipe:
                pipe.write(work(text))
            status = 0
        except BaseException as error:
            print(f"{type(error).__name__}: {error}", file=sys.stderr, flush=True)
        finally:
            os._exit(status)
    os.close(writing)
    with os.fdopen(reading, encoding="utf-8") as pipe:
        answer = pipe.read()
    _, status = os.waitpid(child, 0)
    return answer if status == 0 else None


def _started(text: str) -> str | None:
    command = [sys.executable, "-m", "benchmarks.child", text]
    done = subprocess.run(command, cwd=ROOT, stdout=subprocess.PIPE, text=True, check=False)
    return done.stdout if done.returncode == 0 else None
