"""What a worker finds of playbooks in its folders, told to the gateway whenever it changes."""

from __future__ import annotations

import asyncio
import hashlib
import json
import logging
import os
import signal
import sys
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import httpx

from adapters.outage import Outage
from adapters.prefect.gateway_client import GatewayClient, GatewayRefused
from adapters.settings import Settings
from flows import playbooks as shipped
from flows.contents import digest_of, files_of, signature

FOLDERS = "PREFECT_PHANTOM_PLAYBOOKS"
APP_FOLDERS = "PREFECT_PHANTOM_APPS"
"""Where further apps are; see `flows.apps`."""
ENVIRONMENT = ("PATH", "HOME", "LANG", "LC_ALL", "TZ", "TMPDIR", "PREFECT_HOME")
"""All that playbook files may see while they are looked at: no secret of the worker."""
SHIPPED = Path(shipped.__path__[0]).resolve()
logger = logging.getLogger("prefect_phantom.playbooks")


class CannotFindPlaybooks(Exception):
    """The program that looks for playbooks, or apps, has failed as a whole."""


@dataclass(frozen=True, slots=True)
class Report:
    """What the folders hold: each playbook, or file that does not import, as a dictionary."""

    digest: str
    playbooks: list[dict[str, Any]]
    empty_folders: list[str]
    app_secrets: dict[str, list[str]] | None = None
    """What the apps here declare secret, once that was looked at."""

    @property
    def message(self) -> dict[str, Any]:
        """As the runtime API takes it."""
        return {
            "digest": self.digest,
            "playbooks": self.playbooks,
            "empty_folders": self.empty_folders,
            "app_secrets": self.app_secrets,
        }


class PlaybookReports:
    """Looks at the folders when a worker starts, and again whenever a file has changed."""

    def __init__(self, settings: Settings, gateway: GatewayClient) -> None:
        self.settings = settings
        self.gateway = gateway
        self.known = asyncio.Event()
        """Set while the gateway knows what this worker has."""
        self._seen: object = None
        self._report: Report | None = None
        self._app_secrets: dict[str, list[str]] | None = None

    async def run(self) -> None:
        """Run until cancelled: what goes wrong in a round is logged, and tried again."""
        outage = Outage("The gateway, which is to know the playbooks here,", logger)
        while True:
            try:
                await self.refresh()
                outage.ended()
            except (httpx.HTTPError, GatewayRefused) as error:
                outage.began(error)
            except Exception:
                logger.exception("The playbooks here were not looked at")
            await asyncio.sleep(self.settings.playbook_scan_seconds)

    async def refresh(self) -> None:
        """Tell the gateway what is new, or that all is as it was.

        Raises:
            CannotFindPlaybooks: and as long as that lasts the report before holds.
            httpx.HTTPError: the gateway does not answer.
            GatewayRefused: it does not take the report.
        """
        present = await asyncio.to_thread(signature, [SHIPPED, *self.settings.playbooks])
        if self._report is None or present != self._seen:
            found = await find(self.settings)
            self._report = replace(found, app_secrets=self._app_secrets)
            self._seen = present
            known = False
        else:
            known = self.known.is_set() and await self.gateway.has_playbooks(self._report.digest)
        if not known:
            self.known.clear()
            await self.gateway.found_playbooks(self._report.message)
        self.known.set()
        if self._report.app_secrets is None:
            # Afterwards, since nobody waits for it to be ready.
            secrets = self._app_secrets = self._app_secrets or await find_app_secrets()
            self._report = replace(self._report, app_secrets=secrets)
            await self.gateway.found_playbooks(self._report.message)


async def find(settings: Settings) -> Report:
    """Import every playbook file in a process of its own, and describe what it holds.

    Raises:
        CannotFindPlaybooks: the program that does so has failed.
    """
    folders = [folder.expanduser().resolve() for folder in settings.playbooks]
    seconds = ("--seconds", str(settings.playbook_import_seconds))
    digests, playbooks = await asyncio.gather(
        asyncio.to_thread(_digests, [SHIPPED, *folders]),
        _told("flows.discovery", *seconds, *(str(folder) for folder in folders)),
    )
    for playbook in playbooks:
        playbook["digest"] = digests[playbook["folder"] or str(SHIPPED)]
    empty = [str(folder) for folder in folders if not files_of(folder)]
    for folder in empty:
        logger.warning("There are no playbooks in %s", folder)
    if not folders:
        # Who names none takes nothing away from a worker that has some.
        empty = [FOLDERS]
    # Where the shipped ones lie differs from host to host, and says nothing.
    whole = sorted(
        digest if folder == str(SHIPPED) else f"{folder} {digest}"
        for folder, digest in digests.items()
    )
    return Report(hashlib.sha256("\n".join(whole).encode()).hexdigest(), playbooks, empty)


async def find_app_secrets() -> dict[str, list[str]]:
    """Which settings the apps declare secret, by the names of the apps.

    Raises:
        CannotFindPlaybooks: the program that imports the apps has failed.
    """
    secrets: dict[str, list[str]] = {}
    for app in await _told("flows.apps", further=[APP_FOLDERS]):
        secrets[app["app"]] = app["secrets"]
        if app["error"]:
            logger.warning("App %s: %s", app["app"], app["error"])
    return secrets


async def _told(module: str, *arguments: str, further: Sequence[str] = ()) -> list[dict[str, Any]]:
    """The lines of a program that imports what others have written; it sees no secret."""
    program = await asyncio.create_subprocess_exec(
        *(sys.executable, "-P", "-m", module, *arguments),
        env={name: os.environ[name] for name in (*ENVIRONMENT, *further) if name in os.environ},
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        start_new_session=True,
    )
    try:
        output, _ = await program.communicate()
    finally:
        if program.returncode is None:
            with suppress(ProcessLookupError):
                os.killpg(program.pid, signal.SIGKILL)
            await program.communicate()
    if program.returncode:
        message = f"{module} failed with exit code {program.returncode}"
        raise CannotFindPlaybooks(message)
    return [json.loads(line) for line in output.splitlines()]


def _digests(folders: list[Path]) -> dict[str, str]:
    return {str(folder): digest_of(folder) for folder in folders}
