"""Spans by OpenTelemetry, at a collector of the test's own, which is away for all other tests."""

from __future__ import annotations

import secrets
import socket
import threading
import time
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer

import httpx
import pytest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.trace.v1.trace_pb2 import Span

from tests.system import COLLECTOR_KEY, PASSWORD, RUN_SECONDS, System

Spans = dict[str, Span]


class Collector(HTTPServer):
    """Receives spans over OTLP/HTTP on a socket that was bound before."""

    def __init__(self, bound: socket.socket) -> None:
        super().__init__(bound.getsockname(), Receiver, bind_and_activate=False)
        self.socket.close()
        self.socket = bound
        self.server_activate()
        self.received = threading.Condition()
        self.requests: list[tuple[str | None, ExportTraceServiceRequest]] = []

    def when(self, trace_id: str, condition: Callable[[Spans], object]) -> Spans:
        """The spans of a trace by their names, as soon as `condition` holds for them."""
        with self.received:
            assert self.received.wait_for(lambda: condition(self._spans(trace_id)), RUN_SECONDS)
            return self._spans(trace_id)

    def _spans(self, trace_id: str) -> Spans:
        return {
            span.name: span
            for _, request in self.requests
            for resource in request.resource_spans
            for scope in resource.scope_spans
            for span in scope.spans
            if span.trace_id.hex() == trace_id
        }


class Receiver(BaseHTTPRequestHandler):
    server: Collector

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["content-length"]))
        request = ExportTraceServiceRequest.FromString(body)
        self.send_response(200)
        self.end_headers()
        with self.server.received:
            self.server.requests.append((self.headers["x-key"], request))
            self.server.received.notify_all()

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture(scope="module")
def collector(bound: socket.socket) -> Iterator[Collector]:
    with Collector(bound) as collector:
        serving = threading.Thread(target=collector.serve_forever)
        serving.start()
        yield collector
        collector.shutdown()
        serving.join()


def _log(system: System, name: str) -> str:
    return (system.home / "logs" / name).read_text(errors="replace")


def test_a_collector_that_is_away_is_named_nowhere_and_stops_no_run(
    system: System, bound: socket.socket
) -> None:
    run = system.ended(system.start("local/greeting", inputs={"text": "hello"}))
    assert run["status"] == "success"
    # The SDK's own sentence of a repeat has the address in it.
    deadline = time.monotonic() + RUN_SECONDS
    while "OpenTelemetry: Transient error" not in _log(system, "gateway.log"):
        assert time.monotonic() < deadline
        time.sleep(0.1)
    logs = [_log(system, file.name) for file in (system.home / "logs").iterdir()]
    logs += [str(run), str(system.get(f"/rest/playbook_run/{run['id']}/log?page_size=0"))]
    port = bound.getsockname()[1]
    for secret in (COLLECTOR_KEY, f"127.0.0.1:{port}", f"port={port}"):
        assert not [log for log in logs if secret in log], secret


def test_request_dispatch_run_and_action_are_one_trace(
    system: System, collector: Collector
) -> None:
    trace_id, caller = secrets.token_hex(16), secrets.token_hex(8)
    body = {"container_id": 42, "playbook_id": "local/greeting", "run": True}
    body["inputs"] = {"text": "x"}
    answer = httpx.post(
        f"{system.url}/rest/playbook_run",
        json=body,
        headers={"traceparent": f"00-{trace_id}-{caller}-01"},
        auth=("admin", PASSWORD),
        verify=False,
    )
    run_id = answer.json()["playbook_run_id"]
    spans = collector.when(trace_id, lambda spans: len(spans) == 5)
    action = next(name for name in spans if name.startswith("echo"))
    name = f"Sample: suspicious outbound connections: greeting #{run_id}"
    chain = ["POST /rest/playbook_run", "accept", "dispatch", name, action]
    assert set(chain) == set(spans)
    parents = [caller, *(spans[name].span_id.hex() for name in chain)]
    for name, parent in zip(chain, parents, strict=False):
        assert spans[name].parent_span_id.hex() == parent, name
    assert {key for key, _ in collector.requests} == {COLLECTOR_KEY}
    services = {
        attribute.value.string_value
        for _, request in collector.requests
        for resource in request.resource_spans
        for attribute in resource.resource.attributes
        if attribute.key == "service.name"
    }
    assert services == {"prefect-phantom"}
