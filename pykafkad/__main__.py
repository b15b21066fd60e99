"""``python -m pykafkad`` is the console script ``pykafkad``, for a tree that isn't installed."""

from __future__ import annotations

import sys

from pykafkad.cli.main import main

if __name__ == "__main__":
    sys.exit(main())
