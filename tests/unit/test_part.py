"""A part of an installation: watched whatever happens."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from prefect_phantom.adapters.supervisor.logs.log import Log
from prefect_phantom.adapters.supervisor.logs.logs import Logs
from prefect_phantom.adapters.supervisor.parts import part as parts
from prefect_phantom.adapters.supervisor.parts.part import Definition, Part, State
from prefect_phantom.adapters.supervisor.parts.pipes import Pipes


class Reports:
    """What the part told of itself."""

    def __init__(self) -> None:
        self.words: list[str] = []
        self.states: asyncio.Queue[State] = asyncio.Queue()

    def __call__(self, _part: str, state: State, words: str) -> None:
        self.words.append(words)
        self.states.put_nowait(state)

    async def until(self, state: State) -> None:
        async with asyncio.timeout(60):
            while await self.states.get() != state:
                pass


@pytest.fixture
async def logs() -> AsyncIterator[Logs]:
    logs = Logs({}, print)
    await logs.start()
    yield logs
    await logs.close()


async def test_a_part_is_started_again_whatever_went_wrong_meanwhile(
    logs: Logs, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(parts, "FIRST_DELAY_SECONDS", 0.01)
    reports, pipes = Reports(), Pipes(["sleeper"])
    answers = [True, RuntimeError("can't start new thread"), True]

    async def ready() -> bool:
        answer = answers.pop(0)
        if isinstance(answer, Exception):
            raise answer
        return answer

    definition = Definition(
        name="sleeper",
        command=["sleep", "60"],
        environment={"PATH": "/usr/bin:/bin"},
        log=Log(tmp_path / "sleeper.log"),
        ready=ready,
        advice="mend that",
    )
    part = Part(definition, tmp_path, reports, pipes, logs)
    await part.start()
    await reports.until(State.READY)
    assert part._process is not None
    part._process.kill()
    await reports.until(State.READY)
    assert any("can't start new thread" in words for words in reports.words)
    await part.stop(asyncio.get_running_loop().time() + 10)
    pipes.close()
