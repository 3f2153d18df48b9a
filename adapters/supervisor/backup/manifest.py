"""What a backup says of itself."""

from __future__ import annotations

import re
from datetime import datetime
from importlib.metadata import version
from typing import Literal

from pydantic import BaseModel

from prefect_phantom.adapters.store.database.schema import head
from prefect_phantom.adapters.supervisor.failure import BackupFailed


class Manifest(BaseModel):
    """What a backup is of."""

    format: Literal[1, 2] = 2
    """1 was a zip archive."""
    time: datetime
    """When the snapshots were taken, UTC."""
    stopped: bool
    """Nothing worked on the home meanwhile."""
    databases: list[str]
    prefect_phantom: str
    prefect: str
    postgresql: str
    schema_revision: str
    """The newest migration of our database."""
    settings: dict[str, str]
    """The variables that gateway and worker had last, without secrets; empty without an `up`."""

    def refuse_newer(self) -> None:
        """Raise `BackupFailed` when it was made by newer programs, which older ones cannot read."""
        if int(self.schema_revision) > int(head()):
            raise BackupFailed(
                f"The backup is of a newer version of prefect-phantom, {self.prefect_phantom}:"
                " install that one first"
            )
        if _numbers(self.prefect) > _numbers(version("prefect")):
            raise BackupFailed(
                f"The backup is of a newer version of Prefect, {self.prefect}: install that first"
            )


def _numbers(text: str) -> list[int]:
    return [int(each) for each in re.findall(r"\d+", text)]
