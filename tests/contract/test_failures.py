"""Contract 1.1 and 9: every error is the failed envelope; our own faults show an incident."""

from __future__ import annotations

import logging
import re

import httpx
import pytest
from sqlalchemy import column, func, select, table

from prefect_phantom.adapters.between.signal import Signal
from prefect_phantom.adapters.rest.application import create_application
from prefect_phantom.adapters.store.database.database import Database, database_url
from prefect_phantom.adapters.store.database.notices import Notices
from prefect_phantom.adapters.store.starts import run_requests


@pytest.mark.parametrize("method", ["GET", "POST", "PUT", "BREW"])
@pytest.mark.parametrize(
    ("path", "shown"),
    [
        ("/rest/", "/rest"),
        ("/rest/no_such", "/rest/no_such"),
        ("/rest/playbook_run/1/no_such", "/rest/playbook_run/1/no_such"),
        ("/rest/Playbook_Run", "/rest/Playbook_Run"),
        ("/no_such/", "/no_such"),
        ("/rest/%E2%82%AC", "/rest/€"),
    ],
)
async def test_an_unknown_path_is_not_found(client, method, path, shown):
    response = await client.request(method, path)
    assert response.status_code == 404
    assert response.json() == {"failed": True, "message": f"Unknown endpoint {shown}"}


@pytest.mark.parametrize(
    ("method", "path", "allowed"),
    [
        ("PUT", "/rest/playbook_run", "GET, HEAD, POST"),
        ("PATCH", "/rest/playbook_run/1", "GET, HEAD, POST"),
        ("OPTIONS", "/rest/playbook_run/1", "GET, HEAD, POST"),
        ("BREW", "/rest/playbook_run/1", "GET, HEAD, POST"),
        ("PUT", "/rest/playbook_run/1/log", "GET, HEAD"),
        ("POST", "/rest/playbook_run/1/status", "GET, HEAD"),
        ("PUT", "/rest/container/1", "DELETE, GET, HEAD, POST"),
        ("PUT", "/rest/note/1", "DELETE, GET, HEAD, POST"),
        ("POST", "/rest/playbook", "GET, HEAD"),
        ("POST", "/healthz", "GET, HEAD"),
    ],
)
async def test_a_wrong_method_names_the_right_ones(client, method, path, allowed):
    response = await client.request(method, path)
    assert response.status_code == 405
    assert response.headers["allow"] == allowed
    assert response.json() == {
        "failed": True,
        "message": f"{method} is not allowed on {path}; allowed: {allowed}",
    }


async def test_a_fault_of_ours_is_logged_with_the_incident_that_is_shown(
    start, monkeypatch, caplog
):
    async def broken(*_: object, **__: object) -> int:
        raise ZeroDivisionError

    monkeypatch.setattr(run_requests, "accept", broken)
    response = await start()
    assert response.status_code == 500
    assert response.json()["failed"] is True
    incident = re.fullmatch(
        r"Internal error, noted in the gateway's log as incident ([0-9a-f]{32})",
        response.json()["message"],
    )
    assert incident
    (record,) = [record for record in caplog.records if record.levelno == logging.ERROR]
    assert incident.group(1) in record.getMessage()
    assert record.exc_info
    assert record.exc_info[0] is ZeroDivisionError


async def test_without_a_database_nothing_is_accepted(
    settings, credentials, ask_prefect, keeper, deployments, tmp_path
):
    gone = Database(database_url(f"postgresql://postgres@/?host={tmp_path}", "phantom"))
    signal = Signal()
    application = create_application(
        database=gone,
        settings=settings,
        dispatch=signal,
        reconcile=signal,
        stop=[].append,
        notices=Notices(gone),
        prefect=ask_prefect,
        keeper=keeper,
        deployments=deployments,
    )
    transport = httpx.ASGITransport(application)
    headers = {"ph-auth-token": credentials.token}
    async with httpx.AsyncClient(transport=transport, base_url="http://gateway") as client:
        for response in (
            await client.post("/rest/playbook_run", json={}, headers=headers),
            await client.get("/rest/playbook_run/1", headers=headers),
            await client.get("/readyz"),
        ):
            assert response.status_code == 503
            assert response.headers["retry-after"] == "5"
            assert response.headers["prefect-phantom-outage"] == "database"
            assert response.json() == {
                "failed": True,
                "message": "The database does not answer; nothing was accepted, try again later",
            }
        assert (await client.get("/healthz")).status_code == 200
    assert not await signal.wait(0)
    await gone.close()


async def test_a_lost_connection_to_the_database_is_an_outage_at_most_once(
    client, database, run_id, container
):
    async with database.begin() as connection:
        others = select(func.pg_terminate_backend(column("pid"))).select_from(
            table("pg_stat_activity", column("pid"), column("datname"))
        )
        await connection.execute(
            others.where(
                column("datname") == func.current_database(),
                column("pid") != func.pg_backend_pid(),
            )
        )
        # This connection is the last: it is lost while it is idle in its pool.
        pid = await connection.scalar(select(func.pg_backend_pid()))
    killer = Database(database.url)
    async with killer.begin() as connection:
        await connection.execute(select(func.pg_terminate_backend(pid)))
    await killer.close()
    path = f"/rest/container/{container}"
    codes = [(await client.get(path)).status_code for _ in range(3)]
    assert codes == [503, 200, 200]
    # The short ways look at a connection before they use it.
    assert (await client.get(f"/rest/playbook_run/{run_id}")).status_code == 200
    assert (await client.get("/readyz")).status_code == 200


@pytest.mark.parametrize("path", ["/", "/healthz", "/readyz"])
async def test_what_is_open_to_everyone_answers(anonymous, path):
    assert (await anonymous.get(path)).status_code == 200


async def test_each_request_is_one_line_of_the_log_without_secrets(anonymous, caplog, credentials):
    caplog.set_level(logging.INFO, "prefect_phantom.access")
    await anonymous.get(
        "/rest/playbook_run/999999?token=secret%0Aline",
        headers={"ph-auth-token": credentials.token},
    )
    await anonymous.get("/no%0Asuch", headers={"ph-auth-token": credentials.token})
    lines = [r.getMessage() for r in caplog.records if r.name == "prefect_phantom.access"]
    assert len(lines) == 2
    known = r"GET /rest/playbook_run/999999 404 \d+\.\dms operator [0-9a-f]{32}"
    assert re.fullmatch(known, lines[0])
    assert re.fullmatch(r"GET /no%0Asuch 404 \d+\.\dms - [0-9a-f]{32}", lines[1])
    assert credentials.token not in caplog.text
