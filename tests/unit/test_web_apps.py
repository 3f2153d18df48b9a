"""What all apps that speak HTTP have in common: each against a real server on loopback."""

from __future__ import annotations

import ipaddress
import socket
from base64 import b64encode
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

import pytest
import trustme
from pydantic import ValidationError

from prefect_phantom import ActionFailure, ActionResult, Asset
from prefect_phantom.apps import http, rdap, slack, virustotal, webhook
from prefect_phantom.apps._web import networks
from prefect_phantom.apps._web.networks import PUBLIC, kind_of
from tests.unit.web_server import (
    Exchange,
    dripping_body,
    dripping_head,
    serving,
    silent,
)

SECRET = "kept-to-ourselves"


@dataclass
class App:
    name: str
    server: str
    """Who is asked, as its sentences begin."""
    call: Callable[[str, dict[str, Any]], ActionResult]


def ask_rdap(url: str, settings: dict[str, Any]) -> ActionResult:
    asset = Asset(1, "rdap", "RDAP", rdap.Settings(base_url=url, **settings))
    return rdap.whois_ip.function(asset, "192.0.2.1")


def ask_http(url: str, settings: dict[str, Any]) -> ActionResult:
    given = http.Settings(
        base_url=url, auth_token_name="x-token", auth_token=SECRET, redirects=3, **settings
    )
    return http.get_data.function(Asset(1, "http", "HTTP", given), "thing")


def ask_virustotal(url: str, settings: dict[str, Any]) -> ActionResult:
    given = virustotal.Settings(api_key=SECRET, base_url=url, **settings)
    asset = Asset(1, "vt", "VirusTotal", given)
    return virustotal.ip_reputation.function(asset, "192.0.2.1")


def ask_slack(url: str, settings: dict[str, Any]) -> ActionResult:
    asset = Asset(1, "slack", "Slack", slack.Settings(bot_token=SECRET, base_url=url, **settings))
    return slack.send_message.function(asset, "#soc", "hello")


def ask_webhook(url: str, settings: dict[str, Any]) -> ActionResult:
    given = webhook.Settings(url=f"{url}/{SECRET}", secret=SECRET, **settings)
    return webhook.send_webhook.function(Asset(1, "hook", "Webhook", given), {"a": 1})


APPS = [
    App("RDAP", "The RDAP server", ask_rdap),
    App("HTTP", "The HTTP server", ask_http),
    App("VirusTotal", "VirusTotal", ask_virustotal),
    App("Slack", "Slack", ask_slack),
    App("Webhook", "The webhook's server", ask_webhook),
]
every_app = pytest.mark.parametrize("app", APPS, ids=lambda app: app.name)


def failure(app: App, url: str, **settings: object) -> str:
    with pytest.raises(ActionFailure) as raised:
        app.call(url, settings)
    assert SECRET not in str(raised.value)
    assert raised.value.__cause__ is None  # nothing else is told with it, such as a header's value
    return str(raised.value)


@pytest.mark.attack(
    "a server that an action asks sends a byte at a time, without end",
    "given up when the asset's time is over",
)
@every_app
@pytest.mark.parametrize("slow", [silent, dripping_head, dripping_body], ids=lambda it: it.__name__)
def test_a_slow_server_is_given_up_when_the_time_is_over(app: App, slow: Any) -> None:
    with serving(slow) as server:
        told = failure(app, server.url, timeout_seconds=0.3)
    assert told == f"{app.server} at {server.url} did not answer within 0.3 seconds"


@every_app
def test_a_server_that_is_not_there_cannot_be_reached(app: App) -> None:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))  # bound, and not listening
        url = f"http://127.0.0.1:{probe.getsockname()[1]}"
        told = failure(app, url)
    assert told == f"{app.server} at {url} cannot be reached: Connection refused"


