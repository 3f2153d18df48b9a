"""The worker's side of warm execution: template processes, and what they fork."""

from __future__ import annotations

import asyncio
import logging
import os
import signal
import socket
from collections import defaultdict
from dataclasses import dataclass
from typing import Any

from prefect_phantom.adapters.process.private_program import command, secrets_apart
from prefect_phantom.adapters.worker.processes.channel import Channel
from prefect_phantom.adapters.worker.processes.run_process import RunProcess
from prefect_phantom.flows.finding.contents import code_digest, folder_of
from prefect_phantom.flows.inside.definition import Isolation

START_SECONDS = 60
MOST = 32
"""Most playbooks that are kept warm; each costs some 15 MB."""
MOST_IMPORTS = 2
"""Of one that changes while it is imported, as where it writes beside itself."""
Place = tuple[str, str | None]
logger = logging.getLogger("prefect_phantom.templates")


class TemplateFailed(Exception):
    """The playbook does not import, or its template process died: another try may do better."""


@dataclass(frozen=True, slots=True)
class Code:
    """The code of a playbook, as a deployment names it, and the digest of what is in its files."""

    entrypoint: str
    folder: str | None
    digest: str

    @property
    def place(self) -> Place:
        """Where the code is, whatever it is at the moment."""
        return self.entrypoint, self.folder

    @classmethod
    def of(cls, entrypoint: str, folder: str | None) -> Code:
        """The code as it lies on disk now."""
        # As its worker reports it: who has this digest runs what it says.
        return cls(entrypoint, folder, code_digest(folder_of(entrypoint, folder)))

    def now(self) -> Code:
        """The same place as it is on disk by now."""
        return Code.of(self.entrypoint, self.folder)


class Templates:
    """Template processes by playbook, made when first needed and again when code changes."""

    def __init__(self) -> None:
        self._first = _First()
        # None: the playbook's import starts threads, so that it cannot be forked afterwards.
        self._channels: dict[Place, tuple[Code, Channel | None]] = {}
        # One for each playbook: one that takes long to import must not hold up the others.
        self._making: defaultdict[Place, asyncio.Lock] = defaultdict(asyncio.Lock)
        # Which code did not import last, when, and why.
        self._failed: dict[Place, tuple[Code, float, str]] = {}

    @property
    def process_id(self) -> int | None:
        """Of the first template process; None before it was started."""
        return self._first.process_id

    async def start(self) -> None:
        """Start the first template process, so that the first run finds it warm."""
        await self._first.start()

    async def fork(self, code: Code, isolation: Isolation) -> tuple[RunProcess, Channel, Code]:
        """Fork a process for one run, or a reused one: it, the channel it waits at, and its code.

        That is `code`, unless its files have changed while they were imported.
        A template that dies while it is asked is made anew, once. Should it have forked all the
        same, that process reads the end of its channel, and ends.

        Raises:
            TemplateFailed: the playbook does not import, or its template died twice.
        """
        died, imports = False, 0
        while True:
            code, template = await self._template(code)
            ours, theirs = socket.socketpair()
            channel = await Channel.open(ours)
            try:
                if template:
                    await template.pass_on({"isolation": isolation}, theirs)
                else:
                    await self._first.pass_on(code, {"isolation": isolation}, theirs)
                process = RunProcess((await channel.read())["process_id"])
                await _imported(channel, process.process_id)
                # Without a template it has imported the playbook itself.
                present = code if template else await asyncio.to_thread(code.now)
            except BaseException as error:
                channel.close()
                if not isinstance(error, (ConnectionError, asyncio.IncompleteReadError)):
                    raise
                self._channels.pop(code.place, None)
                if died:
                    message = f"The template process of {code.entrypoint} died"
                    raise TemplateFailed(message) from error
                died = True
            else:
                imports += 1
                if present == code or imports == MOST_IMPORTS:
                    return process, channel, code
                channel.close()
                code = present

    async def close(self) -> None:
        """End the template processes. Runs go on."""
        for place in list(self._channels):
            self._forget(place)
        await self._first.close()

    async def _template(self, code: Code) -> tuple[Code, Channel | None]:
        clock = asyncio.get_running_loop().time
        asked = clock()
        async with self._making[code.place]:
            known = self._channels.get(code.place)
            if known is not None and known[0] != code:  # who waited may have been overtaken
                code = await asyncio.to_thread(code.now)
            if known is not None and known[0] == code:
                return known
            failed, when, reason = self._failed.pop(code.place, (None, 0.0, ""))
            if failed == code and when >= asked:  # those who wait for one import have its outcome
                self._failed[code.place] = (code, when, reason)
                raise TemplateFailed(reason)
            self._forget(code.place)
            while len(self._channels) >= MOST:
                self._forget(next(iter(self._channels)))
            try:
                made = self._channels[code.place] = await self._make(code)
            except TemplateFailed as error:
                self._failed[code.place] = (code, clock(), str(error))
                raise
            return made

    async def _make(self, code: Code) -> tuple[Code, Channel | None]:
        """A template, and the code that it has imported: what was there before and after.

        What changes with each import, as where a playbook writes beside itself, is what was there
        before the last one.
        """
        imports = 0
        while True:
            imports += 1
            try:
                channel = await self._import(code)
            except TemplateFailed:
                present = await asyncio.to_thread(code.now)
                if present == code or imports == MOST_IMPORTS:
                    raise
            else:
                present = await asyncio.to_thread(code.now)
                if present == code or imports == MOST_IMPORTS:
                    return code, channel
                if channel is not None:
                    channel.close()
            code = present

    async def _import(self, code: Code) -> Channel | None:
        ours, theirs = socket.socketpair()
        await self._first.pass_on(code, {}, theirs)
        channel = await Channel.open(ours)
        try:
            answer = await _imported(channel, (await channel.read())["process_id"])
        except BaseException:
            channel.close()
            raise
        if answer["threads"]:
            logger.warning(
                "Importing %s starts threads (%s), so each of its runs imports it again",
                *(code.entrypoint, ", ".join(answer["threads"])),
            )
            channel.close()
            return None
        return channel

    def _forget(self, place: Place) -> None:
        _, channel = self._channels.pop(place, (None, None))
        if channel is not None:
            channel.close()


