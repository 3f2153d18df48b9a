"""A request has an id, its caller's where that is sane: answered, logged, kept with a run."""

from __future__ import annotations

import logging
import re

import pytest

OURS = re.compile(r"[0-9a-f]{32}")


@pytest.mark.parametrize("sane", ["a", "7f3c-9/x:1@b+c=", "x" * 128])
async def test_a_sane_id_is_the_callers(client, caplog, sane):
    caplog.set_level(logging.INFO, "prefect_phantom.access")
    response = await client.get("/rest/playbook", headers={"X-Request-ID": sane})
    assert response.headers["x-request-id"] == sane
    assert caplog.records[-1].getMessage().endswith(f" {sane}")


@pytest.mark.parametrize("bad", ["", "x" * 129, "a b", 'a"b', "{{ a }}", "a\tb", "a%0Ab;", "ä"])
async def test_any_other_is_replaced(client, bad):
    headers = {"X-Request-ID": bad.encode("latin-1")}
    response = await client.get("/rest/playbook", headers=headers)
    assert OURS.fullmatch(response.headers["x-request-id"])


async def test_a_refusal_has_one_too(anonymous):
    response = await anonymous.get("/rest/playbook", headers={"X-Request-ID": "mine"})
    assert response.status_code == 401
    assert response.headers.get_list("x-request-id") == ["mine"]


@pytest.mark.parametrize("scope", ["all", "new"])
@pytest.mark.parametrize("key", [{}, {"Idempotency-Key": "k"}])
async def test_a_run_keeps_the_id_of_the_request_that_started_it(
    client, container, shelf, read, scope, key
):
    body = {
        "container_id": container, "playbook_id": shelf.my_playbook, "run": True, "scope": scope,
    }  # fmt: skip

    async def send(request_id):
        keys = {name: f"{text}{container}" for name, text in key.items()}
        headers = {**keys, "X-Request-ID": request_id}
        return await client.post("/rest/playbook_run", json=body, headers=headers)

    first = await send("1")
    run = await read(first.json()["playbook_run_id"])
    assert run["misc"]["request_id"] == "1"
    if key:
        await send("2")
        assert (await read(run["id"]))["misc"]["request_id"] == "1"
    found = await client.get(
        f'/rest/playbook_run?_filter_misc__request_id="1"&_filter_container={container}'
    )
    assert [row["id"] for row in found.json()["data"]] == [run["id"]]


async def test_a_run_has_one_of_ours_when_its_caller_gives_none(start, read):
    response = await start()
    run = await read(response.json()["playbook_run_id"])
    assert run["misc"]["request_id"] == response.headers["x-request-id"]
    assert OURS.fullmatch(run["misc"]["request_id"])
