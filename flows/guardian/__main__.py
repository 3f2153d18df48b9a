"""Start a guardian: ``python -I flows/guardian FD``."""

from __future__ import annotations

import importlib
import sys
from pathlib import Path

if __name__ == "__main__":
    # Found beside the package `flows` and not in it, which would import Prefect.
    sys.path[0] = str(Path(__file__).parents[1])
    importlib.import_module("undumpable").become_undumpable()
    importlib.import_module("guardian.guardian").main(int(sys.argv[1]))
