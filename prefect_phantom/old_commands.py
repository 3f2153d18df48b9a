"""Commands of installations that were made before `prefect_phantom` was the name of all modules.

Templates of work pools, deployments and pods say ``python -P -m flows.engine`` and
``python -P -m flows.contained``. Python asks ``prefect_phantom_old_commands.pth`` at each start
whether this is such a command; no other program sees those names. Without ``-P`` it is somebody's
own module in the folder where it is started.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from importlib.abc import MetaPathFinder
from importlib.machinery import ModuleSpec
from importlib.util import find_spec, spec_from_file_location
from types import ModuleType

MODULES = {
    "flows.engine": "prefect_phantom.flows.process.cold",
    "flows.contained": "prefect_phantom.flows.process.contained",
}


class OldCommands(MetaPathFinder):
    """Finds the module of an old command, once."""

    def find_spec(
        self, fullname: str, _path: Sequence[str] | None, _target: ModuleType | None = None
    ) -> ModuleSpec | None:
        """The package of the command, then the module."""
        if fullname == "flows":
            package = ModuleSpec(fullname, None, is_package=True)
            package.submodule_search_locations = []
            return package
        if fullname not in MODULES:
            return None
        # From here on these names are whoever's they are: a playbook may import its own `flows`.
        sys.meta_path.remove(self)
        del sys.modules["flows"]
        found = find_spec(MODULES[fullname])
        return found and spec_from_file_location(fullname, found.origin)


def find() -> None:
    """Have this process find old commands."""
    sys.meta_path.insert(0, OldCommands())
