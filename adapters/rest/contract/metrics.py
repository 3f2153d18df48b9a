"""``/metrics`` in Prometheus' text format: requests, runs, workers. It tells of load, not of runs.

Requests and what became of runs are counted by this process since its start. What is open, and the
workers, are read from PostgreSQL when the page is asked for, so that every gateway tells the same.
"""

from __future__ import annotations

import asyncio
import hmac
import time
from collections.abc import Awaitable, Iterator

from prometheus_client import (
    CollectorRegistry,
    Counter,
    Histogram,
    ProcessCollector,
    disable_created_metrics,
)
from prometheus_client.exposition import CONTENT_TYPE_PLAIN_0_0_4, generate_latest
from prometheus_client.metrics_core import GaugeMetricFamily, Metric
from prometheus_client.registry import Collector
from pydantic import SecretStr
from starlette.requests import Request
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from prefect_phantom.adapters.errors import Unauthenticated
from prefect_phantom.adapters.rest.openapi.operation import Operation
from prefect_phantom.adapters.store.database import measures
from prefect_phantom.adapters.store.database.availability import ANSWER_SECONDS, is_outage
from prefect_phantom.adapters.store.database.database import Database
from prefect_phantom.adapters.store.database.measures import RUNS_ACCEPTED, RUNS_ENDED, Measures
from prefect_phantom.adapters.store.runs.retention import REMOVED

METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})
OTHER_METHOD = "OTHER"
"""What somebody invents counts as one method: each value of a label is kept for good."""
NO_ROUTE = "-"
"""Route of what was refused: unknown paths, methods that a path has not, what a caller may not do.
So a route becomes the value of a label by those alone who may ask it for something."""
BUCKETS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)
FRESH_SECONDS = 1.0
"""However many ask, the page is made once in this time."""

# A further line for each counter, which nothing reads.
disable_created_metrics()  # type: ignore[no-untyped-call]
REGISTRY = CollectorRegistry()
REQUESTS = Counter(
    "prefect_phantom_http_requests",
    "Requests answered by this process.",
    ["method", "route", "status"],
    registry=REGISTRY,
)
LATENCY = Histogram(
    "prefect_phantom_http_request_seconds",
    "Time until the answer to a request began.",
    ["method", "route"],
    buckets=BUCKETS,
    registry=REGISTRY,
)
REGISTRY.register(RUNS_ACCEPTED)
REGISTRY.register(RUNS_ENDED)
REGISTRY.register(REMOVED)
ProcessCollector(registry=REGISTRY)


class Measured:
    """Counts every answer, and measures the time until it began. Stands above all the others."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app
        # To find a metric by its labels takes longer than to count.
        self._found: dict[tuple[str, str, int], tuple[Counter, Histogram]] = {}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve the request. One that gets no answer is not counted."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        began = time.perf_counter()

        def watch(message: Message) -> Awaitable[None]:
            if message["type"] == "http.response.start":
                self._count(scope, message["status"], time.perf_counter() - began)
            return send(message)

        await self.app(scope, receive, watch)

    def _count(self, scope: Scope, status: int, seconds: float) -> None:
        method = scope["method"] if scope["method"] in METHODS else OTHER_METHOD
        route = scope["route"].path if scope.get("permitted") else NO_ROUTE
        key = (method, route, status)
        found = self._found.get(key)
        if found is None:
            # HEAD is answered like GET, and is no further histogram.
            alike = "GET" if method == "HEAD" else method
            found = self._found[key] = (REQUESTS.labels(*key), LATENCY.labels(alike, route))
        requests, latency = found
        requests.inc()
        latency.observe(seconds)


class Page:
    """The page of one gateway, for everyone or for who shows the `token`."""

    def __init__(self, database: Database, token: SecretStr | None = None) -> None:
        self.database = database
        self._token = token
        self._making = asyncio.Lock()
        self._text = b""
        self._stale = 0.0

    @Operation(answer="# HELP ...", media_type="text/plain", refusals=[Unauthenticated])
    async def show(self, request: Request) -> Response:
        """``/metrics``. While the database does not answer it says so, and what it can."""
        self._require_token(request)
        return Response(await self._make(), headers={"content-type": CONTENT_TYPE_PLAIN_0_0_4})

    async def _make(self) -> bytes:
        clock = asyncio.get_running_loop().time
        async with self._making:
            if clock() >= self._stale:
                self._text = generate_latest(_Snapshot(await _read(self.database)))
                self._stale = clock() + FRESH_SECONDS
            return self._text

    def _require_token(self, request: Request) -> None:
        if self._token is None:
            return
        scheme, _, shown = request.headers.get("authorization", "").partition(" ")
        if scheme.lower() != "bearer":
            raise Unauthenticated(Unauthenticated.MISSING)
        if not hmac.compare_digest(shown.strip().encode(), self._token.get_secret_value().encode()):
            raise Unauthenticated(Unauthenticated.BAD_AUTOMATION)


async def _read(database: Database) -> Measures | None:
    """What is stored, or None while the database does not answer."""
    try:
        async with asyncio.timeout(ANSWER_SECONDS):
            return await measures.read(database)
    except TimeoutError:
        return None
    except Exception as error:
        if not is_outage(error):
            raise
        return None


class _Snapshot(Collector):
    """Everything on the page: what this process counts, then what was read."""

    def __init__(self, stored: Measures | None) -> None:
        self.stored = stored

    def collect(self) -> Iterator[Metric]:
        """The metrics, each with all its labels."""
        yield from REGISTRY.collect()
        yield GaugeMetricFamily(
            "prefect_phantom_database_up",
            "Whether the database answers; without it what follows is left out.",
            value=float(self.stored is not None),
        )
        if self.stored is not None:
            yield from _runs(self.stored)
            yield from _workers(self.stored)


def _runs(stored: Measures) -> Iterator[Metric]:
    runs = GaugeMetricFamily(
        "prefect_phantom_runs",
        "Open runs: queued here, waiting in Prefect, running, suspended.",
        labels=["state"],
    )
    for state in ("queued", "waiting", "running", "suspended"):
        runs.add_metric([state], getattr(stored, state))
    yield runs
    yield GaugeMetricFamily(
        "prefect_phantom_runs_cancelling",
        "Open runs that are being cancelled.",
        value=stored.cancelling,
    )
    yield GaugeMetricFamily(
        "prefect_phantom_oldest_waiting_run_seconds",
        "Age of the oldest run that has not started; 0 when there is none.",
        value=stored.oldest_seconds,
    )


def _workers(stored: Measures) -> Iterator[Metric]:
    labels = ["worker", "work_pool"]
    online = GaugeMetricFamily(
        "prefect_phantom_worker_online", "Whether the worker was heard of lately.", labels=labels
    )
    slots = GaugeMetricFamily(
        "prefect_phantom_worker_slots",
        "Most runs at once on the worker; 0 while it is offline.",
        labels=labels,
    )
    taken = GaugeMetricFamily(
        "prefect_phantom_worker_slots_in_use",
        "Runs that the worker has taken; 0 while it is offline.",
        labels=labels,
    )
    for worker in stored.workers:
        values = [worker.name, worker.work_pool]
        online.add_metric(values, worker.online)
        slots.add_metric(values, worker.slots if worker.online else 0)
        taken.add_metric(values, worker.taken if worker.online else 0)
    yield from (online, slots, taken)