@pytest.mark.attack(
    "a server that an action asks shows a certificate of its own",
    "refused before any secret is sent",
)
@every_app
def test_a_certificate_by_nobody_known_is_not_trusted(app: App) -> None:
    certificate = trustme.CA().issue_cert("127.0.0.1")
    with serving(silent, certificate) as server:
        told = failure(app, server.url)
    assert told == (
        f"{app.server} at {server.url} cannot be reached: "
        "its certificate is not trusted: unable to get local issuer certificate"
    )
    assert server.requests == []  # so no secret was sent


@every_app
def test_a_certificate_for_another_host_is_not_trusted(app: App, tmp_path: Any) -> None:
    authority = trustme.CA()
    authority.cert_pem.write_to_path(str(tmp_path / "ca.pem"))
    with serving(silent, authority.issue_cert("192.0.2.1")) as server:
        told = failure(app, server.url, ca_file=tmp_path / "ca.pem")
    assert told == (
        f"{app.server} at {server.url} cannot be reached: its certificate is not trusted: "
        "IP address mismatch, certificate is not valid for '127.0.0.1'"
    )


@every_app
@pytest.mark.parametrize("checked", [True, False])
def test_a_certificate_is_taken_when_the_asset_says_so(
    app: App, checked: bool, tmp_path: Any
) -> None:
    authority = trustme.CA()
    authority.cert_pem.write_to_path(str(tmp_path / "ca.pem"))
    settings = {"ca_file": tmp_path / "ca.pem"} if checked else {"verify_certificate": False}
    with serving(lambda it: it.reply(418), authority.issue_cert("127.0.0.1")) as server:
        failure(app, server.url, **settings)
    assert len(server.requests) == 1


@pytest.mark.attack(
    "a server that an action asks pours out an answer without end", "cut off at the asset's limit"
)
@every_app
def test_an_answer_without_end_is_cut_off(app: App) -> None:
    def pour(exchange: Exchange) -> None:
        exchange.wfile.write(b"HTTP/1.1 200 OK\r\n\r\n")
        while True:  # until the client hangs up
            exchange.wfile.write(b"x" * 65536)

    with serving(pour) as server:
        told = failure(app, server.url, largest_answer=100_000)
    assert told == f"{app.server} at {server.url} answered with more than 100000 bytes"


@every_app
def test_what_does_not_speak_http_is_told_so(app: App) -> None:
    with serving(lambda it: it.wfile.write(b"220 mail.example ESMTP\r\n")) as server:
        told = failure(app, server.url)
    assert told.startswith(f"{app.server} at {server.url} did not answer in HTTP: ")


@pytest.mark.attack("a server that an action asks repeats the asset's secret", "stars in its place")
@every_app
def test_a_secret_that_the_server_repeats_is_hidden(app: App) -> None:
    with serving(lambda it: it.reply(500, f"no {SECRET} here, {SECRET}")) as server:
        told = failure(app, server.url)
    if app.name != "RDAP":  # which has none, and tells nothing that is not RDAP
        assert "no ******** here, ********" in told


ESCAPED = "".join(f"\\u{ord(each):04x}" for each in SECRET)


@pytest.mark.attack(
    "a server that an action asks repeats the asset's secret in disguise: in the reason, in names "
    "of headers, escaped as JSON allows, percent-encoded, as HTML, in base64",
    "stars in its place",
)
@pytest.mark.parametrize("app", APPS[1:], ids=lambda app: app.name)  # RDAP has none
def test_a_secret_in_disguise_is_hidden(app: App) -> None:
    disguises = [ESCAPED, quote(SECRET).replace("-", "%2D"), SECRET.replace("t", "&#116;")]
    disguises += [b64encode(SECRET.encode()).decode(), "\0".join(SECRET)]
    for disguise in disguises:

        def repeat(exchange: Exchange, said: str = disguise) -> None:
            exchange.send_response(500, SECRET)
            exchange.send_header(f"x-{SECRET}", SECRET)
            exchange.end_headers()
            exchange.wfile.write(f'{{"error": "{said}", "message": "{said}"}}'.encode())

        with serving(repeat) as server:
            told = failure(app, server.url)
        assert "500 ********" in told
        assert disguise.replace("\0", "") not in told


