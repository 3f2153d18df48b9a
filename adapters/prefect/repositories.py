"""The loop that looks at the repositories, and keeps store and Prefect in step with them."""

from __future__ import annotations

import asyncio
import json
import logging
import os
import sys
from pathlib import Path

from adapters.prefect.deployments import Deployments
from adapters.settings import Settings
from adapters.signal import Signal
from adapters.store import playbooks
from adapters.store.database import Database
from adapters.store.playbooks import FoundPlaybook

ENVIRONMENT = ("PATH", "HOME", "LANG", "LC_ALL", "TZ", "TMPDIR", "PREFECT_HOME")
"""All that playbook files may see while they are looked at: no secret of the gateway."""
logger = logging.getLogger("prefect_phantom.repositories")


class Repositories:
    """Finds playbooks when the gateway starts, and again whenever a file changes."""

    def __init__(
        self, *, database: Database, settings: Settings, deployments: Deployments, ready: Signal
    ) -> None:
        self.database = database
        self.settings = settings
        self.deployments = deployments
        self.ready = ready
        self._seen: object = None
        self._registered = False

    async def run(self) -> None:
        """Run until cancelled. An error ends this round and is the caller's to report."""
        while True:
            await self.refresh()
            await asyncio.sleep(self.settings.playbook_scan_seconds)

    async def refresh(self) -> None:
        """Read the repositories if something changed there; register what Prefect lacks."""
        present = await asyncio.to_thread(_signature, self.settings.playbooks)
        if present != self._seen:
            await self.read()
            self._seen = present
            self._registered = False
        if not self._registered:
            await self.deployments.register_all()
            self._registered = True

    async def read(self) -> None:
        """Store what the repositories hold now."""
        ids = await asyncio.to_thread(_read_ids, self.settings.playbook_ids)
        await playbooks.save_found(
            self.database,
            await self._discover(),
            ids=ids,
            configured=self.settings.repositories,
        )
        self.ready.notify()

    async def _discover(self) -> list[FoundPlaybook]:
        program = await asyncio.create_subprocess_exec(
            *(sys.executable, "-P", "-m", "flows.discovery"),
            *("--seconds", str(self.settings.playbook_import_seconds)),
            *(str(folder) for folder in self.settings.playbooks),
            env={name: os.environ[name] for name in ENVIRONMENT if name in os.environ},
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
        )
        output, _ = await program.communicate()
        if program.returncode:
            message = f"Looking for playbooks failed with exit code {program.returncode}"
            raise RuntimeError(message)
        found: dict[tuple[str, str], FoundPlaybook] = {}
        for line in output.splitlines():
            playbook = FoundPlaybook(**json.loads(line))
            first = found.setdefault((playbook.repository, playbook.name), playbook)
            if first is not playbook:
                logger.warning(
                    "%s/%s is in %s too; the one in %s is used",
                    *(playbook.repository, playbook.name, playbook.folder, first.folder),
                )
        return list(found.values())


def _signature(folders: list[Path]) -> object:
    missing = [str(folder) for folder in folders if not folder.is_dir()]
    if missing:
        message = f"Playbook folder {missing[0]} does not exist"
        raise FileNotFoundError(message)
    return [
        (str(file), file.stat().st_mtime_ns, file.stat().st_size)
        for folder in folders
        for file in sorted(folder.rglob("*.py"))
    ]


def _read_ids(file: Path | None) -> dict[str, object]:
    ids: dict[str, object] = {} if file is None else json.loads(file.read_text())
    return ids
