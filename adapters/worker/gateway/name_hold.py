"""The name of a worker: held at the gateway by a connection, which a dead process has not."""

from __future__ import annotations

import asyncio
import logging
import os
import socket
from uuid import uuid4

import httpx

from prefect_phantom.adapters.process.outage import Outage
from prefect_phantom.adapters.worker.gateway.gateway_client import GatewayClient, GatewayRefused
from prefect_phantom.flows.process.guardian import process_tree
from prefect_phantom.flows.process.machine import machine

PATIENCE_SECONDS = 120.0
"""How long a start waits for the gateway."""
RECONNECT_SECONDS = 1.0
logger = logging.getLogger("prefect_phantom.worker")


class NameHold:
    """Holds the name of a worker from `take` on, through every break of the connection."""

    def __init__(self, gateway: GatewayClient) -> None:
        self._gateway = gateway
        self.holder = str(uuid4())
        """Who has the name, when it is ours."""
        self._holder: dict[str, str | int] = {
            "holder": self.holder,
            "hostname": socket.gethostname(),
            "process_id": os.getpid(),
            "process": _process(os.getpid()),
        }
        self._taken = asyncio.Event()
        self._keeping: asyncio.Task[None] | None = None
        self._held_until: object = None

    async def take(self) -> None:
        """Return when the name is ours; a worker that had it and is dead does not keep it.

        Raises `GatewayRefused` when another one has it, or when nobody answers.
        """
        self._keeping = asyncio.create_task(self._keep())
        taken = asyncio.create_task(self._taken.wait())
        await asyncio.wait(
            {self._keeping, taken}, timeout=PATIENCE_SECONDS, return_when=asyncio.FIRST_COMPLETED
        )
        taken.cancel()
        if self._keeping.done():
            self._keeping.result()
        if not self._taken.is_set():
            await self.give_back()
            raise GatewayRefused(
                f"No gateway answers at {self._gateway.url}: start it, or name another one with"
                " PREFECT_PHANTOM_RUNTIME_URL"
            )

    async def wait_lost(self) -> None:
        """Wait until the name is another one's, since no gateway was reached for so long.

        Raises `GatewayRefused`, which says whose.
        """
        if self._keeping is not None:
            await asyncio.shield(self._keeping)

    async def give_back(self) -> None:
        """Let whoever comes next have the name."""
        if self._keeping is not None:
            self._keeping.cancel()
            await asyncio.gather(self._keeping, return_exceptions=True)

    async def _keep(self) -> None:
        outage = Outage(f"The gateway at {self._gateway.url}", logger)
        dead: str | None = None
        while True:
            try:
                async for _ in self._gateway.hold(self._holder | ({"dead": dead} if dead else {})):
                    self._taken.set()
                    self._held_until = None
                    outage.ended()
            except GatewayRefused as refused:
                if "holder" in refused.fields:
                    if dead := self._dead(refused):
                        continue
                elif self._taken.is_set():
                    # A proxy between, or a gateway with another key: the name is nobody else's.
                    outage.began(refused)
                else:
                    raise
            except httpx.HTTPError as error:
                outage.began(error)
            except Exception:
                if not self._taken.is_set():
                    raise
                logger.exception("The name is held again in a moment")
            await asyncio.sleep(RECONNECT_SECONDS)

    def _dead(self, refused: GatewayRefused) -> str | None:
        """The holder of the name, when it is dead; None when that is to be seen in a moment.

        Raises `refused` when it lives.
        """
        other = refused.fields
        if str(other["process"]).startswith(f"{machine()} "):
            if _lives(int(other["process_id"]), other["process"]):
                raise refused
            return str(other["holder"])
        # On another machine: as long as it lives, a gateway renews its hold.
        if self._held_until not in (None, other["held_until"]):
            raise refused
        if self._held_until is None:
            logger.info("%s, unless it has died; waiting to see", refused)
        self._held_until = other["held_until"]
        return None


def _process(process_id: int) -> str:
    """Which process it is, of which machine, as long as it lives; empty when it does not."""
    process = process_tree.read(process_id)
    if process is None or process.state in "ZX":
        return ""
    return f"{machine()} {process_id} {process.start}"


def _lives(process_id: int, process: object) -> bool:
    if seen := _process(process_id):
        return seen == process
    try:
        os.kill(process_id, 0)
    except ProcessLookupError:
        return False
    except PermissionError:  # another user's, which is hidden from us (hidepid)
        return True
    return False
