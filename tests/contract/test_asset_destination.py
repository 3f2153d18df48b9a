"""Who may change an asset cannot have its secrets sent to a server of theirs."""

from __future__ import annotations

from typing import Any
from uuid import uuid4

import pytest

from prefect_phantom.adapters.rest.contract.assets.asset_destination import moved_settings

BEFORE: dict[str, Any] = {
    "base_url": "https://soar.example/api",
    "port": 443,
    "scheme": "https",
    "verify_certificate": True,
    "timeout_seconds": 5,
    "nested": {"servers": [{"address": "192.0.2.1"}]},
    "feed": "https://feed.example",
    "networks": ["192.0.2.0/24"],
}


@pytest.fixture
async def made(client) -> int:
    new = {"name": uuid4().hex, "app": "HTTP", "configuration": BEFORE}
    new["secrets"] = {"password": "hunter2", "community": "hunter3"}
    response = await client.post("/rest/asset", json=new)
    assert response.status_code == 200, response.text
    identifier: int = response.json()["id"]
    return identifier


@pytest.mark.attack(
    "having an asset's stored secret sent elsewhere, by another address, proxy, app, or no check",
    "400, unless each secret is given anew",
)
@pytest.mark.parametrize(
    "changed",
    [
        *(
            {"base_url": "https://evil.example"},
            {"host": "evil.example"},
            {"server": "evil.example"},
        ),
        *({"port": 8443}, {"scheme": "http"}, {"proxy": "http://evil.example"}, {"mailhost": "e"}),
        *({"verify_certificate": False}, {"insecure": True}, {"ca_file": "/tmp/evil.pem"}),
        *(
            {"baseUrl": "https://evil.example"},
            {"HTTPS_PROXY": "evil.example"},
            {"instance": "evil"},
        ),
        *({"feed": "https://evil.example"}, {"other": "//evil.example"}, {"other": "192.0.2.66"}),
        *({"nested": {"servers": [{"address": "192.0.2.66"}]}}, {"scheme": ...}, {"tls": False}),
        *({"backend": "evil.example.com:443"}, {"api": "evil.example.com"}, {"peer": "evil:443"}),
        *({"backend": "3405804034"}, {"backend": 3405804034}, {"backend": "3405804034:443"}),
        *({"service": "x@evil.example"}, {"remote": "evil.example/api"}, {"other": "[::1]:443"}),
        *({"networks": ...}, {"networks": ["0.0.0.0/0"]}, {"networks": ["192.0.2.0/24", "::/0"]}),
    ],
    ids=str,
)
async def test_a_secret_that_stays_is_not_sent_elsewhere(client, made, keeper, changed):
    before = (await client.get(f"/rest/asset/{made}")).json()
    kept = dict(keeper.secrets)
    settings = {name: value for name, value in (BEFORE | changed).items() if value is not ...}
    name = next(iter(changed))
    for given in ({}, {"secrets": {"password": "of theirs"}}, {"secrets": {"further": "x"}}):
        body = {"configuration": settings} | given
        refused = await client.post(f"/rest/asset/{made}", json=body)
        assert refused.status_code == 400, given
        message = refused.json()["message"]
        assert message.startswith(f'A change of "configuration.{name}')
        assert '"community"' in message
        assert "hunter" not in message
    assert (await client.get(f"/rest/asset/{made}")).json() == before
    assert keeper.secrets == kept
    anew = {"password": "new", "community": None}
    done = await client.post(
        f"/rest/asset/{made}", json={"configuration": settings, "secrets": anew}
    )
    assert done.status_code == 200, done.text


async def test_another_app_or_proxy_that_is_secret_asks_for_them_too(client, made):
    for body, named in (({"app": "WHOIS"}, "app"), ({"secrets": {"proxy": "p"}}, "secrets.proxy")):
        refused = await client.post(f"/rest/asset/{made}", json=body)
        assert refused.status_code == 400
        assert refused.json()["message"].startswith(f'A change of "{named}" ')


