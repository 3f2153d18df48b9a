"""What a worker finds of playbooks in its folders, told to the gateway whenever it changes."""

from __future__ import annotations

import asyncio
import hashlib
import json
import logging
import os
import sys
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, cast

import httpx

from prefect_phantom.adapters.between.report_size import LARGEST_REPORT, MOST_PLAYBOOKS
from prefect_phantom.adapters.process.outage import Outage
from prefect_phantom.adapters.process.process_marks import MARKS
from prefect_phantom.adapters.settings import Settings
from prefect_phantom.adapters.worker.gateway.gateway_client import GatewayClient, GatewayRefused
from prefect_phantom.flows.finding.contents import SHIPPED, code_digest, files_of

FOLDERS = "PREFECT_PHANTOM_PLAYBOOKS"
APP_FOLDERS = "PREFECT_PHANTOM_APPS"
"""Where further apps are; see `prefect_phantom.apps`."""
ENVIRONMENT = ("PATH", "HOME", "LANG", "LC_ALL", "TZ", "TMPDIR", "PREFECT_HOME", *MARKS)
"""All that playbook files may see while they are looked at: no secret of the worker."""
ALIVE_SECONDS = 10.0
"""How often the gateway is told that the playbooks are still here, whatever is looked at."""
START_SECONDS = 60.0
"""How long the program that looks at them may say nothing, besides the time limit of a file."""
APPS_SECONDS = 600.0
CHUNK = 65_536
END_SECONDS = 5.0
MOST_LOOKS = 2
NAMED = LARGEST_REPORT // 8
"""Of a report: what is in it beside what playbooks say of themselves, in bytes of JSON."""
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
        self._was_known = False
        self._seen: object = None
        self._report: Report | None = None
        self._app_secrets: dict[str, list[str]] | None = None
        self._telling = asyncio.Lock()

    async def run(self) -> None:
        """Run until cancelled: what goes wrong in a round is logged, and tried again.

        Raises `GatewayRefused`: it has never taken a report of this worker.
        """
        outage = Outage("The gateway, which is to know the playbooks here,", logger)
        alive = asyncio.create_task(self._stay_known())
        try:
            while True:
                try:
                    await self.refresh()
                    outage.ended()
                except GatewayRefused as error:
                    if not self._was_known:
                        raise  # it would get no run, and say no more than that
                    outage.began(error)
                except httpx.HTTPError as error:
                    outage.began(error)
                except Exception:
                    logger.exception("The playbooks here were not looked at")
                await asyncio.sleep(self.settings.playbook_scan_seconds)
        finally:
            alive.cancel()

    async def refresh(self) -> None:
        """Tell the gateway what is new, or that all is as it was.

        Raises:
            CannotFindPlaybooks: and as long as that lasts the report before holds.
            httpx.HTTPError: the gateway does not answer.
            GatewayRefused: it does not take the report.
        """
        present = await asyncio.to_thread(_digests, self.settings)
        if self._report is None or present != self._seen:
            found = await find(self.settings)
            self._hold(replace(found, app_secrets=self._app_secrets))
            self._seen = present
        await self._tell()
        if self._report is not None and self._report.app_secrets is None:
            # Afterwards, since nobody waits for it to be ready.
            secrets = self._app_secrets = self._app_secrets or await find_app_secrets()
            self._hold(replace(self._report, app_secrets=secrets))
            await self._tell()

    async def _stay_known(self) -> None:
        """Say that the playbooks are here, while files that are imported take their time.

        Those of another worker would hold after a while of silence.
        """
        while True:
            await asyncio.sleep(ALIVE_SECONDS)
            try:
                await self._tell()
            except (httpx.HTTPError, GatewayRefused):
                continue  # `run` says so
            except Exception:
                logger.exception("The gateway was not told that the playbooks are still here")

    def _hold(self, report: Report) -> None:
        self._report = report
        self.known.clear()

    async def _tell(self) -> None:
        """Have the gateway know the report."""
        async with self._telling:
            report = self._report
            if report is None:
                return
            if self.known.is_set() and await self.gateway.has_playbooks(report.digest):
                return
            if report is self._report:
                self.known.clear()
            await self.gateway.found_playbooks(report.message)
            self._was_known = True
            if report is self._report:  # what was found meanwhile is told by who has found it
                self.known.set()


