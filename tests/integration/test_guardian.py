"""The guardian as the process that it is, beside real processes and a small gateway."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from prefect_phantom.adapters.process.stop_signals import STOP_SIGNALS
from prefect_phantom.flows.process.guardian import PROGRAM
from prefect_phantom.flows.process.guardian.lease import Lease
from prefect_phantom.flows.process.guardian.process_tree import FLOW_RUN
from tests.system import is_alive

PATIENCE_SECONDS = 30
FOLDER = str(Path(PROGRAM).parent)
FLOW_RUN_ID = "0b9cf3a1-1b1c-4b53-8a45-2f9b6b0a6f11"
# It says when it is ready, ignores SIGTERM, and has a child in a session of its own.
STUBBORN = """
import os, signal, subprocess, sys, time
signal.signal(signal.SIGTERM, signal.SIG_IGN)
os.setsid()
child = subprocess.Popen(["sleep", "600"], start_new_session=True)
print(child.pid, flush=True)
time.sleep(600)
"""


# The system's look-up of names hangs, as it does without its server: at once, or after a few.
LOOKUPS_HANG = """
import socket, threading
look_up, answered = socket.getaddrinfo, iter(range(%d))
def hang(host, *rest, **options):
    if host == "localhost" and next(answered, None) is None:
        threading.Event().wait()
    return look_up(host, *rest, **options)
socket.getaddrinfo = hang
"""


# No thread can be started: the first time, or as often as is said.
NO_THREADS = """
import threading
start, refused = threading.Thread.start, iter(range(%d))
def refuse(thread):
    if next(refused, None) is not None:
        raise RuntimeError("can't start new thread")
    start(thread)
threading.Thread.start = refuse
"""
ALWAYS = 10**9


class Gateway:
    """Answers renewals, and notes what it was asked."""

    def __init__(self) -> None:
        self.stop: list[str] = []
        self.status = 200
        self.headers: dict[str, str] = {}
        self.lease: dict[str, Any] = {}
        self.asked: list[tuple[str, dict[str, Any]]] = []
        self.heard = threading.Condition()
        gateway = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
                assert self.headers["Authorization"] == "Bearer key"
                with gateway.heard:
                    gateway.asked.append((self.path, body))
                    gateway.heard.notify_all()
                answer = json.dumps(
                    {"stop": gateway.stop, "ended": [], "lease": gateway.lease}
                ).encode()
                self.send_response(gateway.status)
                for header in gateway.headers.items():
                    self.send_header(*header)
                self.send_header("Content-Length", str(len(answer)))
                self.end_headers()
                self.wfile.write(answer)

            def log_message(self, *_: object) -> None:
                """Say nothing."""

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def wait(self, wanted: Callable[[str, dict[str, Any]], bool]) -> dict[str, Any]:
        """The first call that is `wanted`."""
        with self.heard:
            assert self.heard.wait_for(
                lambda: any(wanted(*call) for call in self.asked), PATIENCE_SECONDS
            )
            return next(body for path, body in self.asked if wanted(path, body))


@pytest.fixture
def gateway() -> Iterator[Gateway]:
    gateway = Gateway()
    yield gateway
    gateway.server.shutdown()
    gateway.server.server_close()


@pytest.fixture
def lane() -> Iterator[Gateway]:
    """The process of a gateway's that renews leases."""
    lane = Gateway()
    yield lane
    lane.server.shutdown()
    lane.server.server_close()


@pytest.fixture
def run() -> Iterator[tuple[int, int]]:
    """Process ids of a stubborn run and of its child."""
    environment = {**os.environ, FLOW_RUN: FLOW_RUN_ID}
    with subprocess.Popen(
        [sys.executable, "-c", STUBBORN], stdout=subprocess.PIPE, env=environment
    ) as process:
        assert process.stdout is not None
        child = int(process.stdout.readline())
        yield process.pid, child
        for process_id in (process.pid, child):
            if is_alive(process_id):
                os.kill(process_id, signal.SIGKILL)


@pytest.fixture
def owner() -> Iterator[subprocess.Popen[bytes]]:
    """A process to watch, as a worker is."""
    with subprocess.Popen(["sleep", "600"]) as process:
        yield process
        process.kill()


class Guarded:
    """A guardian, by its side of the socket."""

    def __init__(self, url: str, owner: int, run: int, before: str = "", **settings: float) -> None:
        self.connection, theirs = socket.socketpair()
        parts = [
            "import sys; sys.path.insert(0, sys.argv[2])",
            "from guardian import address, guardian, guarded_run",
            f"for each in (address, guardian, guarded_run): vars(each).update({settings!r})",
            before,
            "guardian.main(int(sys.argv[1]))",
        ]
        with theirs:
            self.process = subprocess.Popen(
                [sys.executable, "-I", "-c", "\n".join(parts), str(theirs.fileno()), FOLDER],
                pass_fds=[theirs.fileno()],
                start_new_session=True,
            )
        self.tell({"url": url, "key": "key", "worker": "w 1", "watched": [owner]})
        self.tell({"run": FLOW_RUN_ID, "process_id": run, "grace_seconds": 0.2})

    def tell(self, order: dict[str, Any]) -> None:
        self.connection.sendall(json.dumps(order).encode() + b"\n")