async def _imported(channel: Channel, process_id: int) -> dict[str, Any]:
    """What a process says once it has imported the playbook. Raises `TemplateFailed`."""
    try:
        async with asyncio.timeout(START_SECONDS):
            answer = await channel.read()
    except TimeoutError as error:
        os.kill(process_id, signal.SIGKILL)
        message = f"Importing it took longer than {START_SECONDS} s"
        raise TemplateFailed(message) from error
    except (ConnectionError, asyncio.IncompleteReadError) as error:
        message = "Importing it ended the process"
        raise TemplateFailed(message) from error
    if "error" in answer:
        raise TemplateFailed(f"It does not import: {answer['error']}")
    return answer


class _First:
    """The first template process: it knows no playbook, and forks those that do."""

    def __init__(self) -> None:
        self._program: asyncio.subprocess.Process | None = None
        self._channel: Channel | None = None
        self._starting = asyncio.Lock()

    @property
    def process_id(self) -> int | None:
        return None if self._program is None else self._program.pid

    async def start(self) -> Channel:
        async with self._starting:
            if self._channel is not None:
                if self._program is not None and self._program.returncode is None:
                    return self._channel
                self._channel.close()
            ours, theirs = socket.socketpair()
            with theirs, secrets_apart(os.environ) as (environment, passed):
                self._program = await asyncio.create_subprocess_exec(
                    *command(
                        os.environ,
                        "prefect_phantom.flows.process.warm.template",
                        str(theirs.fileno()),
                    ),
                    env=environment,
                    pass_fds=[theirs.fileno(), *passed],
                    stdin=asyncio.subprocess.DEVNULL,
                )
            channel = await Channel.open(ours)
            async with asyncio.timeout(START_SECONDS):
                await channel.read()
            self._channel = channel
            return channel

    async def pass_on(self, code: Code, request: dict[str, Any], passed: socket.socket) -> None:
        """Ask for a process that knows `code` and is the other end of `passed`."""
        with passed:
            first = await self.start()
            place = {"entrypoint": code.entrypoint, "folder": code.folder}
            await first.pass_on({**place, **request}, passed)

    async def close(self) -> None:
        if self._channel is not None and self._program is not None:
            self._channel.close()
            await self._program.wait()
