"""What a source archive lacks, and what an installation has beside the package."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface

PACKAGE = Path(__file__).parent / "prefect_phantom"
COMMANDS = PACKAGE / "old_commands.pth"
"""Python reads it at each start when it stands beside the packages."""
LINKS = {
    "flows": "../flows",
    "adapters": "../adapters",
    "apps": "../flows/apps",
    "client": "../adapters/client",
}


class Package(BuildHookInterface):  # type: ignore[type-arg]
    """Makes the package whole."""

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        """Before the wheel is built."""
        for name, folder in LINKS.items():
            if not (link := PACKAGE / name).is_dir():  # a source archive leaves them out
                link.symlink_to(folder)
        place = "force_include_editable" if version == "editable" else "force_include"
        build_data[place][str(COMMANDS)] = f"prefect_phantom_{COMMANDS.name}"
