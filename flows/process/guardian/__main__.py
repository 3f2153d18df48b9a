"""Start a guardian: ``python -I flows/process/guardian FD``."""

from __future__ import annotations

import importlib
import sys
from pathlib import Path

if __name__ == "__main__":
    # Found beside its package and not in it, so that nothing else is imported.
    sys.path[0] = str(Path(__file__).parents[1])
    importlib.import_module("undumpable").become_undumpable()
    importlib.import_module("guardian.guardian").main(int(sys.argv[1]))