@pytest.fixture
def guard(
    gateway: Gateway, owner: subprocess.Popen[bytes], run: tuple[int, int]
) -> Iterator[Callable[..., Guarded]]:
    guarded: list[Guarded] = []

    def start(url: str = gateway.url, **settings: Any) -> Guarded:
        guarded.append(Guarded(url, owner.pid, run[0], **settings))
        return guarded[-1]

    yield start
    for each in guarded:
        each.connection.close()
        each.process.kill()
        each.process.wait()


def gone(*process_ids: int) -> None:
    end = time.monotonic() + PATIENCE_SECONDS
    while any(is_alive(process_id) for process_id in process_ids):
        assert time.monotonic() < end
        time.sleep(0.01)


def test_the_lease_of_a_living_run_is_renewed_and_nothing_else_happens(gateway, guard, run):
    guard(RENEW_SECONDS=0.05)
    body = gateway.wait(lambda path, _: path == "/runtime/workers/w%201/lease")
    assert body == {"flow_run_ids": [FLOW_RUN_ID]}
    gateway.wait(lambda *_: len(gateway.asked) > 5)
    assert is_alive(run[0])


def test_a_guardian_answers_signs_of_life(guard):
    guarded = guard()
    guarded.tell({"ping": 7})
    assert json.loads(guarded.connection.recv(100)) == {"pong": 7}


@pytest.mark.parametrize("number", STOP_SIGNALS)
def test_a_guardian_ends_by_no_signal_that_means_stop(guard, number):
    guarded = guard()
    guarded.tell({"ping": 1})
    guarded.connection.recv(100)
    guarded.process.send_signal(number)
    guarded.tell({"ping": 2})
    assert json.loads(guarded.connection.recv(100)) == {"pong": 2}


def test_with_the_end_of_its_owner_the_run_and_all_it_started_end(gateway, guard, owner, run):
    guarded = guard()
    guarded.tell({"ping": 1})
    guarded.connection.recv(100)
    owner.kill()
    gone(*run)
    body = gateway.wait(lambda path, _: path.endswith("/gone"))
    assert body == {"runs": [{"flow_run_id": FLOW_RUN_ID, "process_id": run[0]}]}
    assert guarded.process.wait(PATIENCE_SECONDS) == 0


def test_with_the_end_of_the_socket_the_run_ends_too(gateway, guard, run):
    guard().connection.close()
    gone(*run)
    gateway.wait(lambda path, _: path.endswith("/gone"))


def test_a_run_that_may_not_go_on_ends_although_its_worker_is_frozen(gateway, guard, owner, run):
    gateway.stop = [FLOW_RUN_ID]
    os.kill(owner.pid, signal.SIGSTOP)
    guard(RENEW_SECONDS=0.05)
    gone(*run)
    gateway.wait(lambda path, _: path.endswith("/gone"))


def test_a_run_that_may_not_go_on_ends_although_its_worker_does_nothing(gateway, guard, run):
    gateway.stop = [FLOW_RUN_ID]
    guard(RENEW_SECONDS=0.05, MARGIN_SECONDS=1.2)
    gone(*run)


def test_a_run_whose_lease_cannot_be_renewed_ends_before_it_is_over(gateway, guard, run):
    gateway.status = 500
    guard(RENEW_SECONDS=0.05, RETRY_SECONDS=0.05, LEASE_SECONDS=6.0)
    gone(*run)


def test_a_run_ends_before_its_lease_is_over_although_the_look_up_of_names_hangs(
    gateway, guard, run
):
    by_name = gateway.url.replace("127.0.0.1", "localhost")
    guard(by_name, before=LOOKUPS_HANG % 0, LEASE_SECONDS=6.0)
    gone(*run)
    assert not gateway.asked


def test_a_lease_is_renewed_at_the_address_that_was_known_while_the_look_up_of_names_hangs(
    gateway, guard, run
):
    by_name = gateway.url.replace("127.0.0.1", "localhost")
    guard(by_name, before=LOOKUPS_HANG % 1, RENEW_SECONDS=0.05, LOOKUP_SECONDS=0.05)
    gateway.wait(lambda *_: len(gateway.asked) > 5)
    assert is_alive(run[0])


@pytest.mark.attack(
    "a proxy that has lost its way to the gateways and answers 503 by itself",
    "the run ends before another gateway may end its lease",
)
def test_a_proxy_that_answers_by_itself_that_nobody_is_there_keeps_no_lease(gateway, guard, run):
    gateway.status = 503
    guard(RENEW_SECONDS=0.05, RETRY_SECONDS=0.05, LEASE_SECONDS=6.0)
    gone(*run)


