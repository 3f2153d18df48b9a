"""OpenTelemetry costs nothing where its variables name no collector, and says what it lacks."""

from __future__ import annotations

import os
import subprocess
import sys

from flows.tracing import ENDPOINTS

SERVED = """
import sys, adapters.gateway, flows.warm.template
from flows import tracing
from flows.warm.warmth import warm_up
warm_up()
tracing.begin()
print([name for name in sys.modules if name.startswith(("opentelemetry.sdk", "opentelemetry.ex"))])
"""
NOT_INSTALLED = """
import sys
sys.modules["opentelemetry.sdk"] = sys.modules["opentelemetry.exporter"] = None
from flows import tracing
print(tracing.prepare(), tracing.begin())
"""


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
