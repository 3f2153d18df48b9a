"""Reading what goes with a deployment, and deleting it."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from uuid import UUID

import httpx
from prefect.client.orchestration import PrefectClient
from prefect.client.schemas.objects import DeploymentSchedule
from prefect.client.schemas.schedules import CronSchedule, IntervalSchedule, RRuleSchedule
from prefect.exceptions import ObjectNotFound

from prefect_phantom.adapters.errors import PlaybookStays

ANSWER_SECONDS = 10.0
logger = logging.getLogger("prefect_phantom.deployments")


class KeptDeployments:
    """The deployments of playbooks, for who forgets a playbook."""

    def __init__(self, client: PrefectClient) -> None:
        self.client = client

    async def schedules(self, deployment_id: UUID) -> list[str]:
        """The schedules of a deployment, each in words. Raises `PlaybookStays`."""
        async with _answered():
            try:
                deployment = await self.client.read_deployment(deployment_id)
            except ObjectNotFound:
                return []
            return [_in_words(schedule) for schedule in deployment.schedules]

    async def delete(self, deployment_id: UUID) -> None:
        """Delete a deployment, if it is there. Raises `PlaybookStays`."""
        async with _answered():
            with suppress(ObjectNotFound):
                await self.client.delete_deployment(deployment_id)


@asynccontextmanager
async def _answered() -> AsyncIterator[None]:
    try:
        async with asyncio.timeout(ANSWER_SECONDS):
            yield
    except (TimeoutError, httpx.HTTPError) as error:
        logger.warning("Prefect did not do what was asked of it for a deployment: %r", error)
        raise PlaybookStays from error


def _in_words(schedule: DeploymentSchedule) -> str:
    match schedule.schedule:
        case CronSchedule(cron=cron):
            words = f"cron {cron}"
        case IntervalSchedule(interval=interval):
            words = f"every {interval}"
        case RRuleSchedule(rrule=rrule):
            words = rrule
        case _:
            words = "none"
    return f"{schedule.slug}: {words}" if schedule.slug else words
