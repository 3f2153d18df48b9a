from __future__ import annotations

import json
from collections.abc import Iterator

import pytest

from prefect_phantom import ActionFailure, Asset
from prefect_phantom.apps import rdap
from prefect_phantom.apps.rdap import Settings, whois_domain, whois_ip
from tests.unit.web_server import Exchange, WebServer, serving

NETWORK = {
    "rdapConformance": ["rdap_level_0", "cidr0"],
    "objectClassName": "ip network",
    "handle": "NET-192-0-2-0-1",
    "startAddress": "192.0.2.0",
    "endAddress": "192.0.2.255",
    "ipVersion": "v4",
    "name": "EXWI-NET",
    "type": "DIRECT ALLOCATION",
    "country": "US",
    "cidr0_cidrs": [{"v4prefix": "192.0.2.0", "length": 24}],
    "arin_originas0_originautnums": [64496],
    "port43": "whois.arin.net",
    "entities": [
        {
            "objectClassName": "entity",
            "handle": "EXWI",
            "roles": ["registrant"],
            "vcardArray": [
                "vcard",
                [["version", {}, "text", "4.0"], ["fn", {}, "text", "Example Widgets, Inc."]],
            ],
            "entities": [
                {
                    "objectClassName": "entity",
                    "roles": ["abuse"],
                    "vcardArray": ["vcard", [["email", {}, "text", "abuse@example.com"]]],
                }
            ],
        }
    ],
}
DOMAIN = {
    "rdapConformance": ["rdap_level_0"],
    "objectClassName": "domain",
    "ldhName": "EXAMPLE.COM",
    "status": ["client delete prohibited"],
    "events": [
        {"eventAction": "registration", "eventDate": "1995-08-14T04:00:00Z"},
        {"eventAction": "expiration", "eventDate": "2030-08-13T04:00:00Z"},
    ],
    "nameservers": [{"objectClassName": "nameserver", "ldhName": "A.IANA-SERVERS.NET"}],
    "secureDNS": {"delegationSigned": True},
    "entities": [
        {
            "objectClassName": "entity",
            "roles": ["registrar"],
            "vcardArray": ["vcard", [["fn", {}, "text", "Sample Registrar"]]],
        },
        {
            "objectClassName": "entity",
            "roles": ["registrant"],
            "vcardArray": [
                "vcard",
                [["fn", {}, "text", "Hostmaster"], ["org", {}, "text", "Example Widgets, Inc."]],
            ],
        },
    ],
}
KNOWN = {"/ip/192.0.2.1": NETWORK, "/domain/example.com": DOMAIN, "/help": {"notices": []}}


def answer(exchange: Exchange) -> None:
    found = KNOWN.get(exchange.path)
    exchange.reply(200 if found else 404, json.dumps(found), content_type="application/rdap+json")


@pytest.fixture
def server() -> Iterator[WebServer]:
    with serving(answer) as found:
        yield found


def asset(server: WebServer) -> Asset[Settings]:
    return Asset(1, "registry", "RDAP", Settings(base_url=f"{server.url}/"))


def test_an_address_is_told_as_by_whois(server: WebServer) -> None:
    result = whois_ip.function(asset(server), " 192.0.2.1 ")
    assert result.message == (
        "Registry: arin\nASN: 64496\nCountry: US\nNets:\nRange: 192.0.2.0 - 192.0.2.255\n"
        "Name: EXWI-NET\nOrganization: Example Widgets, Inc."
    )
    assert result.summary == {
        "registry": "arin",
        "asn": "64496",
        "country_code": "US",
        "network": [{"start_address": "192.0.2.0", "end_address": "192.0.2.255"}],
    }
    assert result.data == [
        {
            "query": "192.0.2.1",
            "network": {
                "start_address": "192.0.2.0",
                "end_address": "192.0.2.255",
                "cidr": "192.0.2.0/24",
                "name": "EXWI-NET",
                "handle": "NET-192-0-2-0-1",
                "type": "DIRECT ALLOCATION",
                "country": "US",
            },
            "organization": "Example Widgets, Inc.",
            "abuse_email": "abuse@example.com",
            "raw": NETWORK,
        }
    ]
    (request,) = server.requests
    assert (request.path, request.headers["accept"]) == ("/ip/192.0.2.1", "application/rdap+json")


