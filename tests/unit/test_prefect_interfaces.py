"""What we use of Prefect without its promise to keep it: a changed one is found here first."""

from __future__ import annotations

import importlib.util
import inspect
from queue import SimpleQueue

import httpx
import pytest
from prefect.client.orchestration import SyncPrefectClient
from prefect.context import SyncClientContext
from prefect.events import emit_event, related
from prefect.events.worker import EventsWorker, ProcessPoolForwardingEventsClient
from prefect.flow_engine import FlowRunEngine
from prefect.logging import handlers
from prefect.server.api import deployments, events, logs
from prefect.settings import PREFECT_API_URL, temporary_settings
from prefect.workers.base import BaseWorker


def test_the_engine_can_be_run_as_a_module() -> None:
    specification = importlib.util.find_spec("prefect.engine")
    assert specification is not None
    assert specification.loader is not None
    source = specification.loader.get_source("prefect.engine")
    assert 'if __name__ == "__main__":' in source
    assert "PREFECT__FLOW_RUN_ID" in source


def test_flow_runs_can_be_created_in_bulk() -> None:
    paths = {route.path for route in deployments.router.routes}
    assert "/deployments/{id:uuid}/create_flow_run/bulk" in paths
    assert deployments.BULK_CREATE_LIMIT >= 100


@pytest.mark.parametrize("name", ["_work_pool", "_work_pool_name", "_work_queues", "_limit"])
def test_a_worker_keeps_its_pool_queues_and_limit_where_we_read_them(name: str) -> None:
    assert f"self.{name}" in inspect.getsource(BaseWorker.__init__)


def test_the_engine_has_the_places_that_a_warm_run_changes() -> None:
    assert isinstance(inspect.getattr_static(FlowRunEngine, "heartbeat_seconds"), property)
    for name in ("setup_flow_run_suspension_request", "_get_flow_run_suspension_request"):
        assert callable(getattr(FlowRunEngine, name))
    assert list(inspect.signature(FlowRunEngine.handle_crash).parameters) == ["self", "exc"]
    source = inspect.getsource(FlowRunEngine)
    assert "with self.setup_flow_run_suspension_request():" in source
    assert "with _send_heartbeats(self):" in source


def test_the_engine_asks_its_client_what_the_run_client_answers() -> None:
    source = inspect.getsource(FlowRunEngine)
    assert "self.flow_run = client.read_flow_run(self.flow_run.id)" in source
    assert "with SyncClientContext.get_or_create() as client_ctx:" in source
    assert "client" in SyncClientContext.model_fields
    for name in ("read_flow_run", "update_flow_run", "read_server_default_result_storage"):
        assert callable(getattr(SyncPrefectClient, name))


def test_logs_can_be_had_before_they_are_sent(monkeypatch):
    logs = []
    monkeypatch.setattr(handlers, "_api_log_sink", None)
    handlers.set_api_log_sink(logs.append)
    handlers.emit_api_log({"message": "m", "__payload_size__": 1})
    assert logs == [{"message": "m", "__payload_size__": 1}]
    assert "emit_api_log(log)" in inspect.getsource(handlers.APILogHandler.emit)
    assert "timeout" in inspect.signature(handlers.APILogWorker.drain_all).parameters


def test_events_can_be_had_before_they_are_sent_and_waited_for():
    taken = SimpleQueue()
    EventsWorker.set_client_override(ProcessPoolForwardingEventsClient, event_queue=taken)
    try:
        with temporary_settings({PREFECT_API_URL: "http://127.0.0.1:9/api"}):
            event = emit_event("tested", resource={"prefect.resource.id": "test"})
            EventsWorker.instance().wait_until_empty()
    finally:
        EventsWorker.drain_all()
        EventsWorker.set_client_override(None)
    assert taken.get_nowait() == ("event", event)


def test_events_and_logs_can_be_posted():
    assert "/events" in {route.path for route in events.router.routes}
    assert "/logs/" in {route.path for route in logs.router.routes}


def test_a_client_is_open_until_it_was_left_as_often_as_it_was_entered():
    client = SyncPrefectClient("http://127.0.0.1:9/api")
    assert isinstance(client._client, httpx.Client)
    with client:
        with client:
            pass
        with client:
            pass
    with pytest.raises(RuntimeError, match="cannot be started again"), client:
        pass


def test_the_cache_of_related_things_is_keyed_by_kind_and_id() -> None:
    assert related.RESOURCE_CACHE == {}
    source = inspect.getsource(related)
    assert 'cache_key = f"{kind}.{obj_id}"' in source
    assert "entry, _ = cache[cache_key]" in source
