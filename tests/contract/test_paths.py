"""Our decision: a path has one spelling, beside slashes at its end and doubled ones."""

from __future__ import annotations

import asyncio
import logging
from urllib.parse import quote

import pytest

from tests.runtime_key import KEY


@pytest.fixture
def wire(address, credentials):
    """Asks for a path as it is written, which a client would put in order; returns the status."""

    async def wire(path: str) -> int:
        reader, writer = await asyncio.open_connection(*address.split(":"))
        head = f"GET {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n"
        writer.write(f"{head}ph-auth-token: {credentials.token}\r\n\r\n".encode())
        answer = await reader.read()
        writer.close()
        return int(answer.split()[1])

    return wire


@pytest.mark.parametrize(
    "path", ["/rest//version", "//rest/version", "/rest/version//", "///rest///version/"]
)
async def test_doubled_slashes_and_those_at_the_end_change_nothing(wire, anonymous, path):
    assert await wire(path) == 200
    # Not the path alone: with two slashes at its beginning it would name a host.
    assert (await anonymous.get(f"http://gateway{path}")).status_code == 401


@pytest.mark.attack(
    "`/metrics%0a`, `/rest%2fversion`, `/%6detrics`, `/x/../metrics`, by which a proxy's rule is "
    "passed",
    "404",
)
@pytest.mark.parametrize(
    "path",
    [
        "/metrics%0a", "/healthz%0A", "/rest/version%0a", "/rest/version%00", "/rest%2fversion",
        "/rest%2Fversion", "/%2frest/version", "/%72est/version", "/rest/versio%6e",
        "/rest/%2e/version", "/rest/playbook_ru%6e", "/rest/playbook%5frun",
        "/rest/playbook_run/%31",
        "/rest/version%",
        "/rest/version%zz", "/rest/decided_list/%ff", "/rest/decided_list/%c0%af",
        "/rest/./version", "/rest/x/../version", "/rest/version/..", "/rest/version/.",
        "/rest/version%7f", "/rest/version%1b%5b",
    ],
)  # fmt: skip
async def test_another_spelling_of_a_path_is_none(wire, path):
    assert await wire(path) == 404


async def test_a_name_in_a_path_may_have_what_must_be_encoded(client):
    name = "Ü & [x]: 100% 'a'\\b;c~d"
    body = {"name": name, "content": [["a"]]}
    assert (await client.post("/rest/decided_list", json=body)).status_code == 200
    found = await client.get(f"/rest/decided_list/{quote(name)}")
    assert found.json()["name"] == name
    assert (await client.get(f"/rest/decided_list/{quote(name, safe='~[]:')}")).status_code == 200


@pytest.mark.attack("a path of 30 kB to `/%ff%ff...`", "a line of 300 characters in the log")
async def test_a_line_of_the_log_does_not_grow_with_the_path(anonymous, caplog):
    with caplog.at_level(logging.INFO, "prefect_phantom.access"):
        await anonymous.get("/" + "%ff" * 10_000)
        await anonymous.get("/" + "x" * 30_000)
    lines = [record for record in caplog.records if record.name == "prefect_phantom.access"]
    assert len(lines) == 2
    for line in lines:
        assert len(line.getMessage()) < 400
        assert len(line.path) < 400


async def test_the_runtime_api_knows_one_spelling_too(runtime):
    headers = {"authorization": f"Bearer {KEY}"}
    body = {"flow_run_ids": []}
    for path, status in (("/runtime//refused/", 200), ("/runtime/refuse%64", 404)):
        assert (await runtime.post(path, json=body, headers=headers)).status_code == status
