"""``/metrics``: what a Prometheus that scrapes the gateway reads."""

from __future__ import annotations

import asyncio
import re
from datetime import UTC, datetime, timedelta
from uuid import uuid4

import httpx
import pytest
from prometheus_client.parser import text_string_to_metric_families
from pydantic import SecretStr
from sqlalchemy import text, update

from prefect_phantom.adapters.rest.application import ROUTES, create_application
from prefect_phantom.adapters.settings import Settings
from prefect_phantom.adapters.store.database import measures
from prefect_phantom.adapters.store.database.database import Database, database_url
from prefect_phantom.adapters.store.database.notices import Notices
from prefect_phantom.adapters.store.playbooks import workers
from prefect_phantom.adapters.store.playbooks.workers import Presence
from prefect_phantom.adapters.store.runs import attempts
from prefect_phantom.adapters.store.tables import worker_tables


class Scrape:
    """One reading of the page."""

    def __init__(self, page: str) -> None:
        self.families = {family.name: family for family in text_string_to_metric_families(page)}

    def value(self, sample: str, **labels: str) -> float:
        """The sample's value; 0 for labels that nothing was counted for."""
        found = [
            each.value
            for family in self.families.values()
            for each in family.samples
            if each.name == sample and each.labels == labels
        ]
        assert len(found) <= 1
        return found[0] if found else 0.0


@pytest.fixture
def scrape(anonymous):
    """Reads the page as it is now, without credentials."""

    async def scrape() -> Scrape:
        response = await anonymous.get("/metrics")
        assert response.status_code == 200
        assert response.headers["content-type"].startswith("text/plain; version=0.0.4")
        return Scrape(response.text)

    return scrape


@pytest.fixture(autouse=True)
def nothing_is_kept(monkeypatch):
    """Each page reads the tables anew, so that a test sees what it has just done."""
    monkeypatch.setattr("prefect_phantom.adapters.rest.contract.metrics.FRESH_SECONDS", 0.0)


@pytest.fixture
async def no_runs(database):
    async with database.begin() as connection:
        await connection.execute(text("TRUNCATE playbook_runs, workers CASCADE"))


def requests(page: Scrape, method: str, route: str, status: int) -> float:
    return page.value(
        "prefect_phantom_http_requests_total", method=method, route=route, status=str(status)
    )


async def test_requests_are_counted_by_method_route_and_status(scrape, client, run_id):
    before = await scrape()
    await client.get(f"/rest/playbook_run/{run_id}")
    await client.get(f"/rest/playbook_run/{run_id}")
    await client.get("/rest/playbook_run/999999999")
    after = await scrape()
    route = "/rest/playbook_run/{id}"
    assert requests(after, "GET", route, 200) - requests(before, "GET", route, 200) == 2
    assert requests(after, "GET", route, 404) - requests(before, "GET", route, 404) == 1


async def test_every_answer_is_in_the_histogram_of_its_route(scrape, client, run_id):
    name = "prefect_phantom_http_request_seconds"
    labels = {"method": "GET", "route": "/rest/playbook_run/{id}"}
    before = await scrape()
    await client.get(f"/rest/playbook_run/{run_id}")
    await client.get("/rest/playbook_run/999999999")
    after = await scrape()
    for sample, further in ((f"{name}_count", {}), (f"{name}_bucket", {"le": "+Inf"})):
        moved = after.value(sample, **labels, **further) - before.value(sample, **labels, **further)
        assert moved == 2
    assert after.value(f"{name}_sum", **labels) > before.value(f"{name}_sum", **labels)


async def test_what_is_refused_before_its_route_is_counted_without_one(scrape, anonymous):
    before = await scrape()
    await anonymous.get("/rest/playbook_run/1")
    after = await scrape()
    assert requests(after, "GET", "-", 401) - requests(before, "GET", "-", 401) == 1


async def test_nothing_that_a_caller_invents_becomes_a_label(scrape, client, run_id):
    invented = uuid4().hex
    await client.get(f"/rest/playbook_run/{run_id}")
    await client.get(f"/rest/{invented}")
    await client.get(f"/{invented}")
    await client.request(invented.upper(), "/rest/playbook")
    values = {
        value
        for family in (await scrape()).families.values()
        for sample in family.samples
        for value in sample.labels.values()
    }
    assert not any(invented in value.lower() for value in values)
    paths = {value for value in values if value.startswith("/")}
    assert "/rest/playbook_run/{id}" in paths
    assert not any(re.search(r"\d", path) for path in paths)
    assert "OTHER" in values


