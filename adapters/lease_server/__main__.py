"""The process: ``adapters.lease_server FD``, with its orders on standard input."""

from __future__ import annotations

import importlib
import sys
from importlib.util import find_spec
from types import ModuleType

if __name__ == "__main__":
    # Modules of `flows` without the package itself, which would import Prefect: half of the memory.
    package, found = ModuleType("flows"), find_spec("flows")
    package.__path__ = list(found.submodule_search_locations or ()) if found else []
    sys.modules["flows"] = package
    importlib.import_module("adapters.lease_server.server").main(int(sys.argv[1]))
