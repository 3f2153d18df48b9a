"""What is made of OpenTelemetry's SDK; imported only where spans are wanted."""

from __future__ import annotations

import logging
import time

from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import SERVICE_NAME, Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor
from opentelemetry.util.re import parse_env_headers

from prefect_phantom.flows.inside.tracing.collector_headers import headers_of_spans

SERVICE = "prefect-phantom"
"""Name of the service where ``OTEL_SERVICE_NAME`` gives none."""
UNNAMED = "unknown_service"
SILENT_SECONDS = 60.0
"""How long the same sentence is not said again: a collector may be away for long."""
logger = logging.getLogger("prefect_phantom.tracing")


class Discreet(logging.Handler):
    """Says what the SDK says without its details: collector and headers are nobody else's."""

    def __init__(self) -> None:
        super().__init__()
        self._said: dict[object, float] = {}

    def emit(self, record: logging.LogRecord) -> None:
        """Log the sentence with its places left empty."""
        now = time.monotonic()
        if now - self._said.get(record.msg, -SILENT_SECONDS) < SILENT_SECONDS:
            return
        self._said[record.msg] = now
        logger.log(record.levelno, "OpenTelemetry: %s", record.msg)


def make_exporter(timeout: float | None) -> OTLPSpanExporter:
    """An exporter that takes at most `timeout` seconds for one sending; it holds no connection."""
    theirs = logging.getLogger("opentelemetry")
    theirs.handlers = [Discreet()]
    theirs.propagate = False
    headers = parse_env_headers(headers_of_spans(), liberal=True)
    return OTLPSpanExporter(timeout=timeout, headers=headers)


def make_provider(timeout: float | None) -> TracerProvider:
    """A provider whose thread sends batches of spans, and drops what its queue cannot hold."""
    resource = Resource.create()
    if str(resource.attributes[SERVICE_NAME]).startswith(UNNAMED):
        resource = resource.merge(Resource({SERVICE_NAME: SERVICE}))
    # Whoever made it flushes it, with a bound: the SDK would wait for a collector at exit.
    provider = TracerProvider(resource=resource, shutdown_on_exit=False)
    provider.add_span_processor(BatchSpanProcessor(make_exporter(timeout)))
    return provider
