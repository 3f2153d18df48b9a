"""What the wheel has beside the package, and an editable install as well."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface

COMMANDS = Path(__file__).parent / "prefect_phantom" / "old_commands.pth"
"""Python reads it at each start when it stands beside the packages."""


class OldCommands(BuildHookInterface):  # type: ignore[type-arg]
    """Puts it there."""

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        """Before the wheel is built."""
        place = "force_include_editable" if version == "editable" else "force_include"
        build_data[place][str(COMMANDS)] = f"prefect_phantom_{COMMANDS.name}"
