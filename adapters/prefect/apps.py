"""What the apps say of themselves: looked at once, when the gateway starts, outside of it."""

from __future__ import annotations

import asyncio
import json
import logging
import os
import sys
from collections.abc import Collection

from adapters.errors import AppsUnknown
from adapters.prefect.playbook_reports import ENVIRONMENT

FOLDERS = "PREFECT_PHANTOM_APPS"
"""Where further apps are; see `flows.apps`."""
WAIT_SECONDS = 10.0
logger = logging.getLogger("prefect_phantom.apps")


class Apps:
    """Knows which settings are secret, of each app that ships or was added."""

    def __init__(self) -> None:
        self._secrets: dict[str, frozenset[str]] = {}
        self._known = asyncio.Event()

    async def run(self) -> None:
        """Look at the apps; then run until cancelled. An error is the caller's to report."""
        if not self._known.is_set():
            self._secrets = await _describe()
            self._known.set()
        await asyncio.Event().wait()

    async def secrets_of(self, app: str) -> Collection[str]:
        """The settings that an app declares secret; none of an app that is not here.

        Raises `AppsUnknown` when they have not been looked at for `WAIT_SECONDS`.
        """
        try:
            async with asyncio.timeout(WAIT_SECONDS):
                await self._known.wait()
        except TimeoutError:
            raise AppsUnknown from None
        return self._secrets.get(app, frozenset())


async def _describe() -> dict[str, frozenset[str]]:
    names = (*ENVIRONMENT, FOLDERS)
    program = await asyncio.create_subprocess_exec(
        *(sys.executable, "-P", "-m", "flows.apps"),
        env={name: os.environ[name] for name in names if name in os.environ},
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
    )
    output, _ = await program.communicate()
    if program.returncode:
        message = f"Looking at the apps failed with exit code {program.returncode}"
        raise RuntimeError(message)
    secrets: dict[str, frozenset[str]] = {}
    for line in output.splitlines():
        app = json.loads(line)
        secrets[app["app"]] = frozenset(app["secrets"])
        if app["error"]:
            logger.warning("App %s: %s", app["app"], app["error"])
    return secrets
