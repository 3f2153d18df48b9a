"""What a worker finds of playbooks in its folders, told to the gateway whenever it changes."""

from __future__ import annotations

import asyncio
import hashlib
import json
import logging
import os
import signal
import sys
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx

from adapters.prefect.gateway_client import GatewayClient, GatewayRefused
from adapters.settings import Settings
from flows import playbooks as shipped
from flows.contents import digest_of, files_of, signature

ENVIRONMENT = ("PATH", "HOME", "LANG", "LC_ALL", "TZ", "TMPDIR", "PREFECT_HOME")
"""All that playbook files may see while they are looked at: no secret of the worker."""
SHIPPED = Path(shipped.__path__[0]).resolve()
logger = logging.getLogger("prefect_phantom.playbooks")


class CannotFindPlaybooks(Exception):
    """The program that looks for playbooks has failed as a whole."""


@dataclass(frozen=True, slots=True)
class Report:
    """What the folders hold: each playbook, or file that does not import, as a dictionary."""

    digest: str
    playbooks: list[dict[str, Any]]
    empty_folders: list[str]

    @property
    def message(self) -> dict[str, Any]:
        """As the runtime API takes it."""
        return {
            "digest": self.digest,
            "playbooks": self.playbooks,
            "empty_folders": self.empty_folders,
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

    async def run(self) -> None:
        """Run until cancelled: what goes wrong in a round is logged, and tried again."""
        while True:
            try:
                await self.refresh()
            except (httpx.HTTPError, GatewayRefused, CannotFindPlaybooks) as error:
                logger.warning("The gateway does not know the playbooks here yet: %s", error)
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
            self._report = await find(self.settings)
            self._seen = present
            known = False
        else:
            known = self.known.is_set() and await self.gateway.has_playbooks(self._report.digest)
        if not known:
            self.known.clear()
            await self.gateway.found_playbooks(self._report.message)
        self.known.set()


async def find(settings: Settings) -> Report:
    """Import every playbook file in a process of its own, and describe what it holds.

    Raises:
        CannotFindPlaybooks: the program that does so has failed.
    """
    folders = [folder.expanduser().resolve() for folder in settings.playbooks]
    program = await asyncio.create_subprocess_exec(
        *(sys.executable, "-P", "-m", "flows.discovery"),
        *("--seconds", str(settings.playbook_import_seconds)),
        *(str(folder) for folder in folders),
        env={name: os.environ[name] for name in ENVIRONMENT if name in os.environ},
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        start_new_session=True,
    )
    try:
        digests, (output, _) = await asyncio.gather(
            asyncio.to_thread(_digests, [SHIPPED, *folders]), program.communicate()
        )
    finally:
        if program.returncode is None:
            with suppress(ProcessLookupError):
                os.killpg(program.pid, signal.SIGKILL)
    if program.returncode:
        message = f"Looking for playbooks failed with exit code {program.returncode}"
        raise CannotFindPlaybooks(message)
    playbooks = [json.loads(line) for line in output.splitlines()]
    for playbook in playbooks:
        playbook["digest"] = digests[playbook["folder"] or str(SHIPPED)]
    empty = [str(folder) for folder in folders if not files_of(folder)]
    for folder in empty:
        logger.warning("There are no playbooks in %s", folder)
    # Where the shipped ones lie differs from host to host, and says nothing.
    whole = sorted(
        digest if folder == str(SHIPPED) else f"{folder} {digest}"
        for folder, digest in digests.items()
    )
    return Report(hashlib.sha256("\n".join(whole).encode()).hexdigest(), playbooks, empty)


def _digests(folders: list[Path]) -> dict[str, str]:
    return {str(folder): digest_of(folder) for folder in folders}
