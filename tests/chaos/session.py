"""One session: load, faults one after the other at random times, and the truths at the end."""

from __future__ import annotations

import asyncio
import contextlib
import random
import sys
import time
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import asyncpg
import httpx

from tests.chaos.evidence import collect
from tests.chaos.faults import FAULTS, Fault, Scene
from tests.chaos.installation import Installation
from tests.chaos.journal import Disturbance, Journal
from tests.chaos.load import Load
from tests.chaos.proxy import Proxy
from tests.chaos.truths import Breach, breaches

RECOVERY_SECONDS = 240
"""How long after a fault until a new run goes through, before that is called a breach."""
LAST_LOOK_SECONDS = 30
STARTED = time.monotonic()


@dataclass(slots=True)
class Outcome:
    """What came of a session."""

    seed: int
    worker: str
    seconds: float = 0
    tried: dict[str, dict[str, int]] = field(default_factory=dict)
    """By fault: how many runs were acknowledged, and how many ended which way."""
    breaches: list[Breach] = field(default_factory=list)
    disturbances: list[Disturbance] = field(default_factory=list)


@contextlib.asynccontextmanager
async def scene(system: Installation, *, seed: int, journal: Path) -> AsyncIterator[Scene]:
    """Callers in front of an installation, before any load and fault."""
    chance = random.Random(seed)
    proxy = Proxy([system.port], chance)
    port = await proxy.start()
    notes = Journal(journal)
    load = Load(f"http://127.0.0.1:{port}", system.witnesses, notes, chance)
    try:
        yield Scene(system, load, proxy, notes, chance)
    finally:
        await load.close()
        await proxy.stop()
        notes.close()


async def endure(stage: Scene, faults: Sequence[Fault], *, minutes: float, rate: float) -> None:
    """Have callers at work, and let one fault after the other happen, all of them in turn."""
    start = time.monotonic()
    arrivals = asyncio.create_task(stage.load.arrive(rate))
    try:
        while time.monotonic() - start < minutes * 60:
            for fault in stage.chance.sample(faults, len(faults)):
                await happen(stage, fault)
                if time.monotonic() - start >= minutes * 60:
                    break
    finally:
        arrivals.cancel()


async def happen(stage: Scene, fault: Fault) -> None:
    """One fault: wait, inject, heal, and wait until a run goes through again."""
    stage.load.fault = fault.name
    await asyncio.sleep(stage.between(1, 4))
    disturbance = Disturbance(fault.name, time.monotonic(), time.time())
    stage.journal.disturbances.append(disturbance)
    try:
        disturbance.words = await fault.inject(stage)
    except (httpx.HTTPError, OSError, asyncpg.PostgresError, TimeoutError) as error:
        disturbance.words = f"could not be done: {error!r}"
    finally:
        await fault.heal(stage)
    recovered = await _recover(stage)
    disturbance.end = time.monotonic()
    if not recovered:
        disturbance.words += "; NOT RECOVERED"
    seconds = disturbance.end - disturbance.start
    stage.journal.note(f"fault: {fault.name}", seconds=seconds, done=disturbance.words)
    acked = sum(life.acked is not None for life in stage.journal.lives)
    say(f"{acked:5} acked  {fault.name}: {seconds:.1f} s, {disturbance.words[:100]}")
    await asyncio.sleep(stage.between(1, 3))


async def _recover(stage: Scene) -> bool:
    """Wait until everything serves and a new run has gone all the way."""
    try:
        async with asyncio.timeout(RECOVERY_SECONDS):
            await stage.system.whole()
            stage.load.waiting = True  # or the probe would wait behind what was asked for before
            while True:
                probe = stage.load.begin("plain")
                while not (probe.seen and probe.seen[-1].status != "running"):
                    await asyncio.sleep(0.1)
                if probe.seen[-1].status == "success":
                    return True
    except TimeoutError:
        return False
    finally:
        stage.load.waiting = False


async def conclude(stage: Scene, outcome: Outcome, *, patience: float) -> None:
    """Wait for the end of everything, and judge."""
    say("waiting for the end of all runs")
    await stage.load.over(patience)
    await stage.load.end_strays(await stage.system.open_runs())
    await stage.system.all_ended(patience)
    await stage.load.over(LAST_LOOK_SECONDS)
    evidence = await collect(stage.system, stage.journal)
    outcome.breaches += breaches(evidence)
    outcome.disturbances = stage.journal.disturbances
    for each in stage.journal.disturbances:
        if each.words.endswith("NOT RECOVERED"):
            words = f"no run went through within {RECOVERY_SECONDS} s"
            outcome.breaches.append(Breach("1 stuck", each.fault, None, "-", words))
    for life in stage.journal.lives:
        count = outcome.tried.setdefault(life.fault, {})
        row = evidence.rows.get(life.id or 0)
        end = "refused" if life.acked is None else "lost" if row is None else row["status"]
        if row is not None and row["cancelled"]:
            end = "cancelled"
        if life.acked is not None:
            count["acked"] = count.get("acked", 0) + 1
        count[end] = count.get(end, 0) + 1


def chosen(names: Sequence[str], *, mounts: bool) -> list[Fault]:
    """The faults with these names; all that can be done here without any."""
    if unknown := set(names) - set(FAULTS):
        raise SystemExit(f"Unknown faults {sorted(unknown)}; known are: {', '.join(FAULTS)}")
    return [
        fault
        for name, fault in FAULTS.items()
        if (name in names if names else True) and (mounts or not fault.mounts)
    ]


def say(words: str) -> None:
    """Tell what is going on, away from the table."""
    print(f"{time.monotonic() - STARTED:6.0f} s  {words}", file=sys.stderr, flush=True)
