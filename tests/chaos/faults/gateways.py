"""Two gateways on one database, callers going to both."""

from __future__ import annotations

import asyncio
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager

import httpx

from prefect_phantom.adapters.supervisor.home.home import Home
from prefect_phantom.adapters.supervisor.port import free_ports
from prefect_phantom.adapters.supervisor.postgres.postgres import socket_url
from prefect_phantom.flows.process.undumpable import DESCRIPTOR
from tests.chaos.faults.fault import Fault, Scene

START_SECONDS = 60


class TwoGateways(Fault):
    """A second gateway beside the first, killed after a while."""

    name = "two gateways"

    async def inject(self, scene: Scene) -> str:
        first = scene.system.part("gateway")
        if first is None:
            return "not there"
        port, runtime_port = free_ports("127.0.0.1", 2)
        home = Home(scene.system.home)
        environment = first.environ() | {
            "PREFECT_PHANTOM_DATABASE_URL": socket_url(home),
            "PREFECT_PHANTOM_RUNTIME_KEY": home.runtime_key,
            "PREFECT_API_AUTH_STRING": home.prefect_auth,
            "PREFECT_PHANTOM_PORT": str(port),
            "PREFECT_PHANTOM_RUNTIME_PORT": str(runtime_port),
        }
        del environment[DESCRIPTOR]
        with _running(first.cmdline(), environment, scene):
            async with httpx.AsyncClient() as client, asyncio.timeout(START_SECONDS):
                while not await _is_ready(client, port):
                    await asyncio.sleep(0.1)
            scene.proxy.ports.append(port)
            await asyncio.sleep(scene.between(8, 20))
        return f"port {port}"

    async def heal(self, scene: Scene) -> None:
        scene.proxy.ports[:] = [scene.system.port]


@contextmanager
def _running(
    command: list[str], environment: dict[str, str], scene: Scene
) -> Iterator[subprocess.Popen[bytes]]:
    with (scene.system.folder / "second-gateway.log").open("ab") as log:
        process = subprocess.Popen(command, env=environment, stdout=log, stderr=log)
    try:
        yield process
    finally:
        process.kill()
        process.wait()


async def _is_ready(client: httpx.AsyncClient, port: int) -> bool:
    try:
        return (await client.get(f"http://127.0.0.1:{port}/readyz")).is_success
    except httpx.TransportError:
        return False


FAULTS = (TwoGateways(),)
