"""The reused processes of a worker: which are idle, which one is next, and when one has to go."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Coroutine, Iterator
from typing import Any

from prefect_phantom.adapters.between.prefect.work_pool import PhantomJobConfiguration
from prefect_phantom.adapters.worker.processes.reused_process import ReusedProcess, ReusedRun
from prefect_phantom.adapters.worker.processes.templates import (
    Code,
    Place,
    TemplateFailed,
    Templates,
)

IDLE_SECONDS = 300.0
"""An idle process that was not used for so long is ended."""
logger = logging.getLogger("prefect_phantom.reused_processes")


class ReusedProcesses:
    """Reused processes by playbook. While one works another stands by, as far as slots go."""

    def __init__(self, templates: Templates) -> None:
        self._templates = templates
        self._all: set[ReusedProcess] = set()
        # The last is the one that was used last, so that those at the front get old.
        self._idle: dict[ReusedProcess, asyncio.TimerHandle] = {}
        self._making: set[Place] = set()
        self._tasks: set[asyncio.Task[None]] = set()

    @property
    def process_ids(self) -> Iterator[int]:
        """Of all that have not been collected yet, idle or not."""
        return (each.process.process_id for each in self._all)

    async def begin(
        self,
        code: Code,
        request: dict[str, Any],
        configuration: PhantomJobConfiguration,
        *,
        slots: int,
    ) -> ReusedRun:
        """Give a run to an idle process, or to a new one.

        `request` is ``{flow_run, ticket, related, environment}``.

        Raises:
            TemplateFailed: as for `Templates.fork`.
        """
        environment = configuration.environment
        process = self._take(code, environment) or await self._make(code, environment)

        def give_back(process: ReusedProcess) -> bool:
            return self._give_back(process, configuration)

        run = ReusedRun(process, request, give_back)
        self._start(self._stand_by(code, environment, slots))
        return run

    async def close(self) -> None:
        """End the idle processes. Runs go on."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        idle = list(self._idle)
        for process in idle:
            self._end(process)
        await asyncio.gather(*(process.process.wait() for process in idle))

    def _take(self, code: Code, environment: dict[str, str]) -> ReusedProcess | None:
        """The idle process that was used last. Those with other code or environment end."""
        taken = None
        for process in reversed(list(self._idle)):
            if process.code.place != code.place:
                continue
            if (process.code, process.environment) != (code, environment):
                self._end(process)
            elif taken is None:
                taken = process
                self._idle.pop(process).cancel()
        return taken

    async def _make(self, code: Code, environment: dict[str, str]) -> ReusedProcess:
        forked, channel, code = await self._templates.fork(code, "reused")
        process = ReusedProcess(forked, channel, code, environment)
        self._all.add(process)
        forked.ended.add_done_callback(lambda _: self._forget(process))
        return process

    def _give_back(self, process: ReusedProcess, configuration: PhantomJobConfiguration) -> bool:
        """Keep a process whose run has ended for the next, unless it has done or grown enough."""
        if (
            process not in self._all
            or process.runs >= configuration.reused_runs
            or process.memory_megabytes() > configuration.reused_memory_mb
        ):
            return False
        self._keep(process)
        return True

    async def _stand_by(self, code: Code, environment: dict[str, str], slots: int) -> None:
        """Have a process ready for the next run, so that it need not wait for one."""
        count = sum(process.code.place == code.place for process in self._all)
        idle = any(process.code.place == code.place for process in self._idle)
        if idle or count >= slots or code.place in self._making:
            return
        self._making.add(code.place)
        try:
            self._keep(await self._make(code, environment))
        except TemplateFailed as error:
            # The next run asks again, and ends with the reason.
            logger.warning("No process stands by for %s: %s", code.entrypoint, error)
        finally:
            self._making.discard(code.place)

    def _keep(self, process: ReusedProcess) -> None:
        loop = asyncio.get_running_loop()
        self._idle[process] = loop.call_later(IDLE_SECONDS, self._end, process)

    def _end(self, process: ReusedProcess) -> None:
        self._idle.pop(process).cancel()
        process.end()

    def _forget(self, process: ReusedProcess) -> None:
        self._all.discard(process)
        if (timer := self._idle.pop(process, None)) is not None:
            timer.cancel()

    def _start(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