@pytest.mark.parametrize("app", APPS[1:], ids=lambda app: app.name)
def test_looking_for_secrets_is_given_up_when_the_time_is_over(app: App) -> None:
    answer = b"%" + b"25" * 1_000_000 + b"%25" * 600_000
    with serving(lambda it: it.reply(500, answer)) as server:
        told = failure(app, server.url, timeout_seconds=0.3)
    assert told in {
        f"The answer of {app.server} at {server.url} could not be read within 0.3 seconds",
        f"{app.server} at {server.url} did not answer within 0.3 seconds",  # on a slow machine
    }


@every_app
def test_a_secret_is_hidden_before_an_excerpt_is_cut(app: App) -> None:
    with serving(lambda it: it.reply(500, "x" * 190 + SECRET)) as server:
        assert SECRET[:8] not in failure(app, server.url)


@pytest.mark.attack(
    "an action is to ask a server outside of the networks that its asset names",
    "no connection is made",
)
@every_app
def test_an_asset_reaches_no_other_networks_than_it_names(app: App) -> None:
    with serving(lambda it: it.reply(418)) as server:
        told = failure(app, server.url, networks=["192.0.2.0/24", "::1/128"])
        assert told == (
            f"{app.server} at {server.url} cannot be reached: "
            "127.0.0.1 is in none of the asset's networks"
        )
        named = server.url.replace("127.0.0.1", "localhost")
        assert "none of the asset's networks" in failure(app, named, networks=["192.0.2.0/24"])
        assert server.requests == []
        assert "418" in failure(app, server.url, networks=["127.0.0.0/8"])


@every_app
def test_networks_and_a_proxy_do_not_go_together(app: App) -> None:
    with pytest.raises(ValidationError, match="networks cannot be given beside a proxy"):
        app.call("http://127.0.0.1", {"networks": ["10.0.0.0/8"], "proxy": "http://127.0.0.1:1"})


follows_redirects = pytest.mark.parametrize("app", APPS[:2], ids=lambda app: app.name)


@pytest.mark.attack(
    "a public server redirects an action to a loopback, link-local or private address, by a name "
    "that leads there, too",
    "not followed; nothing is sent",
)
@follows_redirects
@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "[::ffff:127.0.0.1]", "0.0.0.0"])
def test_a_public_server_leads_to_no_nearer_address(
    app: App, host: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    far = ipaddress.ip_address("127.0.0.2")
    monkeypatch.setattr(networks, "kind_of", lambda it: PUBLIC if it == far else kind_of(it))
    with serving(lambda it: it.reply(200, {})) as near:
        target = f"http://{host}:{near.port}"
        redirect = lambda it: it.reply(302, location=target)  # noqa: E731
        with serving(redirect, address="127.0.0.2") as server:
            told = failure(app, server.url)
    assert near.requests == []
    assert told.startswith(f"{app.server} at {target} cannot be reached: a server at a public ")


@follows_redirects
def test_a_redirect_to_a_server_as_near_is_followed(app: App) -> None:
    with serving(lambda it: it.reply(404)) as other:
        redirect = lambda it: it.reply(302, location=other.url)  # noqa: E731
        with serving(redirect, address="127.0.0.2") as server:
            failure(app, server.url)
    assert len(other.requests) == 1


@follows_redirects
def test_a_proxy_follows_no_redirect_to_a_nearer_address(app: App) -> None:
    redirect = lambda it: it.reply(302, location="http://169.254.169.254/latest/")  # noqa: E731
    with serving(redirect) as proxy:
        told = failure(app, "http://198.41.0.4", proxy=proxy.url)
    assert len(proxy.requests) == 1
    assert told.endswith("redirects to 169.254.169.254, a link-local address")


@every_app
def test_a_missing_file_of_authorities_is_named(app: App, tmp_path: Any) -> None:
    told = failure(app, "https://127.0.0.1:1", ca_file=tmp_path / "gone.pem")
    assert told == (
        f"The certificate authorities in {tmp_path / 'gone.pem'} cannot be read: "
        "No such file or directory"
    )