def test_while_the_database_does_not_answer_no_lease_is_lost(gateway, guard, run):
    gateway.status, gateway.headers = 503, {"Prefect-Phantom-Outage": "database"}
    guard(RENEW_SECONDS=0.05, LEASE_SECONDS=5.4)
    # Many times as long as the run would have had without the answer.
    gateway.wait(lambda *_: len(gateway.asked) > 20)
    assert is_alive(run[0])


@pytest.mark.attack(
    "a playbook that takes every process and thread there may be",
    "its lease is renewed as soon as there is a thread again, and nothing dies of it",
)
def test_a_guardian_that_had_no_thread_to_ask_in_asks_again(gateway, guard, run):
    guarded = guard(before=NO_THREADS % 3, RENEW_SECONDS=0.05, RETRY_SECONDS=0.05)
    gateway.wait(lambda *_: len(gateway.asked) > 5)
    assert is_alive(run[0])
    assert guarded.process.poll() is None


def test_a_run_ends_before_its_lease_is_over_although_there_is_no_thread(guard, run):
    guarded = guard(before=NO_THREADS % ALWAYS, RETRY_SECONDS=0.05, LEASE_SECONDS=6.0)
    gone(*run)
    guarded.connection.close()
    assert guarded.process.wait(PATIENCE_SECONDS) == 0


def test_a_run_whose_owner_is_gone_ends_although_there_is_no_thread(guard, owner, run):
    guard(before=NO_THREADS % ALWAYS)
    owner.kill()
    gone(*run)


def test_a_run_that_has_ended_is_forgotten(gateway, guard, run):
    guarded = guard()
    guarded.tell({"ended": FLOW_RUN_ID})
    guarded.connection.close()
    assert guarded.process.wait(PATIENCE_SECONDS) == 0
    assert is_alive(run[0])
    assert not any(path.endswith("/gone") for path, _ in gateway.asked)


def test_a_guardian_asks_where_it_is_told_that_leases_are_renewed(gateway, lane, guard):
    lane.lease = gateway.lease = {"port": lane.server.server_port}
    guard(RENEW_SECONDS=0.05)
    lane.wait(lambda *_: len(lane.asked) > 5)
    assert len(gateway.asked) == 1


def test_it_hears_of_that_before_its_first_run_has_to_be_renewed(gateway, lane, guard):
    gateway.lease = {"url": f"{lane.url}/"}
    guard()  # renews every 10 s, and the first time at once
    gateway.wait(lambda *_: True)


@pytest.mark.parametrize("how", ["nobody listens", "something else answers"])
def test_where_that_does_not_answer_the_runtime_api_renews(gateway, lane, guard, run, how):
    lane.lease = gateway.lease = {"port": lane.server.server_port}
    guard(RENEW_SECONDS=0.05, LEASE_SECONDS=8.0)
    lane.wait(lambda *_: True)
    before = len(gateway.asked)
    if how == "nobody listens":
        lane.server.shutdown()
        lane.server.server_close()
    else:
        lane.status = 404
    gateway.wait(lambda *_: len(gateway.asked) > before + 5)
    assert is_alive(run[0])


def test_where_the_runtime_api_does_not_answer_either_the_other_is_asked_again(
    gateway, lane, guard, run
):
    lane.lease = gateway.lease = {"port": lane.server.server_port}
    lane.status = 500
    guard(RENEW_SECONDS=0.05, RETRY_SECONDS=0.05, LEASE_SECONDS=8.0)
    gateway.wait(lambda *_: len(gateway.asked) > 5)
    lane.status, gateway.status = 200, 500
    before = len(lane.asked)
    lane.wait(lambda *_: len(lane.asked) > before + 5)
    assert is_alive(run[0])


def test_a_key_that_went_over_tls_is_never_led_to_go_without():
    lease = Lease("https://[2001:db8::1]:8444/runtime-api", "key", "w1")
    assert lease._told({"port": 8445}) == "https://[2001:db8::1]:8445"
    assert lease._told({"url": "https://leases.example/"}) == "https://leases.example"
    assert lease._told({}) == "https://[2001:db8::1]:8444/runtime-api"


def test_a_guardian_whose_owner_is_gone_before_it_begins_ends_the_run_all_the_same(
    gateway, guard, owner, run
):
    owner.kill()
    owner.wait()
    guard()
    gone(*run)
    gateway.wait(lambda path, _: path.endswith("/gone"))


def test_an_owner_that_asks_and_is_gone_before_the_answer_changes_nothing(gateway, guard, run):
    guarded = guard()
    os.kill(guarded.process.pid, signal.SIGSTOP)
    guarded.tell({"ping": 1})
    guarded.connection.close()
    os.kill(guarded.process.pid, signal.SIGCONT)
    gone(*run)
    gateway.wait(lambda path, _: path.endswith("/gone"))
