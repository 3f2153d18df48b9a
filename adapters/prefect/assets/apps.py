"""What apps declare secret, as workers have reported it: no gateway imports an app of others."""

from __future__ import annotations

import asyncio
from collections.abc import Collection

from prefect_phantom.adapters.errors import AppsUnknown
from prefect_phantom.adapters.store.database.database import Database
from prefect_phantom.adapters.store.playbooks import playbook_reports

WAIT_SECONDS = 10.0
LOOK_SECONDS = 0.5


class Apps:
    """Knows which settings are secret, of each app that a worker has."""

    def __init__(self, database: Database) -> None:
        self.database = database

    async def secrets_of(self, app: str) -> Collection[str]:
        """The settings that an app declares secret; none of an app that is not here.

        Raises `AppsUnknown` when no worker has reported within `WAIT_SECONDS`.
        """
        clock = asyncio.get_running_loop().time
        deadline = clock() + WAIT_SECONDS
        while True:
            known = await playbook_reports.app_secrets(self.database)
            if known is not None:
                return known.get(app, set())
            if clock() > deadline:
                raise AppsUnknown
            await asyncio.sleep(LOOK_SECONDS)