async def test_accepted_runs_are_counted_by_their_origin(scrape, start, database, container):
    name = "prefect_phantom_runs_accepted_total"
    before = await scrape()
    await start()
    await start(container_id=999999999)  # refused
    await _begin_in_prefect(database, container)
    after = await scrape()
    for origin in ("rest", "prefect"):
        assert after.value(name, origin=origin) - before.value(name, origin=origin) == 1


async def test_ended_runs_are_counted_once_by_how_they_ended(
    scrape, database, container, client, run_id
):
    before = await scrape()
    for status in ("success", "failed", "failed"):
        claim = await _begin_in_prefect(database, container)
        for _ in range(2):  # the second time as after a lost answer
            await attempts.end(database, claim.token, status, "")
    await client.post(f"/rest/playbook_run/{run_id}", json={"cancel": True})
    after = await scrape()
    name = "prefect_phantom_runs_ended_total"
    moved = {
        status: after.value(name, status=status) - before.value(name, status=status)
        for status in ("success", "failed", "cancelled")
    }
    assert moved == {"success": 1, "failed": 2, "cancelled": 1}


@pytest.mark.usefixtures("no_runs")
async def test_open_runs_are_read_from_the_tables(scrape, start, change, client):
    now = datetime.now(UTC)
    in_prefect = {"dispatch_time": now, "flow_run_id": uuid4}
    held = {**in_prefect, "claim_time": now, "claim_id": uuid4}
    given_back = {**in_prefect, "claim_time": now}
    ended = {**held, "status": "success", "end_time": now}
    states = [{}, {}, {}, in_prefect, in_prefect, held, given_back, ended]
    for columns in [*states, {**ended, "settled": True}]:
        run_id = (await start()).json()["playbook_run_id"]
        made = {name: value() if callable(value) else value for name, value in columns.items()}
        await change(run_id, version=1, **made)
        if columns is held:
            await client.post(f"/rest/playbook_run/{run_id}", json={"cancel": True})
    page = await scrape()
    counts = {
        state: page.value("prefect_phantom_runs", state=state)
        for state in ("queued", "waiting", "running", "suspended")
    }
    assert counts == {"queued": 3, "waiting": 2, "running": 1, "suspended": 1}
    assert page.value("prefect_phantom_runs_cancelling") == 1


@pytest.mark.usefixtures("no_runs")
async def test_the_age_of_the_oldest_waiting_run_is_told(scrape, start, change):
    name = "prefect_phantom_oldest_waiting_run_seconds"
    assert (await scrape()).value(name) == 0
    for hours in (1, 3, 2):
        run_id = (await start()).json()["playbook_run_id"]
        await change(run_id, start_time=datetime.now(UTC) - timedelta(hours=hours))
    assert (await scrape()).value(name) == pytest.approx(3 * 3600, abs=60)


@pytest.mark.usefixtures("no_runs")
async def test_a_worker_has_its_slots_until_it_is_not_heard_of(scrape, database):
    for name, taken in (("one", 3), ("silent", 1), ("forgotten", 1)):
        await workers.see(database, presence(name, taken=0))
        await workers.see(database, presence(name, taken=taken))
    await _last_seen(database, "silent", seconds=workers.OFFLINE_SECONDS + 1)
    await _last_seen(database, "forgotten", seconds=24 * 3600 + 1)
    page = await scrape()
    figures = {
        name: [
            page.value(f"prefect_phantom_worker_{what}", worker=name, work_pool="phantom")
            for what in ("online", "slots", "slots_in_use")
        ]
        for name in ("one", "silent")
    }
    assert figures == {"one": [1, 4, 3], "silent": [0, 0, 0]}
    known = page.families["prefect_phantom_worker_online"].samples
    assert {sample.labels["worker"] for sample in known} == {"one", "silent"}


async def test_one_reading_serves_all_that_ask_within_a_moment(
    connect, build, settings, monkeypatch, start, database
):
    monkeypatch.setattr("prefect_phantom.adapters.rest.contract.metrics.FRESH_SECONDS", 3600.0)
    async with connect(build(settings)) as client:
        first = Scrape((await client.get("/metrics")).text)
        await start()
        second = Scrape((await client.get("/metrics")).text)
    shown = [page.value("prefect_phantom_runs", state="queued") for page in (first, second)]
    assert shown[0] == shown[1]
    assert (await measures.read(database)).queued == shown[0] + 1


