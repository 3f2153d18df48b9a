"""Others that ask again when nobody answers: none of them does when it was refused."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from uuid import uuid4

import httpx
import pytest

from prefect_phantom.flows.inside.runtime import client as runtime
from prefect_phantom.flows.inside.runtime.client import RuntimeRefused, RuntimeUnavailable
from prefect_phantom.flows.inside.slots import slot_leases
from prefect_phantom.flows.process import watch
from prefect_phantom.flows.process.guardian.guardian import Guardian
from prefect_phantom.flows.process.guardian.lease import Lease, Refused, Unreachable


class Refusing(BaseHTTPRequestHandler):
    code = 401

    def do_POST(self) -> None:
        self.send_response(self.code)
        self.end_headers()

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def refusing() -> Iterator[str]:
    with HTTPServer(("127.0.0.1", 0), Refusing) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()
        thread.join()


@pytest.mark.parametrize("later", [408, 429, 500, 502])
def test_a_lease_tells_a_refusal_from_an_outage(
    refusing: str, monkeypatch: pytest.MonkeyPatch, later: int
) -> None:
    lease = Lease(refusing, "wrong", "one")
    with pytest.raises(Refused):
        lease.renew([])
    with pytest.raises(Refused):
        lease.gone({})
    monkeypatch.setattr(Refusing, "code", later)
    with pytest.raises(Unreachable):
        lease.renew([])


class Run:
    """A run that lives until it is ended."""

    process_id = 1

    def __init__(self) -> None:
        self.tree = self

    def is_alive(self) -> bool:
        return True

    def begin_end(self) -> None:
        pass

    def wait_ended(self) -> None:
        pass


def test_a_guardian_that_is_refused_ends_the_runs_and_itself(refusing: str) -> None:
    ours, theirs = socket.socketpair()
    with ours, theirs:
        guardian = Guardian(
            theirs, {"watched": [], "url": refusing, "key": "wrong", "worker": "one"}
        )
        guardian.runs["run"] = Run()  # type: ignore[assignment]
        # Not tried again before its time, which is when leases are renewed.
        guardian.begin_renewal()
        question = guardian.renewing
        assert question
        question.wait()
        assert guardian.end_renewal(question)
        ours.close()
        guardian.finish()


@pytest.mark.parametrize(
    ("code", "error"),
    [
        *((code, RuntimeRefused) for code in (400, 401, 404, 413, 431)),
        *((code, RuntimeUnavailable) for code in (408, 429, 500, 503, 507)),
    ],
)
def test_a_run_asks_again_only_when_it_may_be_answered(code: int, error: type[Exception]) -> None:
    transport = httpx.MockTransport(lambda _: httpx.Response(code, text="<html>"))
    client = httpx.Client(base_url="http://gateway", transport=transport)
    with client, pytest.raises(error):
        runtime.post(client, "/runtime/claim", "token", {})


@pytest.mark.parametrize(
    ("code", "text"),
    [(404, "<html>"), (401, '{"message": "no"}'), (500, ""), (200, "[]"), (409, "{}")],
)
def test_a_run_that_nobody_has_said_to_end_may_go_on(
    monkeypatch: pytest.MonkeyPatch, code: int, text: str
) -> None:
    transport = httpx.MockTransport(lambda _: httpx.Response(code, text=text))
    client = httpx.Client(base_url="http://gateway", transport=transport)
    monkeypatch.setattr(watch, "connect", lambda _: (client, "ticket"))
    with client:
        assert not watch.Watch(str(uuid4())).is_refused()


@pytest.mark.parametrize(("code", "done"), [(404, True), (503, False)])
def test_a_slot_that_prefect_does_not_know_is_not_given_back_again(
    monkeypatch: pytest.MonkeyPatch, code: int, done: bool
) -> None:
    class Client:
        def release_concurrency_slots_with_lease(self, _: object) -> None:
            request = httpx.Request("POST", "http://prefect")
            httpx.Response(code, request=request).raise_for_status()

    monkeypatch.setattr(slot_leases, "_client", Client)
    assert slot_leases._give_back(uuid4()) is done
