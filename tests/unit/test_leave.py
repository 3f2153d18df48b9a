"""Leave to begin more of an action: those who ask at the same time share a call."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from types import SimpleNamespace
from typing import Any, cast

import httpx
import pytest

from prefect_phantom.flows.inside.runtime.client import Attempt, Superseded

ASKERS = 12


class Gateway:
    """Answers the first call when it is told to; then it says whether the run may go on."""

    def __init__(self) -> None:
        self.calls = 0
        self.first_came, self.answer_first = threading.Event(), threading.Event()
        self.cancelled = False

    def __call__(self, _: httpx.Request) -> httpx.Response:
        self.calls += 1
        if self.calls == 1:
            self.first_came.set()
            assert self.answer_first.wait(30)
            return httpx.Response(200, json={})
        if self.cancelled:
            return httpx.Response(409, json={"message": "cancelled", "held_elsewhere": False})
        return httpx.Response(200, json={})


@pytest.mark.parametrize("cancelled", [False, True])
def test_who_asks_while_another_waits_gets_no_answer_that_is_older_than_the_question(cancelled):
    gateway = Gateway()
    client = httpx.Client(transport=httpx.MockTransport(gateway), base_url="http://runtime")
    claim = cast("Any", SimpleNamespace(token="t"))
    attempt = Attempt(client, claim)
    with ThreadPoolExecutor(ASKERS + 1) as threads:
        first = threads.submit(attempt.ask_leave)
        assert gateway.first_came.wait(30)
        gateway.cancelled = cancelled  # after the first was asked for: only later ones hear of it
        others = [threads.submit(attempt.ask_leave) for _ in range(ASKERS)]
        gateway.answer_first.set()
        assert first.exception() is None
        refused = [isinstance(other.exception(), Superseded) for other in others]
    assert refused == [cancelled] * ASKERS
    assert 2 <= gateway.calls <= 1 + ASKERS
