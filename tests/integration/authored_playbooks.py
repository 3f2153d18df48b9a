"""Playbooks as authors write them; the tests' installation finds this file in its folder."""

from __future__ import annotations

import asyncio
import ctypes
import signal
import time
from pathlib import Path
from typing import Literal

from pydantic import BaseModel, Field

from prefect_phantom import ActionFailure, ActionResult, PlaybookRun, action, playbook, track


class Address(BaseModel):
    ip: str = Field(description="An IPv4 address", min_length=7)
    depth: int = Field(default=1, ge=1, le=5, description="How deep to look")
    way: Literal["fast", "slow"] = Field(default="fast", description="Which way")


class Verdict(BaseModel):
    score: int


@action("score address", app="Authored", type="investigate")
def score_address(ip: str, depth: int) -> ActionResult:
    print("scoring", ip)
    return ActionResult(
        message=f"[click]({ip}) scored", data=[{"score": depth}], summary={"score": depth}
    )


@action("rest", app="Authored")
async def rest(seconds: float) -> None:
    await asyncio.sleep(seconds)


@playbook(inputs=Address, outputs=Verdict, tags=["authored"])
def enrich(run: PlaybookRun[Address]) -> Verdict:
    """Score an address."""
    scored = score_address(run.inputs.ip, run.inputs.depth)
    return Verdict(score=scored.data[0]["score"])


@playbook
async def calls_another(run: PlaybookRun) -> None:
    """Call a playbook from an async one, after actions at once."""
    await asyncio.gather(rest(0.1), rest(0.1))
    address = Address(ip="192.0.2.77", depth=3)
    verdict = enrich(container_id=run.container.id, inputs=address)
    print("the verdict is", verdict.score)


@playbook(outputs=Verdict)
def breaks_its_word(_run: PlaybookRun) -> object:
    return {"score": "many"}


@playbook(timeout=1)
def takes_too_long(_run: PlaybookRun) -> None:
    time.sleep(600)


@playbook(timeout=1)
def takes_too_long_deaf(_run: PlaybookRun) -> None:
    lock, library = ctypes.create_string_buffer(64), ctypes.PyDLL(None)
    for _ in range(2):  # the second time in C for ever, with the interpreter's lock
        library.pthread_mutex_lock(lock)


def _note(file: str) -> int:
    path = Path(file)
    path.write_text((path.read_text() if path.exists() else "") + "x")
    return len(path.read_text())


@action("fail at first", app="Authored", retries=2, retry_delay_seconds=0.1)
def fail_at_first(file: str, times: int) -> ActionResult:
    tried = _note(file)
    if tried <= times:
        raise ActionFailure(f"failed {tried} times")
    return ActionResult(message=f"worked at last, after {tried}")


@playbook
def tries_again(run: PlaybookRun) -> None:
    fail_at_first(run.inputs["file"], run.inputs["times"])


@action("count", app="Authored", cache_seconds=600)
def count(file: str, what: str) -> ActionResult:
    return ActionResult(message=f"{what} counted {_note(file)}")


@playbook
def counts(run: PlaybookRun) -> None:
    count(run.inputs["file"], run.inputs["what"])


@action("dawdle", app="Authored", timeout=0.5)
def dawdle(seconds: float) -> ActionResult:
    time.sleep(seconds)
    return ActionResult(message="done")


@playbook
def dawdles(_run: PlaybookRun) -> None:
    dawdle.with_options(raise_on_failure=False)(seconds=30)
    dawdle.map([{"seconds": 0.01}, {"seconds": 0.02}])


@playbook
def loops(_run: PlaybookRun) -> None:
    for _ in track(range(5), "Waiting"):
        time.sleep(1)


@action("meet", app="Authored")
def meet(folder: str, number: int) -> ActionResult:
    """Note who is at work at the same time."""
    own = Path(folder) / str(number)
    own.touch()
    time.sleep(0.05)
    at_once = len(list(Path(folder).iterdir()))
    own.unlink()
    return ActionResult(message="met", data=[{"at_once": at_once}])


@playbook
def meets(run: PlaybookRun) -> None:
    folder = run.inputs["folder"]
    meet.with_options(limit=3).map([{"folder": folder, "number": n} for n in range(12)])


@action("note", app="Authored")
def note(file: str, number: int) -> ActionResult:
    """Note that a parameter set has begun."""
    with Path(file).open("a") as noted:
        noted.write(f"{number}\n")
    time.sleep(0.3)
    return ActionResult(message="noted")


@playbook
def notes_deaf(run: PlaybookRun) -> None:
    """One after the other, and deaf for SIGTERM."""
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    file = run.inputs["file"]
    note.with_options(limit=1).map([{"file": file, "number": n} for n in range(40)])
