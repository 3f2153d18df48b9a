"""Callers: they start runs, ask how those stand, cancel them, and never give up on an answer."""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import Collection, Mapping
from typing import Any
from uuid import UUID

import httpx

from tests.chaos.installation import PASSWORD, USER
from tests.chaos.journal import Answer, Journal, Life
from tests.chaos.kinds import KINDS, LIGHT
from tests.chaos.witness import Witnesses

GIVE_UP_SECONDS = 300
"""How long a caller repeats a request that gets no answer."""
LOOK_SECONDS = 0.2
MOST_AT_ONCE = 80
FALSE_CANCEL_SECONDS = 2.0
"""A process that has been refused may still send its logs for so long."""


class Load:
    """Lives of runs, each in a task of its own."""

    def __init__(
        self, url: str, witnesses: Witnesses, journal: Journal, chance: random.Random
    ) -> None:
        self.journal = journal
        self.witnesses = witnesses
        self.fault = "none"
        """What is noted for runs that are asked for from now on."""
        self.mix: Mapping[str, float] = LIGHT
        self.again = 0.05
        """How often an acknowledged request is repeated, with the same body and with another."""
        self.waiting = False
        """Whether `arrive` asks for nothing at the moment."""
        self.tasks: set[asyncio.Task[None]] = set()
        self._chance = chance
        self._client = httpx.AsyncClient(
            base_url=url,
            auth=(USER, PASSWORD),
            timeout=15,
            # A connection for each request: any of them may be cut, or go to another gateway.
            limits=httpx.Limits(max_keepalive_connections=0),
        )

    async def arrive(self, rate: float) -> None:
        """Ask for so many runs a second, until cancelled; fewer while very many are under way."""
        while True:
            await asyncio.sleep(self._chance.expovariate(rate))
            if not self.waiting and len(self.tasks) < MOST_AT_ONCE:
                self.begin(self._chance.choices(list(self.mix), list(self.mix.values()))[0])

    def begin(self, kind: str, *, cancel: bool = True) -> Life:
        """Ask for one run."""
        key = str(UUID(int=self._chance.getrandbits(128), version=4))
        life = Life(key, kind, self.fault, time.monotonic())
        self.journal.lives.append(life)
        task = asyncio.create_task(self._live(life, cancel=cancel), name=f"{kind} {key}")
        self.tasks.add(task)
        task.add_done_callback(self._done)
        return life

    async def over(self, seconds: float) -> None:
        """Return when all runs have ended as far as their callers know, or so much later."""
        if self.tasks:
            await asyncio.wait(self.tasks, timeout=seconds)

    async def end_strays(self, runs: Collection[int]) -> None:
        """Cancel those of the runs that no caller knows of, since its answer was lost for good."""
        known = {life.id for life in self.journal.lives}
        for run in set(runs) - known:
            stray = Life(f"stray {run}", "stray", "none", time.monotonic(), ids=[run])
            await self._insist(stray, "POST", f"/rest/playbook_run/{run}", {"cancel": True})

    async def close(self) -> None:
        """Give up on what is left."""
        for task in self.tasks:
            task.cancel()
        await asyncio.gather(*self.tasks, return_exceptions=True)
        await self._client.aclose()

    def _done(self, task: asyncio.Task[None]) -> None:
        self.tasks.discard(task)
        if not task.cancelled() and (error := task.exception()) is not None:
            self.journal.note("a caller failed", task=task.get_name(), error=repr(error))

    async def _live(self, life: Life, *, cancel: bool) -> None:
        kind = KINDS[life.kind]
        body = {
            "container_id": 42,
            "playbook_id": f"local/{kind.playbook}",
            "run": True,
            "inputs": {"key": life.key, **kind.inputs},
        }
        answer = await self._insist(life, "POST", "/rest/playbook_run", body)
        if answer is None or answer.is_error:
            life.refused = "no answer" if answer is None else answer.text
            return
        life.ids.append(int(answer.json()["playbook_run_id"]))
        life.acked = time.monotonic()
        moment = kind.cancel if cancel else "never"
        if moment == "at once":
            await self._cancel(life)
        elif moment != "witnessed" and self._chance.random() < self.again:
            await self._start_again(life, body)
        if moment == "any":
            await asyncio.sleep(self._chance.random() * 3)
            await self._cancel(life)
        if moment == "witnessed":
            await self._until_witnessed(life)
            await asyncio.sleep(self._chance.random())
            await self._cancel(life)
        await self._until_ended(life)
        if moment == "ended":
            await self._cancel(life)
        # A final state never changes: look once more.
        await asyncio.sleep(self._chance.random() * 3)
        await self._look(life)

    async def _start_again(self, life: Life, body: dict[str, Any]) -> None:
        """As a caller whose answer was lost; and as one that uses a key twice for two things."""
        answer = await self._insist(life, "POST", "/rest/playbook_run", body)
        if answer is not None and answer.is_success:
            life.ids.append(int(answer.json()["playbook_run_id"]))
        other = body | {"inputs": {"key": f"another of {life.key}"}}
        answer = await self._insist(life, "POST", "/rest/playbook_run", other)
        if answer is not None and answer.status_code != httpx.codes.CONFLICT:
            life.breaches.append(("2 same key", f"another body got {answer.status_code}"))

    async def _cancel(self, life: Life) -> None:
        life.cancel_asked = time.monotonic()
        answer = await self._insist(life, "POST", f"/rest/playbook_run/{life.id}", {"cancel": True})
        if answer is None:
            return
        # Read before anything else runs here, so that both are the same moment.
        now, clock = time.monotonic(), time.time()
        if answer.is_success:
            life.cancel_acked, life.cancel_acked_clock = now, clock
        elif answer.status_code == httpx.codes.BAD_REQUEST:
            life.cancel_refused = answer.json()["message"]
        else:
            life.breaches.append(("5 cancel", f"a cancel got {answer.status_code}"))

    async def _until_witnessed(self, life: Life) -> None:
        assert life.id is not None
        while not any(line.what == "first" for line in self.witnesses.of(life.id)):
            await self._pause()
            if await self._look(life) != "running":
                return

    async def _until_ended(self, life: Life) -> None:
        assert life.id is not None
        next_look = 0.0
        while True:
            if life.cancel_acked is None:
                await self._pause()
            else:
                await asyncio.sleep(LOOK_SECONDS)
                self._see_gone(life, life.id)
            if time.monotonic() < next_look:
                continue
            next_look = time.monotonic() + 1
            look = asyncio.create_task(self._look(life))
            while not look.done():
                # An answer may be long in coming, and what is watched does not wait for it.
                await asyncio.wait([look], timeout=LOOK_SECONDS)
                if life.cancel_acked is not None:
                    self._see_gone(life, life.id)
            if look.result() != "running":
                break
        if life.cancel_acked is not None:
            await self._until_gone(life, life.id)

    async def _until_gone(self, life: Life, run: int) -> None:
        """The run says that it was cancelled: nothing of it may be alive."""
        ended = time.monotonic()
        while not self._see_gone(life, run):
            if not life.lively and time.monotonic() - ended > FALSE_CANCEL_SECONDS:
                alive = self.witnesses.alive(run)
                life.lively = ", ".join(f"{line.what} ({line.process_id})" for line in alive)
            if time.monotonic() - ended > GIVE_UP_SECONDS:
                return
            await asyncio.sleep(LOOK_SECONDS)

    def _see_gone(self, life: Life, run: int) -> bool:
        """Note when the run had no process any more; one may still have been about to begin."""
        if self.witnesses.alive(run):
            life.gone = None
        elif life.gone is None:
            life.gone = time.monotonic()
        return life.gone is not None

    async def _pause(self) -> None:
        await asyncio.sleep((0.5 + self._chance.random()) * max(1.0, len(self.tasks) / 20))

    async def _look(self, life: Life) -> str:
        """Ask for the run's state; ``running`` when there was no answer."""
        path = f"/rest/playbook_run/{life.id}"
        answer = await self._send(life, "GET", path, None)
        if answer is None or answer.status_code >= 500:
            return "running"
        if answer.is_error:
            life.breaches.append(("1 row", f"its status got {answer.status_code}"))
            return "running"
        run = answer.json()
        life.seen.append(Answer(time.monotonic(), run["status"], run["cancelled"]))
        return str(run["status"])

    async def _insist(
        self, life: Life, method: str, path: str, body: dict[str, Any]
    ) -> httpx.Response | None:
        """Send a request until it is answered by something else than an error of the server."""
        start = time.monotonic()
        while time.monotonic() - start < GIVE_UP_SECONDS:
            answer = await self._send(life, method, path, body)
            if answer is not None and answer.status_code < 500:
                return answer
            await asyncio.sleep(0.2 + self._chance.random() * 2)
        return None

    async def _send(
        self, life: Life, method: str, path: str, body: dict[str, Any] | None
    ) -> httpx.Response | None:
        sent = time.monotonic()
        # The start of a run alone has a key: a cancel may be repeated anyway.
        headers = {"Idempotency-Key": life.key} if path == "/rest/playbook_run" else {}
        try:
            answer = await self._client.request(method, path, json=body, headers=headers)
        except httpx.TransportError as error:
            self.journal.request(life.key, method, path, sent, repr(error))
            return None
        text = answer.text[:200] if method == "POST" or answer.is_error else ""
        self.journal.request(life.key, method, path, sent, [answer.status_code, text])
        return answer
