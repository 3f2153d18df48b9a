"""Our decisions: from where users may call, and whom a trusted proxy speaks for."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from uuid import uuid4

import httpx
import pytest
from starlette.types import ASGIApp

from prefect_phantom.adapters.rest.layers.proxies import Proxies
from prefect_phantom.adapters.settings import Settings

PROXY = "10.1.1.1"
Call = Callable[..., Awaitable[httpx.Response]]


@pytest.fixture(scope="module")
def settings() -> Settings:
    return Settings(trusted_proxies="10.0.0.0/8,2001:db8:ffff::/48")


@pytest.fixture
def call(application: ASGIApp, client: httpx.AsyncClient) -> Call:
    """Calls from `peer`, with a token that is allowed in some networks."""

    async def call(
        peer: str, allowed: list[str], *, forwarded: list[str] | None = None
    ) -> httpx.Response:
        body = {"username": uuid4().hex, "type": "automation", "allowed_ips": allowed}
        made = await client.post("/rest/ph_user", json=body)
        assert made.status_code == 200, made.text
        headers = [("ph-auth-token", made.json()["token"])]
        headers += [("X-Forwarded-For", each) for each in forwarded or []]
        transport = httpx.ASGITransport(application, client=(peer, 5000))
        async with httpx.AsyncClient(transport=transport, base_url="http://gateway") as caller:
            return await caller.get("/rest/ph_user/1", headers=headers)

    return call


@pytest.mark.parametrize(
    ("peer", "allowed"),
    [
        ("192.0.2.7", ["any"]),
        ("192.0.2.7", ["192.0.2.7"]),
        ("192.0.2.7", ["198.51.100.0/24", "192.0.2.0/24"]),
        ("2001:db8::7", ["2001:db8::/32"]),
        ("2001:db8::7", ["2001:0DB8:0::7"]),
        ("::ffff:192.0.2.7", ["192.0.2.0/24"]),
    ],
)
async def test_a_token_is_served_from_its_networks(call, peer, allowed):
    assert (await call(peer, allowed)).status_code == 200


@pytest.mark.parametrize(
    ("peer", "allowed"),
    [
        ("192.0.2.7", []),
        ("192.0.2.7", ["192.0.2.8"]),
        ("192.0.2.7", ["192.0.3.0/24", "::/0"]),
        ("2001:db8::7", ["0.0.0.0/0"]),
        ("a-socket", ["0.0.0.0/0", "::/0"]),
    ],
)
async def test_a_token_is_refused_from_anywhere_else(call, peer, allowed):
    response = await call(peer, allowed)
    assert response.status_code == 403
    assert "may not call from" in response.json()["message"]


@pytest.mark.parametrize(
    "forwarded",
    [
        ["192.0.2.7"],
        ["203.0.113.9, 192.0.2.7"],  # what stands on the left is the caller's own word
        ["203.0.113.9", "192.0.2.7"],
        ["203.0.113.9, 192.0.2.7, 10.2.2.2"],
        ["192.0.2.7:4711"],
        ["192.0.2.7, 10.2.2.2 , 10.3.3.3"],
        ["192.0.2.7, [2001:db8:ffff::1]:80"],
    ],
)
async def test_behind_trusted_proxies_the_first_stranger_from_the_right_is_the_caller(
    call, forwarded
):
    assert (await call(PROXY, ["192.0.2.7"], forwarded=forwarded)).status_code == 200


@pytest.mark.attack("a claimed address without a trusted proxy", "not believed")
@pytest.mark.parametrize(
    ("peer", "forwarded"),
    [
        ("203.0.113.9", ["192.0.2.7"]),  # no proxy of ours
        (PROXY, ["192.0.2.7, 203.0.113.9"]),
        (PROXY, ["192.0.2.7", "203.0.113.9"]),
        (PROXY, ["192.0.2.7, "]),
        (PROXY, ["192.0.2.7, unknown"]),
        (PROXY, ["192.0.2.7, unknown, 10.2.2.2"]),
        (PROXY, ["'; DROP TABLE users; --"]),
        (PROXY, [","]),
        (PROXY, None),
    ],
)
async def test_a_claimed_address_is_not_believed(call, peer, forwarded):
    assert (await call(peer, ["192.0.2.7"], forwarded=forwarded)).status_code == 403


async def test_the_run_has_the_address_of_the_caller_and_not_of_the_proxy(
    application, credentials, shelf, container, read
):
    transport = httpx.ASGITransport(application, client=(PROXY, 5000))
    async with httpx.AsyncClient(transport=transport, base_url="http://gateway") as caller:
        started = await caller.post(
            "/rest/playbook_run",
            json={"container_id": container, "playbook_id": shelf.my_playbook, "run": True},
            headers={
                "ph-auth-token": credentials.automation_token,
                "X-Forwarded-For": "203.0.113.9, 192.0.2.7",
            },
        )
    run = await read(started.json()["playbook_run_id"])
    assert run["ip_address"] == "192.0.2.7"
    assert run["owner"] == run["effective_user"] == credentials.automation_id


@pytest.mark.parametrize(
    ("peer", "forwarded_host", "status"),
    [
        (PROXY, "soar.example", 200),
        (PROXY, "gateway:8443, soar.example", 200),
        (PROXY, "other.example", 403),
        ("203.0.113.9", "soar.example", 403),
    ],
)
async def test_the_origin_is_compared_with_the_host_that_a_trusted_proxy_was_asked_for(
    application, credentials, peer, forwarded_host, status
):
    transport = httpx.ASGITransport(application, client=(peer, 5000))
    async with httpx.AsyncClient(transport=transport, base_url="http://inner:8080") as caller:
        response = await caller.get(
            "/rest/ph_user/1",
            headers={
                "ph-auth-token": credentials.token,
                "Origin": "https://soar.example",
                "X-Forwarded-Host": forwarded_host,
            },
        )
    assert response.status_code == status


@pytest.mark.attack(
    "a host claimed in a header of its own, before the one that a trusted proxy adds",
    "only the proxy's word counts",
)
async def test_of_several_forwarded_hosts_the_last_is_the_proxys(application, credentials):
    transport = httpx.ASGITransport(application, client=(PROXY, 5000))
    async with httpx.AsyncClient(transport=transport, base_url="http://inner:8080") as caller:
        for claimed, asked, status in (
            ("evil.example", "soar.example", 403),
            ("soar.example", "evil.example", 200),
        ):
            headers = [
                ("ph-auth-token", credentials.token),
                ("Origin", "https://evil.example"),
                ("X-Forwarded-Host", claimed),
                ("X-Forwarded-Host", asked),
            ]
            answer = await caller.get("/rest/ph_user/1", headers=headers)
            assert answer.status_code == status


def test_networks_that_are_none_are_refused_at_the_start():
    with pytest.raises(ValueError, match="trusted_proxies"):
        Settings(trusted_proxies="10.0.0.0/8,proxy.example")


def test_without_declared_proxies_nobody_looks_at_their_headers(build):
    application: object = build(Settings())
    while application is not None:
        assert not isinstance(application, Proxies)
        application = getattr(application, "app", None)


@pytest.mark.parametrize("allowed", ["any", ["10.0.0.1/8"], ["localhost"], [1], ["10.0.0.0/33"]])
async def test_what_is_no_network_is_refused(client, allowed):
    body = {"username": "nowhere", "type": "automation", "allowed_ips": allowed}
    response = await client.post("/rest/ph_user", json=body)
    assert response.status_code == 400
    assert response.json()["message"].startswith("allowed_ips must be a list of addresses")
