"""The worker's side of its guardian: runs are not left without one."""

from __future__ import annotations

import asyncio
import errno
from typing import Any

import pytest

from adapters.prefect import guardian as guardians
from adapters.prefect.guardian import Guardian

pytestmark = pytest.mark.anyio


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
