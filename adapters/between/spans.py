"""The spans of a run before it has a process: of its acceptance, and of its way into Prefect.

The context goes on as W3C ``traceparent``: with the row from request to dispatch, and from there to
Prefect's own spans of run and actions as the label of the flow run that Prefect reads it from.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager

from opentelemetry import propagate, trace
from opentelemetry.context import Context
from opentelemetry.trace import Span, SpanKind, StatusCode

from prefect_phantom.adapters.store.starts.dispatch_queue import QueuedRun

TRACEPARENT = "traceparent"
RUN_ID = "prefect_phantom.playbook_run_id"
tracer = trace.get_tracer("prefect_phantom")


def context_of(carrier: Mapping[str, str]) -> Context:
    """The context that the headers of `carrier` name; an empty one when they name none."""
    return propagate.extract(carrier, Context())


@contextmanager
def accepting() -> Iterator[str | None]:
    """A span under the request's while a run is accepted, and its traceparent: None without one."""
    if not trace.get_current_span().get_span_context().is_valid:
        yield None
        return
    with tracer.start_as_current_span("accept") as span:
        yield _traceparent(span)


def accepted(playbook_run_id: int) -> None:
    """Note in the current span which run it was about."""
    trace.get_current_span().set_attribute(RUN_ID, playbook_run_id)


@contextmanager
def dispatching(runs: Sequence[QueuedRun]) -> Iterator[dict[int, str]]:
    """Spans of `runs` while they are given to Prefect: traceparents by run id, of those traced."""
    spans = {
        run.id: tracer.start_span(
            "dispatch",
            context_of({TRACEPARENT: run.traceparent}),
            SpanKind.PRODUCER,
            {RUN_ID: run.id},
        )
        for run in runs
        if run.traceparent
    }
    try:
        yield {
            id_: traceparent
            for id_, span in spans.items()
            if (traceparent := _traceparent(span)) is not None
        }
    except Exception as error:
        for span in spans.values():
            span.record_exception(error)
            span.set_status(StatusCode.ERROR)
        raise
    finally:
        for span in spans.values():
            span.end()


def _traceparent(span: Span) -> str | None:
    carrier: dict[str, str] = {}
    propagate.inject(carrier, trace.set_span_in_context(span, Context()))
    return carrier.get(TRACEPARENT)
