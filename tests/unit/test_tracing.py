"""OpenTelemetry costs nothing where its variables name no collector, and says what it lacks."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from http.server import BaseHTTPRequestHandler, HTTPServer
from typing import ClassVar

import pytest

from prefect_phantom.flows.inside.tracing import ENDPOINTS
from prefect_phantom.flows.inside.tracing.collector_headers import VARIABLES

SERVED = """
import sys, prefect_phantom.adapters.gateway.gateway, prefect_phantom.flows.process.warm.template
from prefect_phantom.flows.inside import tracing
from prefect_phantom.flows.process.warm.warmth import warm_up
warm_up()
tracing.begin()
print([name for name in sys.modules if name.startswith(("opentelemetry.sdk", "opentelemetry.ex"))])
"""
NOT_INSTALLED = """
import sys
sys.modules["opentelemetry.sdk"] = sys.modules["opentelemetry.exporter"] = None
from prefect_phantom.flows.inside import tracing
print(tracing.prepare(), tracing.begin())
"""

ENVIRONMENT_AT_FORK = """
import os, sys, socket
from {module} import main
module = sys.modules["{module}"]
def look(*_):
    print([name for name in os.environ if name.endswith("_HEADERS")])
    sys.stdout.flush()
    os._exit(0)
for name in ("warm_up", "_start_guardian"):
    setattr(module, name, look)
ours, theirs = socket.socketpair()
sys.argv = ["", str(theirs.fileno())]
main()
"""
SENT = """
import os
from prefect_phantom.flows.inside.tracing import collector_headers
collector_headers.keep_from_children()
from prefect_phantom.flows.inside.tracing.provider import make_provider
provider = make_provider(10)
provider.get_tracer("test").start_span("span").end()
provider.force_flush()
print([name for name in os.environ if name.endswith("_HEADERS")])
"""


class Collector(BaseHTTPRequestHandler):
    """Notes the API key that it is shown."""

    shown: ClassVar[list[str | None]] = []

    def do_POST(self) -> None:
        self.shown.append(self.headers["api-key"])
        self.send_response(200)
        self.end_headers()

    def log_message(self, *_: object) -> None:
        """Say nothing."""


def _run(program: str, **variables: str) -> subprocess.CompletedProcess[str]:
    environment = {name: text for name, text in os.environ.items() if "OTEL" not in name}
    return subprocess.run(
        [sys.executable, "-c", program],
        env=environment | variables,
        capture_output=True,
        text=True,
        check=True,
    )


def test_nothing_is_imported_when_no_collector_is_named() -> None:
    result = _run(SERVED)
    assert (result.stdout, result.stderr) == ("[]\n", "")


def test_one_warning_says_what_to_install() -> None:
    result = _run(NOT_INSTALLED, **{ENDPOINTS[1]: "http://192.0.2.1:4318"})
    assert result.stdout == "False False\n"
    (warning,) = result.stderr.splitlines()
    assert ENDPOINTS[1] in warning
    assert "Install prefect-phantom[otel]" in warning


@pytest.mark.attack(
    "a playbook's child looks for the collector's API key in its environment", "there is none"
)
def test_headers_of_a_collector_are_sent_and_not_inherited() -> None:
    headers = dict.fromkeys(VARIABLES, "api-key=another")
    headers["OTEL_EXPORTER_OTLP_TRACES_HEADERS"] = "api-key=a%20secret"
    with HTTPServer(("127.0.0.1", 0), Collector) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        endpoint = f"http://127.0.0.1:{server.server_port}"
        result = _run(SENT, **{ENDPOINTS[1]: endpoint}, **headers)
        server.shutdown()
    assert result.stdout == "[]\n"
    assert Collector.shown == ["a secret"]


@pytest.mark.parametrize(
    "module", ["prefect_phantom.flows.process.warm.template", "prefect_phantom.flows.process.cold"]
)
def test_what_forks_or_is_a_run_takes_them_out_of_its_environment(module: str) -> None:
    program = ENVIRONMENT_AT_FORK.format(module=module)
    result = _run(program, **dict.fromkeys(VARIABLES, "api-key=a secret"))
    assert result.stdout == "[]\n"
