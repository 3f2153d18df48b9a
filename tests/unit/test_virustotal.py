"""App VirusTotal, against a server on loopback that speaks as API v3 does."""

from __future__ import annotations

from base64 import urlsafe_b64encode
from collections.abc import Iterator
from typing import Any

import pytest

from prefect_phantom import ActionFailure, Asset
from prefect_phantom.apps import virustotal
from prefect_phantom.apps.virustotal import (
    Settings,
    domain_reputation,
    file_reputation,
    ip_reputation,
    url_reputation,
)
from tests.unit.web_server import Exchange, WebServer, serving

KEY = "0123456789abcdef"
URL = "http://example.com/a?b=c"
MD5 = "d41d8cd98f00b204e9800998ecf8427e"
IDENTIFIER = urlsafe_b64encode(URL.encode()).decode().rstrip("=")
KNOWN = {f"files/{MD5}", "ip_addresses/192.0.2.1", f"urls/{IDENTIFIER}", "domains/example.com"}
STATS = {
    "malicious": 3,
    "suspicious": 1,
    "undetected": 8,
    "harmless": 80,
    "timeout": 0,
    "type-unsupported": 2,
}


def answer(exchange: Exchange) -> None:
    path = exchange.path.removeprefix("/api/v3/")
    if exchange.headers["x-apikey"] != KEY:
        code, status, words = "WrongCredentialsError", 401, "Wrong API key"
    elif path == "ip_addresses/x":
        code, status, words = "InvalidArgumentError", 400, "Invalid IP address"
    elif path == "domains/google.com":
        code, status, words = "QuotaExceededError", 429, "Quota exceeded"
    elif path not in KNOWN:
        code, status, words = "NotFoundError", 404, f'"{path}" not found'
    else:
        kind, _, identifier = path.partition("/")
        attributes = {"last_analysis_stats": STATS, "reputation": -5}
        exchange.reply(200, {"data": {"id": identifier, "type": kind, "attributes": attributes}})
        return
    exchange.reply(status, {"error": {"code": code, "message": words}})


@pytest.fixture
def server() -> Iterator[WebServer]:
    with serving(answer) as found:
        yield found


def asset(server: WebServer, key: str = KEY) -> Asset[Settings]:
    return Asset(1, "vt", "VirusTotal", Settings(api_key=key, base_url=f"{server.url}/api/v3"))


@pytest.mark.parametrize(
    ("look_up", "term", "identifier"),
    [
        (file_reputation, f" {MD5}\n", MD5),
        (ip_reputation, "192.0.2.1", "192.0.2.1"),
        (domain_reputation, "example.com", "example.com"),
        (url_reputation, URL, IDENTIFIER),
    ],
    ids=lambda it: getattr(it, "name", ""),
)
def test_a_reputation_is_told_in_the_vendors_shape(
    look_up: Any, term: str, identifier: str, server: WebServer
) -> None:
    result = look_up.function(asset(server), term)
    assert result.message == "Harmless: 80, Malicious: 3, Suspicious: 1, Undetected: 8"
    assert result.summary == {"harmless": 80, "malicious": 3, "suspicious": 1, "undetected": 8}
    assert result.data[0]["id"] == identifier
    assert result.data[0]["attributes"]["reputation"] == -5


def test_what_virustotal_does_not_know_is_a_failure(server: WebServer) -> None:
    with pytest.raises(ActionFailure) as failure:
        domain_reputation.function(asset(server), "example.org")
    assert str(failure.value) == "Nothing found: VirusTotal does not know example.org"


def test_a_refused_key_names_the_asset_and_not_the_key(server: WebServer) -> None:
    with pytest.raises(ActionFailure) as failure:
        ip_reputation.function(asset(server, "another"), "192.0.2.1")
    assert str(failure.value) == 'VirusTotal refuses the API key of asset "vt"'


def test_a_used_up_quota_is_told(server: WebServer) -> None:
    with pytest.raises(ActionFailure) as failure:
        virustotal.test_connectivity.function(asset(server))
    assert str(failure.value) == 'The quota of the API key of asset "vt" is used up'


def test_another_refusal_has_virustotals_words(server: WebServer) -> None:
    with pytest.raises(ActionFailure) as failure:
        ip_reputation.function(asset(server), "x")
    assert str(failure.value) == (
        f"VirusTotal at {server.url} refused: 400 Bad Request: Invalid IP address"
    )


@pytest.mark.parametrize("value", ["", "x", f"{MD5}0", f"{MD5}/comments"])
def test_what_is_no_hash_is_not_asked(value: str, server: WebServer) -> None:
    with pytest.raises(ActionFailure) as failure:
        file_reputation.function(asset(server), value)
    assert str(failure.value) == f'"{value}" is not an MD5, SHA-1 or SHA-256'
    assert server.requests == []


def test_a_term_stays_one_part_of_the_path(server: WebServer) -> None:
    with pytest.raises(ActionFailure, match="does not know"):
        domain_reputation.function(asset(server), "../users?x=1")
    assert server.requests[0].path == "/api/v3/domains/..%2Fusers%3Fx%3D1"


@pytest.mark.parametrize("body", ["[]", '{"data": 7}', '{"data": {"attributes": []}}'])
def test_an_answer_that_is_not_virustotals_is_told(body: str) -> None:
    with (
        serving(lambda it: it.reply(200, body)) as server,
        pytest.raises(ActionFailure) as failure,
    ):
        ip_reputation.function(asset(server), "192.0.2.1")
    assert str(failure.value) == (
        f"VirusTotal at {server.url} did not answer as VirusTotal does: {body}"
    )


def test_connectivity_is_tested_with_the_key() -> None:
    with serving(lambda it: it.reply(200, {"data": {}})) as server:
        result = virustotal.test_connectivity.function(asset(server))
    assert result.message == f"VirusTotal at {server.url} takes the API key"
    assert server.requests[0].headers["x-apikey"] == KEY
