"""What is made ready for a run while Prefect is asked whether it may begin."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from prefect_phantom.adapters.between.prefect.work_pool import PhantomJobConfiguration
from prefect_phantom.adapters.worker.processes.channel import Channel
from prefect_phantom.adapters.worker.processes.run_process import RunProcess
from prefect_phantom.adapters.worker.processes.templates import Code


class WaitingProcess:
    """A process that was forked for one run, and waits to be told which."""

    def __init__(self, process: RunProcess, channel: Channel) -> None:
        self._process = process
        self._channel = channel

    async def begin(self, request: dict[str, Any]) -> RunProcess:
        """Give it its run, ``{flow_run, ticket, related, environment}``; it takes no other."""
        with suppress(ConnectionError):  # it has died: how is told by its end, as of any run
            await self._channel.send(request)
        self._channel.close()
        return self._process

    def dismiss(self) -> None:
        """Let it end itself, if it was given no run: it sees that nobody will."""
        self._channel.close()


@dataclass(frozen=True, slots=True)
class Preparation:
    """What a run begins with once it is claimed."""

    code: Code
    related: list[dict[str, Any]]
    """What the run belongs to in Prefect."""
    configuration: PhantomJobConfiguration
    waiting: WaitingProcess | None
    """None where the playbook's processes are reused: those stand by as they are."""


async def dismiss(preparing: asyncio.Task[Preparation]) -> None:
    """Let the process end itself that was made ready for a run which is not to begin.

    What is being made is made to its end: the playbook's next run finds its template.
    """
    with suppress(Exception):  # nobody is interested any longer, or it was told already
        prepared = await preparing
        if prepared.waiting is not None:
            prepared.waiting.dismiss()
