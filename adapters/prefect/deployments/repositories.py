"""The loop that keeps Prefect in step with the playbooks that workers have found."""

from __future__ import annotations

import logging

from prefect_phantom.adapters.between.signal import Signal
from prefect_phantom.adapters.prefect.deployments.deployments import Deployments
from prefect_phantom.adapters.settings import Settings
from prefect_phantom.adapters.store.database.database import Database
from prefect_phantom.adapters.store.playbooks import playbook_reports, playbooks

LOOK_SECONDS = 5.0
"""How often it is looked whether the worker of the report that holds is still there."""
logger = logging.getLogger("prefect_phantom.repositories")


class Repositories:
    """Has the report of a worker that is there hold, and registers what it says in Prefect.

    `reported` is notified of reports; `dispatch` of playbooks that may be started now.
    """

    def __init__(
        self,
        *,
        database: Database,
        settings: Settings,
        deployments: Deployments,
        reported: Signal,
        dispatch: Signal,
    ) -> None:
        self.database = database
        self.settings = settings
        self.deployments = deployments
        self.reported = reported
        self.dispatch = dispatch
        self._registered: object = None

    async def run(self) -> None:
        """Run until cancelled. An error ends this round and is the caller's to report."""
        while True:
            await self.refresh()
            await self.reported.wait(LOOK_SECONDS)

    async def refresh(self) -> None:
        """Have the right report hold, and register what Prefect was not told of."""
        worker = await playbook_reports.settle(self.database, self.settings.known_repositories)
        if worker is not None:
            logger.info("The playbooks are now those that worker %s has found", worker)
        version = await playbooks.read_version(self.database)
        if version != self._registered:
            self.dispatch.notify()
            await self.deployments.register_all()
            self._registered = version
        else:
            await self.deployments.register_changed()
