"""What the callers saw and did, and which faults there were: what the truths are judged by."""

from __future__ import annotations

import json
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any


@dataclass(slots=True)
class Answer:
    """What a caller was told of a run's state, and when (monotonic seconds)."""

    time: float
    status: str
    cancelled: str


@dataclass(slots=True)
class Life:
    """One run, as its caller lived through it. Times are monotonic seconds."""

    key: str
    kind: str
    fault: str
    """The fault in whose time it was asked for."""
    asked: float
    ids: list[int] = field(default_factory=list)
    """What every positive answer to this key said; the first is the run's id."""
    acked: float | None = None
    refused: str = ""
    cancel_asked: float | None = None
    cancel_acked: float | None = None
    cancel_acked_clock: float | None = None
    """The same moment on the clock that the database has."""
    cancel_refused: str = ""
    """What a cancel was told that came too late."""
    seen: list[Answer] = field(default_factory=list)
    gone: float | None = None
    """When after the ack of its cancel none of its processes lived any more."""
    lively: str = ""
    """Which process lived although a final cancel was reported."""
    breaches: list[tuple[str, str]] = field(default_factory=list)
    """Promise and words: what the caller itself saw broken."""

    @property
    def id(self) -> int | None:
        """The run's id, once a caller knows it."""
        return self.ids[0] if self.ids else None


@dataclass(slots=True)
class Disturbance:
    """One fault, from its begin to when a run went through again; monotonic seconds."""

    fault: str
    start: float
    clock: float
    end: float = float("inf")
    words: str = ""


class Journal:
    """Everything in memory, and every request in a file as well."""

    def __init__(self, file: Path) -> None:
        self.lives: list[Life] = []
        self.disturbances: list[Disturbance] = []
        self._file = file.open("a", encoding="utf-8")

    def request(self, key: str, method: str, path: str, sent: float, outcome: object) -> None:
        """One request: what it was, when it was sent, what came of it and when."""
        entry = [round(sent, 4), round(time.monotonic(), 4), key, method, path, outcome]
        self._file.write(f"{json.dumps(entry, default=str)}\n")

    def note(self, words: str, **further: Any) -> None:
        """Anything else that happened."""
        self._file.write(f"{json.dumps([round(time.monotonic(), 4), words, further])}\n")
        self._file.flush()

    def quiet_since(self, moment: float) -> float:
        """The first moment from `moment` on at which no fault was at work."""
        for each in sorted(self.disturbances, key=lambda each: each.start):
            if each.start <= moment < each.end:
                moment = each.end
        return moment

    def disturbed(self, start: float, end: float) -> bool:
        """Whether a fault was at work at any time between the two."""
        return any(each.start <= end and start <= each.end for each in self.disturbances)

    def close(self) -> None:
        """Close the file."""
        self._file.close()
