"""Buttons that somebody presses in the Prefect UI: delete, retry, cancel."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

import httpx

from tests.chaos.faults.fault import Fault, Scene

Press = Callable[[Scene, str], Awaitable[object]]


class Button(Fault):
    """A button is pressed on some flow runs, under way or over."""

    def __init__(self, name: str, press: Press) -> None:
        self.name = f"{name} in Prefect"
        self.press = press

    async def inject(self, scene: Scene) -> str:
        pressed = []
        for _ in range(6):
            found = await scene.system.prefect(
                "POST", "/flow_runs/filter", {"limit": 8, "sort": "START_TIME_DESC"}
            )
            flow_run = scene.chance.choice(found) if found else None
            if flow_run is not None:
                try:
                    await self.press(scene, flow_run["id"])
                    pressed.append(f"{flow_run['state_name']} {flow_run['id']}")
                except httpx.HTTPStatusError as error:
                    pressed.append(f"refused: {error.response.status_code}")
            await asyncio.sleep(scene.between(0.2, 1.5))
        return "; ".join(pressed)


async def _delete(scene: Scene, flow_run: str) -> object:
    return await scene.system.prefect("DELETE", f"/flow_runs/{flow_run}")


async def _retry(scene: Scene, flow_run: str) -> object:
    state = {"state": {"type": "SCHEDULED", "name": "AwaitingRetry"}, "force": True}
    return await scene.system.prefect("POST", f"/flow_runs/{flow_run}/set_state", state)


async def _cancel(scene: Scene, flow_run: str) -> object:
    state = {"state": {"type": "CANCELLING", "name": "Cancelling"}, "force": False}
    return await scene.system.prefect("POST", f"/flow_runs/{flow_run}/set_state", state)


FAULTS = (Button("delete", _delete), Button("retry", _retry), Button("cancel", _cancel))
