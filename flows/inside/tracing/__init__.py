"""Spans by OpenTelemetry, where its own variables name a collector.

Without them nothing of its SDK is imported, and the spans of Prefect and ours are its API's empty
ones. Prefect's engine makes the spans of runs and actions itself, once the process has a provider.
"""

from __future__ import annotations

import functools
import importlib
import logging
import os
import threading
from typing import Any

from opentelemetry import trace

ENDPOINTS = ("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "OTEL_EXPORTER_OTLP_ENDPOINT")
RUN_SECONDS = 0.75
"""How long at most a run's process stays for its last spans. The exporter's first repeat would come
after 0.8 s or more, so that a collector which refuses connections holds up nothing at all."""
logger = logging.getLogger("prefect_phantom.tracing")


def prepare() -> bool:
    """Import the SDK if spans are wanted; return whether they can be sent.

    Starts no thread and opens no connection, so that the process may be forked afterwards.

    Raises:
        ValueError: when one of OpenTelemetry's variables holds what its exporter cannot read.
    """
    provider = _provider_module()
    if provider is not None:
        provider.make_exporter(RUN_SECONDS)
    elif is_wanted():
        logger.warning(
            "No spans are sent: %s is set, and OpenTelemetry is not installed. Install "
            "prefect-phantom[otel]",
            next(name for name in ENDPOINTS if os.environ.get(name)),
        )
    return provider is not None


def is_wanted() -> bool:
    """Whether the environment names a collector."""
    return any(os.environ.get(name) for name in ENDPOINTS)


@functools.cache
def begin(timeout: float | None = None) -> bool:
    """Send this process's spans from now on; return whether that is so. Never before a fork.

    `timeout` is how many seconds one sending may take with its repeats, instead of what
    ``OTEL_EXPORTER_OTLP_TIMEOUT`` says.
    """
    provider = _provider_module()
    if provider is None:
        return False
    trace.set_tracer_provider(provider.make_provider(timeout))
    return True


def flush(seconds: float) -> None:
    """Send what this process has, and wait no longer than `seconds` for that."""
    provider: Any = trace.get_tracer_provider()
    # The API's own empty provider has nothing to flush.
    if (send := getattr(provider, "force_flush", None)) is not None:
        # The SDK's own bound is not kept by its batches.
        sending = threading.Thread(target=send, name="flush of spans", daemon=True)
        sending.start()
        sending.join(seconds)


@functools.cache
def _provider_module() -> Any:  # noqa: ANN401 - a module, which mypy would have us import
    if not is_wanted():
        return None
    try:
        return importlib.import_module("prefect_phantom.flows.inside.tracing.provider")
    except ModuleNotFoundError as error:
        if not (error.name or "").startswith("opentelemetry"):
            raise
        return None
