"""``playbook report``: tell the gateway once what an image holds, where no worker of ours does."""

from __future__ import annotations

import asyncio
import logging
from dataclasses import replace
from pathlib import Path
from typing import Annotated, Any

import httpx
from cyclopts import Parameter
from pydantic import ValidationError

from prefect_phantom.adapters.cli.connection import fail
from prefect_phantom.adapters.process.private_program import forget_secrets
from prefect_phantom.adapters.settings import Settings
from prefect_phantom.adapters.worker.gateway.gateway_client import GatewayClient, GatewayRefused
from prefect_phantom.adapters.worker.gateway.playbook_reports import (
    CannotFindPlaybooks,
    Report,
    find,
    find_app_secrets,
)
from prefect_phantom.flows.inside.display.visible_text import one_line
from prefect_phantom.flows.process.undumpable import become_undumpable


def report(
    *,
    playbooks: Annotated[
        list[Path] | None, Parameter(negative=(), help="Folder of playbooks; may be repeated.")
    ] = None,
    name: Annotated[str, Parameter(help="By which the report is known.")] = "report",
) -> int:
    """Tell the gateway which playbooks are here; it holds until the next report.

    For images whose runs Prefect's own workers start. Where they run comes from the variables
    PREFECT_PHANTOM_RUNTIME_URL and PREFECT_PHANTOM_RUNTIME_KEY, as for a worker. Exit code 1 when a
    file does not import.
    """
    become_undumpable()
    given: dict[str, Any] = {} if playbooks is None else {"playbooks": playbooks}
    try:
        settings = Settings(**given)
    except ValidationError as error:
        fail(str(error))
    forget_secrets()
    if not settings.runtime_url or not settings.runtime_key:
        fail("PREFECT_PHANTOM_RUNTIME_URL and PREFECT_PHANTOM_RUNTIME_KEY must be set")
    for folder in settings.playbooks:
        if not folder.is_dir():
            fail(f"There is no folder {folder}")
    logging.basicConfig(level=logging.WARNING)
    try:
        found = asyncio.run(_tell(settings, name))
    except (httpx.HTTPError, GatewayRefused, CannotFindPlaybooks) as error:
        fail(f"The gateway was not told: {error}")
    broken = [each for each in found.playbooks if each["error"]]
    for each in broken:
        print(one_line(f"{each['repository']}/{each['name']}: {each['error']}"))
    print(f"Reported {len(found.playbooks) - len(broken)} playbooks, digest {found.digest}.")
    return 1 if broken else 0


async def _tell(settings: Settings, name: str) -> Report:
    key = settings.runtime_key.get_secret_value() if settings.runtime_key else ""
    gateway = GatewayClient(url=settings.runtime_url or "", key=key, worker=name)
    try:
        found = replace(await find(settings), app_secrets=await find_app_secrets())
        await gateway.found_playbooks({**found.message, "lasting": True})
    finally:
        await gateway.close()
    return found
