"""Asking Prefect how it is."""

from __future__ import annotations

import asyncio

import httpx
from prefect.client.orchestration import PrefectClient
from prefect.client.schemas.objects import WorkerStatus
from prefect.exceptions import ObjectNotFound
from prefect.settings import get_current_settings

from prefect_phantom.adapters.between.condition import PrefectCondition
from prefect_phantom.adapters.security.exposure import is_loopback
from prefect_phantom.adapters.security.guessable import objection

ANSWER_SECONDS = 5.0


async def read_condition(client: PrefectClient, work_pool: str) -> PrefectCondition:
    """Ask for the server's version and for the workers that are online in `work_pool`."""
    try:
        async with asyncio.timeout(ANSWER_SECONDS):
            version = await client.api_version()
            workers = await client.read_workers_for_work_pool(work_pool)
    except TimeoutError:
        return PrefectCondition(error=f"no answer within {ANSWER_SECONDS:g} s")
    except (httpx.HTTPError, ObjectNotFound) as error:
        return PrefectCondition(error=str(error) or type(error).__name__)
    online = [worker.name for worker in workers if worker.status is WorkerStatus.ONLINE]
    # In a thread, since it may look a name up, which would hold up whoever is served.
    login = await asyncio.to_thread(objection_to_login, client)
    return PrefectCondition(version, online, login=login)


def objection_to_login(client: PrefectClient) -> str:
    """What speaks against the password of Prefect's login, unless only this machine reaches it."""
    login = get_current_settings().api.auth_string
    if login is None or is_loopback(client.api_url.host):
        return ""
    return objection(login.get_secret_value().partition(":")[2])
