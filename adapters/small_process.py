"""A process that needs little of ours, and is kept small."""

from __future__ import annotations

import sys
from importlib.util import find_spec
from types import ModuleType


def leave_prefect_out() -> None:
    """Have modules of `flows` imported without the package itself, which would import Prefect.

    That is half of the memory of a process that only serves leases, or parses JSON.
    """
    package, found = ModuleType("flows"), find_spec("flows")
    package.__path__ = list(found.submodule_search_locations or ()) if found else []
    sys.modules["flows"] = package
