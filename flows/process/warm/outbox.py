"""What a run tells Prefect beside its states: logs, events and artifacts, in few requests."""

from __future__ import annotations

import json
import os
import sys
import threading
import traceback
from collections import deque
from typing import Any

import httpx
from prefect.client.orchestration import SyncPrefectClient
from prefect.events import Event
from prefect.events.worker import EventsWorker, ProcessPoolForwardingEventsClient
from prefect.logging.handlers import APILogWorker, set_api_log_sink

from prefect_phantom.flows.inside.display.prefect_artifacts import SENDER

SECONDS = 0.5
"""How long logs and events of a run that goes on are kept, to be sent together."""
DRAIN_SECONDS = 10
MOST_BYTES = 3_000_000
"""Most that is sent in one request; Prefect takes no log above 1 MB and no event above 1.5 MB."""
JSON = {"content-type": "application/json"}


class Outbox:
    """Keeps what the runs of this process log and emit, and sends it with the runs' own client.

    Prefect hands it over as its process pools hand theirs to their parent. Its own senders would
    each open a client and a connection for every run, and cannot be asked to send all that they
    have without ending.
    """

    def __init__(self, client: SyncPrefectClient) -> None:
        self._client = client
        self._logs: deque[bytes] = deque()
        self._events: deque[bytes] = deque()
        self._artifacts: deque[bytes] = deque()
        self._sending = threading.Lock()
        self._filled = threading.Event()
        self._flushed = threading.Event()
        set_api_log_sink(self._put_log)
        SENDER.send = self._put_artifact
        EventsWorker.set_client_override(ProcessPoolForwardingEventsClient, event_queue=self)
        os.register_at_fork(after_in_child=self._part)
        threading.Thread(target=self._send_on, name="outbox", daemon=True).start()

    def put(self, item: tuple[str, Event]) -> None:
        """Take an event, in the form in which Prefect's forwarding client gives it."""
        self._events.append(item[1].model_dump_json().encode())
        self._filled.set()

    def flush(self) -> None:
        """Send all that was logged and emitted until now; Prefect has it when this returns.

        Raises:
            httpx.HTTPError: Prefect does not take it, although it was asked several times.
        """
        APILogWorker.drain_all(timeout=DRAIN_SECONDS)  # what a task runner gave to Prefect's own
        EventsWorker.instance().wait_until_empty()
        self._filled.clear()
        self._send()
        self._flushed.set()

    @staticmethod
    def _part() -> None:
        """Nobody empties the outbox in a process that a playbook has forked."""
        set_api_log_sink(None)
        EventsWorker.set_client_override(None)

    def _put_log(self, log: dict[str, Any]) -> None:
        log.pop("__payload_size__", None)
        self._logs.append(json.dumps(log).encode())
        self._filled.set()

    def _put_artifact(self, artifact: dict[str, Any]) -> None:
        self._artifacts.append(json.dumps(artifact).encode())
        self._filled.set()

    def _send_on(self) -> None:
        while self._filled.wait():
            if self._flushed.wait(SECONDS):
                self._flushed.clear()
                continue
            self._filled.clear()
            try:
                self._send()
            except httpx.HTTPError:
                # What was not sent is kept, for the next time or for `flush`, which raises.
                traceback.print_exc()
                self._filled.set()

    def _send(self) -> None:
        with self._sending:
            self._send_all("/events", self._events)
            self._send_all("/logs/", self._logs)
            while self._artifacts:  # Prefect takes one at a time
                self._post("/artifacts/", self._artifacts[0])
                self._artifacts.popleft()

    def _send_all(self, path: str, kept: deque[bytes]) -> None:
        while batch := _first(kept):
            self._post(path, b"[" + b",".join(batch) + b"]")
            for _ in batch:
                kept.popleft()

    def _post(self, path: Any, body: bytes) -> None:  # noqa: ANN401 - of Prefect's list
        try:
            self._client.request("POST", path, content=body, headers=JSON)
        except httpx.HTTPStatusError as error:
            if not error.response.is_client_error:
                raise
            # It would be refused again, and hold up all that follows.
            print(f"Prefect refused {path}: {error.response.text}", file=sys.stderr)


def _first(kept: deque[bytes]) -> list[bytes]:
    """As much from the front as one request may hold, and at least one."""
    batch: list[bytes] = []
    size = 0
    for index in range(len(kept)):  # not an iterator, since others append meanwhile
        item = kept[index]
        size += len(item)
        if batch and size > MOST_BYTES:
            break
        batch.append(item)
    return batch