def test_a_domain_has_the_facts_that_whois_has_by_the_same_names(server: WebServer) -> None:
    result = whois_domain.function(asset(server), "https://www.Example.com/x")
    assert result.message == (
        "Organization: Example Widgets, Inc.\nDomain: example.com\nName: Hostmaster"
    )
    assert result.summary == {"organization": "Example Widgets, Inc.", "city": "", "country": ""}
    (row,) = result.data
    assert row["registrar"] == "Sample Registrar"
    assert row["created"] == "1995-08-14T04:00:00"
    assert row["name_servers"] == ["A.IANA-SERVERS.NET"]
    assert row["raw"] == DOMAIN
    assert json.loads(json.dumps(result.data)) == result.data


def test_the_usual_server_redirects_to_the_registry_in_charge(server: WebServer) -> None:
    def redirect(exchange: Exchange) -> None:
        exchange.reply(302, location=f"{server.url}{exchange.path}")

    with serving(redirect) as bootstrap:
        result = whois_ip.function(asset(bootstrap), "192.0.2.1")
    assert result.summary["registry"] == "arin"
    assert server.requests[0].headers["accept"] == "application/rdap+json"


def test_a_server_that_redirects_for_ever_is_given_up() -> None:
    with (
        serving(lambda it: it.reply(302, location=it.path)) as server,
        pytest.raises(ActionFailure) as failure,
    ):
        whois_ip.function(asset(server), "192.0.2.1")
    assert str(failure.value) == (f"The RDAP server at {server.url} redirects more than 5 times")
    assert len(server.requests) == 6


@pytest.mark.parametrize(
    ("look_up", "term"), [(whois_ip, "198.51.100.1"), (whois_domain, "example.org")]
)
def test_what_the_server_does_not_know_is_a_failure(
    look_up: object, term: str, server: WebServer
) -> None:
    with pytest.raises(ActionFailure) as failure:
        look_up.function(asset(server), term)  # type: ignore[attr-defined]
    assert str(failure.value) == f"Nothing found: the RDAP server has no record of {term}"


def test_a_refusal_is_told() -> None:
    with (
        serving(lambda it: it.reply(429)) as server,
        pytest.raises(ActionFailure) as failure,
    ):
        whois_ip.function(asset(server), "192.0.2.1")
    assert str(failure.value) == (f"The RDAP server at {server.url} refused: 429 Too Many Requests")


@pytest.mark.parametrize(
    "body",
    [
        {"objectClassName": "domain"},
        {"objectClassName": "ip network", "entities": 7},
        {"objectClassName": "ip network", "cidr0_cidrs": ["x"]},
        {"objectClassName": "ip network", "entities": [{"roles": ["registrant"], "vcardArray": 1}]},
        [],
        "null",
    ],
)
def test_an_answer_that_is_not_rdap_is_told(body: object) -> None:
    with (
        serving(lambda it: it.reply(200, body)) as server,
        pytest.raises(ActionFailure) as failure,
    ):
        whois_ip.function(asset(server), "192.0.2.1")
    assert str(failure.value).startswith(
        f"The RDAP server at {server.url} did not answer in RDAP: "
    )


@pytest.mark.parametrize("body", [{"objectClassName": "domain"}, {**DOMAIN, "events": [{}]}])
def test_a_domain_that_is_not_rdap_is_told(body: object) -> None:
    with (
        serving(lambda it: it.reply(200, body)) as server,
        pytest.raises(ActionFailure, match="did not answer in RDAP"),
    ):
        whois_domain.function(asset(server), "example.com")


def test_a_web_page_is_not_json() -> None:
    with (
        serving(lambda it: it.reply(200, "<html>Welcome to  our\nsite")) as server,
        pytest.raises(ActionFailure) as failure,
    ):
        whois_ip.function(asset(server), "192.0.2.1")
    assert str(failure.value) == (
        f"The RDAP server at {server.url} did not answer in JSON: <html>Welcome to our site"
    )


@pytest.mark.parametrize("value", ["", "example.com", "1.2.3.4/../x"])
def test_what_is_not_an_address_is_not_asked(value: str, server: WebServer) -> None:
    with pytest.raises(ActionFailure) as failure:
        whois_ip.function(asset(server), value)
    assert str(failure.value) == f'"{value}" is not an IP address'
    assert server.requests == []


def test_connectivity_is_tested_with_the_help_page(server: WebServer) -> None:
    assert rdap.test_connectivity.function(asset(server)).message == (
        f"The RDAP server at {server.url} answers"
    )
    assert server.requests[0].path == "/help"