@pytest.mark.attack(
    "asking every path in every way without a right, so that the page of metrics grows",
    "it stays as it is",
)
async def test_what_is_refused_makes_no_page_longer(scrape, client, anonymous):
    made = await client.post("/rest/role", json={"name": "nothing", "permissions": []})
    user = {"username": "nobody", "type": "automation", "roles": ["nothing"]}
    token = (await client.post("/rest/ph_user", json=user)).json()["token"]
    assert made.status_code == 200
    before = _labels(await scrape())
    for route in ROUTES:
        path = re.sub(r"{\w+}", "1", route.path)
        for method in ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "X"):
            await anonymous.request(method, path, headers={"ph-auth-token": token})
            if path.startswith("/rest"):
                await anonymous.request(method, path)
    routes = {route for _, route in _labels(await scrape()) - before}
    assert routes <= {"-", "/", "/healthz", "/readyz"}


def _labels(page: Scrape) -> set[tuple[str, str]]:
    samples = page.families["prefect_phantom_http_requests"].samples
    return {(sample.labels["method"], sample.labels["route"]) for sample in samples}


@pytest.mark.attack("many anonymous scrapes", "the page is made once a second")
async def test_the_page_is_made_once_however_many_ask(connect, build, settings, monkeypatch):
    monkeypatch.setattr("prefect_phantom.adapters.rest.contract.metrics.FRESH_SECONDS", 3600.0)
    async with connect(build(settings)) as client:
        first = await client.get("/metrics")
        monkeypatch.setattr("prefect_phantom.adapters.rest.contract.metrics.generate_latest", None)
        pages = await asyncio.gather(*(client.get("/metrics") for _ in range(8)))
    assert {page.text for page in pages} == {first.text}


async def test_with_a_token_it_is_shown_to_who_has_that(build, connect):
    token = "a token of the scraper's own"
    async with connect(build(Settings(metrics_token=SecretStr(token)))) as client:
        assert (await client.get("/metrics")).status_code == 401
        for shown in ("Bearer wrong", "Bearer ", f"Basic {token}", f"Bearer {token}x"):
            refused = await client.get("/metrics", headers={"Authorization": shown})
            assert (refused.status_code, refused.json()["failed"]) == (401, True)
        shown = await client.get("/metrics", headers={"Authorization": f"Bearer {token}"})
        assert shown.status_code == 200
        assert "prefect_phantom_http_requests_total" in shown.text
    with pytest.raises(ValueError, match="metrics_token"):
        Settings(metrics_token=SecretStr("short"))


async def test_without_a_database_the_page_says_so_and_still_counts(
    dispatch, reconcile, ask_prefect, keeper, deployments, settings, scrape
):
    assert (await scrape()).value("prefect_phantom_database_up") == 1
    nowhere = Database(database_url("postgresql://postgres@127.0.0.1:1", "none"))
    application = create_application(
        database=nowhere,
        settings=settings,
        dispatch=dispatch,
        reconcile=reconcile,
        stop=[].append,
        notices=Notices(nowhere),
        prefect=ask_prefect,
        keeper=keeper,
        deployments=deployments,
    )
    transport = httpx.ASGITransport(application)
    async with httpx.AsyncClient(transport=transport, base_url="http://gateway") as client:
        page = Scrape((await client.get("/metrics")).text)
    await nowhere.close()
    assert "prefect_phantom_http_requests" in page.families
    assert page.value("prefect_phantom_database_up") == 0
    assert "prefect_phantom_runs" not in page.families


async def test_a_setting_turns_it_off(build, connect):
    async with connect(build(Settings(metrics=False))) as client:
        assert (await client.get("/metrics")).status_code == 404
        assert (await client.get("/healthz")).status_code == 200


def presence(name: str, *, taken: int) -> Presence:
    return Presence(
        name=name, work_pool="phantom", type="phantom", hostname="h", version="0", slots=4,
        taken=taken, start_time=datetime.now(UTC),
    )  # fmt: skip


async def _last_seen(database, name: str, *, seconds: float) -> None:
    seen = datetime.now(UTC) - timedelta(seconds=seconds)
    async with database.begin() as connection:
        await connection.execute(
            update(worker_tables.workers)
            .where(worker_tables.workers.c.name == name)
            .values(seen_time=seen)
        )


async def _begin_in_prefect(database, container: int) -> attempts.Claim:
    request = attempts.ClaimRequest(
        claim_id=uuid4(), flow_run_id=uuid4(), deployment_id=None, playbook="local/my_playbook",
        playbook_run_id=None, container_id=container, scope="all", inputs=None, worker=None,
        hostname="h", process_id=1, process_start=1.0,
    )  # fmt: skip
    return await attempts.claim(database, request, token=uuid4().hex, repositories=["local"])
