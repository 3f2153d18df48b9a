"""The worker's side of its guardian: runs are not left without one."""

from __future__ import annotations

import asyncio
import errno
from typing import Any

import pytest

from prefect_phantom.adapters.worker.processes import guardian as guardians
from prefect_phantom.adapters.worker.processes.guardian import Guardian


async def test_a_guardian_is_started_though_that_failed_at_first(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    started: list[asyncio.subprocess.Process] = []
    start, failures = asyncio.create_subprocess_exec, [OSError(errno.EAGAIN, "no process")]

    async def fail_once(*arguments: Any, **options: Any) -> asyncio.subprocess.Process:
        if failures:
            raise failures.pop()
        started.append(await start(*arguments, **options))
        return started[0]

    monkeypatch.setattr(asyncio, "create_subprocess_exec", fail_once)
    monkeypatch.setattr(guardians, "RESTART_SECONDS", 0.01)
    guardian = Guardian(url="http://127.0.0.1:9", key="key", worker="worker")
    async with asyncio.timeout(60):
        await guardian.start()
    await guardian.close()
    await started[0].wait()


async def test_one_that_ends_at_once_is_not_started_again_without_a_pause(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    started = 0
    pause = asyncio.Event()
    start = asyncio.create_subprocess_exec

    async def end_at_once(*_: Any, **options: Any) -> asyncio.subprocess.Process:
        nonlocal started
        started += 1
        return await start("true", **options)

    async def sleep(seconds: float) -> None:
        assert seconds == guardians.RESTART_SECONDS
        pause.set()
        await asyncio.Event().wait()

    monkeypatch.setattr(asyncio, "create_subprocess_exec", end_at_once)
    monkeypatch.setattr(guardians.asyncio, "sleep", sleep)
    guardian = Guardian(url="http://127.0.0.1:9", key="key", worker="worker")
    starting = asyncio.create_task(guardian.start())
    async with asyncio.timeout(60):
        await pause.wait()
    assert started == 1
    starting.cancel()
    await asyncio.gather(starting, return_exceptions=True)
    await guardian.close()
