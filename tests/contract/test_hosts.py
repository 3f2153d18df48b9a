"""A page that makes its own name lead to this machine does not reach a gateway on it."""

from __future__ import annotations

import asyncio
import socket

import httpx
import pytest
from pydantic import SecretStr

from prefect_phantom.adapters.between.hints import Hints
from prefect_phantom.adapters.gateway import host_names as names_module
from prefect_phantom.adapters.gateway.host_names import host_names
from prefect_phantom.adapters.rest.runtime.runtime import create_runtime_application
from prefect_phantom.adapters.settings import Settings
from tests.runtime_key import KEY

REFUSED = "This gateway is not "
OWN = [
    *("localhost", "localhost:8443", "LOCALHOST.", "a.localhost", socket.gethostname()),
    *("127.0.0.1", "127.0.0.1:1", "192.0.2.7:8443", "[::1]", "[::1]:8443", "[2001:db8::1]"),
    *("127.1", "0x7f.1:8443", "2130706433", "[fe80::1%25eth0]:8443"),
    *("soar.example", "soar.example:443", "runtime.example", ""),
]
FOREIGN = [
    *("evil.example", "evil.example:8443", "localhost.evil.example", "localhost@evil.example"),
    *("evil.example.", "127.0.0.1.evil.example", "evil.example/localhost", "127.0.0.1:x"),
    *(
        "xn--80ak6aa92e.example",
        "[evil.example]",
        "soar.example.evil.example",
        "127.0.0.1.5",
        "[::1",
    ),
]
SETTINGS = Settings(
    base_url="https://soar.example",
    runtime_url="https://runtime.example",
    runtime_key=SecretStr(KEY),
    trusted_proxies="192.0.2.0/24",
)


@pytest.fixture(scope="module")
def application(build):
    return build(SETTINGS, host_names(SETTINGS, SETTINGS.host))


@pytest.mark.parametrize("host", OWN)
async def test_addresses_and_names_of_this_machine_are_right(client, host):
    assert (await client.get("/rest/version", headers={"Host": host})).status_code == 200


@pytest.mark.attack(
    "a page whose own name leads to 127.0.0.1 (DNS rebinding)", "403, on every path"
)
@pytest.mark.parametrize("host", FOREIGN)
async def test_another_name_is_refused_on_loopback(client, host):
    for path in ("/rest/version", "/", "/docs", "/openapi.json", "/metrics", "/healthz"):
        refused = await client.get(path, headers={"Host": host})
        assert refused.status_code == 403, path
        assert refused.json()["failed"] is True
        assert refused.json()["message"].startswith(REFUSED)


@pytest.mark.attack("the same behind `X-Forwarded-Host`, or a second `Host`", "403")
@pytest.mark.parametrize(
    "headers",
    [
        [("Host", "localhost"), ("X-Forwarded-Host", "evil.example")],
        [("Host", "localhost"), ("Host", "evil.example")],
        [("Host", "evil.example"), ("X-Forwarded-Host", "localhost")],
    ],
)
async def test_every_host_that_is_named_must_be_ours(client, headers):
    assert (await client.get("/rest/version", headers=headers)).status_code == 403


async def test_the_base_url_is_right_from_a_proxy(client):
    headers = {"Host": "127.0.0.1:8443", "X-Forwarded-Host": "soar.example"}
    assert (await client.get("/rest/version", headers=headers)).status_code == 200


async def test_the_runtime_api_refuses_other_names_too(database, dispatch, reconcile):
    runtime = create_runtime_application(
        database=database, settings=SETTINGS, dispatch=dispatch, reconcile=reconcile,
        hints=Hints(lambda _: None), names=host_names(SETTINGS, SETTINGS.runtime_host),
    )  # fmt: skip
    transport = httpx.ASGITransport(runtime)
    async with httpx.AsyncClient(transport=transport, base_url="http://127.0.0.1") as caller:
        for host, status in (("evil.example", 403), ("runtime.example", 404), ("localhost:1", 404)):
            answer = await caller.get("/runtime/nothing", headers={"Host": host})
            assert answer.status_code == status


@pytest.mark.attack("the same by a request target that names another host", "403")
async def test_the_host_of_an_absolute_target_counts(listener, credentials):
    async def ask(target: str, host: str) -> int:
        reader, writer = await asyncio.open_connection(*listener)
        writer.write(
            f"GET {target} HTTP/1.1\r\nHost: {host}\r\nph-auth-token: {credentials.token}\r\n"
            "Connection: close\r\n\r\n".encode()
        )
        answer = await reader.read()
        writer.close()
        await writer.wait_closed()
        return int(answer.split()[1])

    assert await ask("http://evil.example/rest/version", "localhost") == 403
    assert await ask("http://localhost:8443/rest/version", "evil.example") == 200
    assert await ask("http://[::1]:8443/rest/version", "localhost") == 200
    assert await ask("/rest/version", "localhost") == 200


@pytest.mark.parametrize("address", ["0.0.0.0", "", "::", "192.0.2.1"])
def test_where_others_reach_the_gateway_any_name_is_right_unless_some_are_listed(address):
    assert host_names(Settings(), address) is None
    listed = host_names(Settings(allowed_hosts="Soar.example, soar"), address)
    assert listed is not None
    assert {"soar.example", "soar", "localhost"} <= listed


def test_what_the_machine_calls_itself_is_right(monkeypatch, tmp_path):
    file = tmp_path / "hosts"
    file.write_text(
        "# names\n127.0.0.1 localhost desk.example\n::1 ip6-localhost # and no more\n"
        f"192.0.2.1 {socket.gethostname()} full.example\n192.0.2.2 other.example\n\nnonsense\n"
    )
    monkeypatch.setattr(names_module, "HOSTS_FILE", file)
    found = host_names(Settings(), "127.0.0.1")
    assert found is not None
    assert {"localhost", "desk.example", "ip6-localhost", "full.example"} <= found
    assert not {"other.example", "names", "no"} & found
    monkeypatch.setattr(names_module, "HOSTS_FILE", tmp_path / "missing")
    assert "localhost" in (host_names(Settings(), "127.0.0.1") or ())
