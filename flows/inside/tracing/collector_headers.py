"""The headers of a collector of spans, in the environment: an API key is what they are for."""

from __future__ import annotations

import os

VARIABLES = tuple(
    f"OTEL_EXPORTER_OTLP_{signal}HEADERS" for signal in ("TRACES_", "", "METRICS_", "LOGS_")
)
OF_SPANS = VARIABLES[:2]
"""Whichever is set first holds."""
_kept: dict[str, str] = {}


def keep_from_children() -> None:
    """Take them out of the environment, so that no program which a playbook starts inherits them.

    This process, and what it forks, goes on sending them with its spans.
    """
    _kept.update({name: os.environ.pop(name) for name in VARIABLES if name in os.environ})


def headers_of_spans() -> str:
    """As OpenTelemetry's variables have them; empty without any."""
    told = _kept | os.environ
    return next((told[name] for name in OF_SPANS if name in told), "")