async def find(settings: Settings) -> Report:
    """Import every playbook file in a process of its own, and describe what it holds.

    What changes while it is imported is imported again. What changes each time, as where a
    playbook writes beside itself, is taken as it was found last.

    Raises:
        CannotFindPlaybooks: the program that does so has failed.
    """
    present = await asyncio.to_thread(_digests, settings)
    for _ in range(MOST_LOOKS):
        digests = present
        playbooks = await _imported(settings)
        present = await asyncio.to_thread(_digests, settings)
        if present == digests:
            break
    return _report(settings, playbooks, present)


async def _imported(settings: Settings) -> list[dict[str, Any]]:
    folders = _folders(settings)
    files = await asyncio.to_thread(lambda: sum(map(len, map(files_of, [SHIPPED, *folders]))))
    seconds = ("--seconds", str(settings.playbook_import_seconds))
    return await _told(
        "prefect_phantom.flows.finding.discovery",
        *(*seconds, *(str(folder) for folder in folders)),
        patience=START_SECONDS + files * settings.playbook_import_seconds,
        silence=START_SECONDS + settings.playbook_import_seconds,
    )


def _report(settings: Settings, playbooks: list[dict[str, Any]], digests: dict[str, str]) -> Report:
    folders = _folders(settings)
    playbooks = fitted([playbook for playbook in playbooks if playbook])
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
    for app in await _told("prefect_phantom.apps", patience=APPS_SECONDS, further=[APP_FOLDERS]):
        secrets[app["app"]] = app["secrets"]
        if app["error"]:
            logger.warning("App %s: %s", app["app"], app["error"])
    return secrets


def fitted(playbooks: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """`playbooks`, those that say most of themselves as broken where all would be too much."""
    if len(playbooks) > MOST_PLAYBOOKS:
        logger.error("Of %d playbooks here %d are told", len(playbooks), MOST_PLAYBOOKS)
        playbooks = playbooks[:MOST_PLAYBOOKS]
    sizes = [len(json.dumps(playbook)) for playbook in playbooks]
    room = LARGEST_REPORT - NAMED - sum(sizes)
    for place in sorted(range(len(sizes)), key=sizes.__getitem__, reverse=True):
        if room >= 0:
            break
        playbook = playbooks[place]
        message = f"All playbooks here say too much of themselves; this one, {sizes[place]:,} bytes"
        named = {name: playbook[name] for name in ("repository", "name", "folder", "entrypoint")}
        playbooks[place] = {**named, "error": message}
        room += sizes[place] - len(json.dumps(playbooks[place]))
    return playbooks


async def _told(
    module: str,
    *arguments: str,
    patience: float,
    silence: float | None = None,
    further: Sequence[str] = (),
) -> list[dict[str, Any]]:
    """The lines of a program that imports what others have written; it sees no secret.

    It ends, with all that it has started, with this process (`flows.caller`), after `patience` and
    after `silence`, in seconds.
    """
    alive, ours = os.pipe()
    names = (*ENVIRONMENT, *further)
    try:
        program = await asyncio.create_subprocess_exec(
            *(sys.executable, "-P", "-m", module, "--caller", str(alive), *arguments),
            env={name: os.environ[name] for name in names if name in os.environ},
            pass_fds=[alive],
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            start_new_session=True,
        )
    except BaseException:
        os.close(ours)
        raise
    finally:
        os.close(alive)
    said, output = cast("asyncio.StreamReader", program.stdout), bytearray()
    try:
        async with asyncio.timeout(patience) as whole:
            while chunk := await asyncio.wait_for(said.read(CHUNK), silence):
                output += chunk
            await program.wait()
    except TimeoutError as error:
        message = (
            f"{module} took longer than {patience:g} s"
            if whole.expired()
            else f"{module} has said nothing for {silence:g} s"
        )
        raise CannotFindPlaybooks(message) from error
    finally:
        os.close(ours)
        await _end(program)
    if program.returncode:
        message = f"{module} failed with exit code {program.returncode}"
        raise CannotFindPlaybooks(message)
    return [json.loads(line) for line in output.splitlines()]


async def _end(program: asyncio.subprocess.Process) -> None:
    with suppress(TimeoutError):
        async with asyncio.timeout(END_SECONDS):
            await program.wait()
    if program.returncode is None:
        program.kill()
        await program.wait()


def _folders(settings: Settings) -> list[Path]:
    return [folder.expanduser().resolve() for folder in settings.playbooks]


def _digests(settings: Settings) -> dict[str, str]:
    return {str(folder): code_digest(folder) for folder in [SHIPPED, *_folders(settings)]}