@pytest.mark.parametrize(
    "body",
    [
        {"configuration": BEFORE},
        {"configuration": BEFORE | {"timeout_seconds": 9, "username": "soar"}},
        {"app": "HTTP", "description": "d", "disabled": True, "action_limit": 3},
        {"secrets": {"password": "another"}},
        {"configuration": {**BEFORE, "verify_hostname": True}},
    ],
    ids=str,
)
async def test_any_other_change_keeps_them(client, made, body):
    assert (await client.post(f"/rest/asset/{made}", json=body)).status_code == 200
    assert len((await client.get(f"/rest/asset/{made}")).json()["secret_blocks"]) == 2


@pytest.mark.parametrize(
    ("before", "after", "moved"),
    [
        ({"host": "a"}, {}, []),
        ({"host": "a"}, {"host": "b"}, ["host"]),
        ({"host": None}, {"host": "b"}, ["host"]),
        ({"port": 443}, {"port": "443"}, ["port"]),
        ({"verify_tls": False}, {"verify_tls": True}, []),
        ({"verify_tls": True}, {}, ["verify_tls"]),
        ({"verify_tls": True}, {"verify_tls": "no"}, ["verify_tls"]),
        ({"servers": ["a"]}, {"servers": ["a", "b"]}, ["servers.1"]),
        ({"a": 1}, {"a": {"url": "x"}}, ["a.url"]),
        ({}, {"appliance": "evil.example."}, ["appliance"]),
        ({}, {"a": "one.example, two.example:9092"}, ["a"]),
        ({}, {"a": "tcp:evil.example"}, ["a"]),
        ({}, {"a": "192.0.2.66:443", "b": "[2001:db8::1]:443"}, ["a", "b"]),
        ({}, {"a": "xn--bcher-kva.xn--p1ai"}, ["a"]),
        ({}, {"a": "bücher.example"}, ["a"]),
        ({}, {"a": "0xC0000242"}, ["a"]),
        ({}, {"a": "0300.0.2.66"}, ["a"]),
        ({}, {"a": "030000001102"}, ["a"]),
        ({}, {"a": "203.29186", "b": 203.29186, "c": ["x@203.65536/y"]}, ["a", "b", "c.0"]),
        ({}, {"a": 16777215, "b": "0.500", "c": 12.5, "d": "1.255", "e": True, "f": None}, []),
        ({}, {"a": -3405804034, "b": 2**63, "c": "20260101000000", "d": "2026.1203"}, []),
        ({}, {"a": "fe80::1%eth0"}, ["a"]),
        ({}, {"a": "Server=evil.example;Trust=yes"}, ["a"]),
        ({}, {"a": "1.5", "b": "2.10.x", "c": "12:30", "d": "dc=a,dc=b", "e": "index=main"}, []),
        (
            {},
            {"a": "soc@corp", "b": "a.b", "c": "10", "d": "Two words.", "e": "10:00 to 12:00"},
            [],
        ),
        ({}, {"networks": ["10.0.0.0/8"]}, []),
        ({"networks": ["10.0.0.0/8"]}, {"networks": ["10.1.0.0/16", "10.2.3.4"]}, []),
        ({"networks": ["10.0.0.0/8"]}, {"networks": ["10.0.0.0/7"]}, ["networks.0"]),
        ({"networks": ["10.0.0.0/8"]}, {"networks": None}, ["networks.0", "networks"]),
        ({"networks": ["10.0.0.0/8"]}, {"networks": []}, ["networks.0"]),
        ({"networks": ["::/0"]}, {"networks": ["10.0.0.0/8"]}, ["networks.0"]),
        ({"search_base": "dc=a"}, {"search_base": "dc=b"}, ["search_base"]),
        ({"filter": "a", "report": 1, "import": 2}, {"filter": "b", "report": 2}, []),
    ],
)
def test_what_decides_where_secrets_go(before, after, moved):
    assert list(moved_settings(before, after)) == moved


@pytest.mark.attack(
    "a text of 900,000 characters for a setting", "looked at in a time that grows as it does"
)
@pytest.mark.parametrize("text", ["a", "a.", "a-", "1", "é", ":", "a:", "@", "[", "1.", "xn--"])
@pytest.mark.timeout(60)  # and not for hours, in which nobody else is served
def test_a_long_text_is_no_address_and_soon_looked_at(text: str) -> None:
    assert list(moved_settings({}, {"a": text * (900_000 // len(text)) + "!"})) == []
