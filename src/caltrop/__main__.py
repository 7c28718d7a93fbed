"""`python -m caltrop`, which launchers such as torchrun need."""

from __future__ import annotations

import sys

from caltrop.cli import main

if __name__ == "__main__":
    sys.exit(main())
