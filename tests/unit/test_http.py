from __future__ import annotations

import gzip
import json
from base64 import b64encode
from typing import Any

import pytest
import trustme
from pydantic import ValidationError

from prefect_phantom import ActionFailure, Asset
from prefect_phantom.apps import http
from prefect_phantom.apps.http import Settings, delete_data, get_data, post_data, put_data
from tests.unit.web_server import Exchange, WebServer, serving


def asset(server: WebServer, path: str = "", **settings: Any) -> Asset[Settings]:
    return Asset(1, "service", "HTTP", Settings(base_url=server.url + path, **settings))


def echo(exchange: Exchange) -> None:
    exchange.reply(
        200,
        {
            "method": exchange.command,
            "path": exchange.path,
            "headers": {name.lower(): value for name, value in exchange.headers.items()},
            "body": exchange.body.decode(),
        },
    )


def test_data_is_got_in_the_vendors_shape() -> None:
    with serving(echo) as server:
        result = get_data.function(asset(server, "/api"), "/things?kind=a%20b", {"x-more": "1"})
    assert result.message == "Status code: 200, Reason: OK"
    assert result.summary == {"status_code": 200, "reason": "OK"}
    (row,) = result.data
    assert row["location"] == f"{server.url}/api/things?kind=a%20b"
    assert row["method"] == "GET"
    assert row["response_headers"]["content-type"] == "application/json"
    assert json.loads(row["response_body"]) == row["parsed_response_body"]
    assert row["parsed_response_body"]["path"] == "/api/things?kind=a%20b"
    assert row["parsed_response_body"]["headers"]["x-more"] == "1"


def test_what_is_not_json_is_told_as_a_text_alone() -> None:
    with serving(lambda it: it.reply(200, "caf\u00e9 \x00".encode() + b"\xff")) as server:
        (row,) = get_data.function(asset(server), "").data
    assert row["response_body"] == "caf\u00e9 \ufffd"
    assert "parsed_response_body" not in row


@pytest.mark.parametrize(
    ("send", "method"), [(post_data, "POST"), (put_data, "PUT"), (delete_data, "DELETE")]
)
def test_a_body_is_sent_as_json_where_it_is_json(send: Any, method: str) -> None:
    with serving(echo) as server:
        (first,) = send.function(asset(server), "x", '{"a": "\u00e9"}').data
        (second,) = send.function(asset(server), "x", "a=b", '{"Content-Type": "text/x"}').data
    said = first["parsed_response_body"]
    assert (said["method"], said["body"]) == (method, '{"a": "\u00e9"}')
    assert said["headers"]["content-type"] == "application/json"
    said = second["parsed_response_body"]
    assert (said["body"], said["headers"]["content-type"]) == ("a=b", "text/x")


def test_credentials_of_the_asset_are_sent_and_come_back_in_no_answer() -> None:
    given = {
        "username": "analyst",
        "password": "correct horse",
        "auth_token_name": "ph-auth-token",
        "auth_token": "Bearer abcdef",
    }
    basic = b64encode(b"analyst:correct horse").decode()
    with serving(echo) as server:
        result = get_data.function(asset(server, **given), "x")
        (request,) = server.requests
    assert request.headers["authorization"] == f"Basic {basic}"
    assert request.headers["ph-auth-token"] == "Bearer abcdef"
    for secret in (basic, "abcdef", "correct horse"):
        assert secret not in result.model_dump_json()


def test_a_refusal_is_told_with_the_beginning_of_its_body() -> None:
    with (
        serving(lambda it: it.reply(403, "You may not\n" + "x" * 500)) as server,
        pytest.raises(ActionFailure) as failure,
    ):
        get_data.function(asset(server), "secret")
    assert str(failure.value) == (
        f"The HTTP server at {server.url} refused: 403 Forbidden: You may not {'x' * 188}..."
    )


def test_redirects_are_followed_so_far() -> None:
    def count_down(exchange: Exchange) -> None:
        left = int(exchange.path.strip("/"))
        exchange.reply(302, location=f"/{left - 1}") if left else exchange.reply(200, "there")

    with serving(count_down) as server:
        (row,) = get_data.function(asset(server, redirects=3), "3").data
        assert (row["location"], row["response_body"]) == (f"{server.url}/0", "there")
        with pytest.raises(ActionFailure) as failure:
            get_data.function(asset(server, redirects=3), "4")
        assert str(failure.value) == (
            f"The HTTP server at {server.url} redirects more than 3 times"
        )
        with pytest.raises(ActionFailure) as failure:
            get_data.function(asset(server, redirects=0), "1")
        assert str(failure.value).endswith("refused: 302 Found: its answer was empty")


@pytest.mark.attack(
    "a server redirects an action to another one",
    "followed without the asset's secrets and the caller's headers",
)
def test_credentials_go_to_no_other_server_that_redirects_name() -> None:
    secrets = {"auth_token_name": "x-token", "auth_token": "abcdef", "username": "analyst"}
    with serving(echo) as other, serving(lambda it: it.reply(307, location=other.url)) as first:
        post_data.function(asset(first, **secrets), "x", "{}", {"x-key": "theirs"})
    sent = other.requests[0].headers
    assert not {"x-token", "authorization", "x-key"} & {name.lower() for name in sent}
    assert (other.requests[0].body, sent["content-type"]) == (b"{}", "application/json")


def test_a_redirect_from_tls_to_clear_text_is_not_followed(tmp_path: Any) -> None:
    authority = trustme.CA()
    authority.cert_pem.write_to_path(str(tmp_path / "ca.pem"))
    certificate = authority.issue_cert("127.0.0.1")
    with serving(echo) as other:
        redirect = lambda it: it.reply(302, location=other.url)  # noqa: E731
        with serving(redirect, certificate) as server, pytest.raises(ActionFailure) as failure:
            get_data.function(asset(server, ca_file=tmp_path / "ca.pem"), "x")
    assert str(failure.value) == (
        f"The HTTP server at {server.url} redirects to a server without TLS"
    )
    assert other.requests == []


@pytest.mark.attack(
    "a `location` of `get data` that leads above or beside the asset's URL",
    "refused; nothing is sent",
)
@pytest.mark.parametrize(
    "location",
    [
        "../admin",
        "a/../../admin",
        "%2e%2e/admin",
        "a/%2E./..%2fadmin",
        "http://192.0.2.1/api/x",
        "https://127.0.0.1/api/x",
        "x/..;/y",
        "x/..;a=b/y",
        "\\..\\x",
        "x\\../../y",
        "%252e%252e/x",
        "%25252e%25252e%25252fx",
        "x/..%5cy",
        "x/%2e%2e%3b/y",
        "x/..%09/y",
        "x/.%00./y",
        "x/..%20/y",
        "\uff0e\uff0e/x",
        "x/%e2%80%a5/y",
        "x/.\u200b./y",
    ],
)
def test_a_location_leads_nowhere_but_below_the_base_url(location: str) -> None:
    with serving(echo) as server, pytest.raises(ActionFailure) as failure:
        get_data.function(asset(server, "/api"), location)
    assert str(failure.value) == f'The location "{location}" is not below {server.url}/api'
    assert server.requests == []


@pytest.mark.parametrize("location", ["//192.0.2.1/x", "@192.0.2.1/x", ":80@192.0.2.1", "?a=../b"])
def test_a_location_is_always_a_path(location: str) -> None:
    with serving(echo) as server:
        get_data.function(asset(server, "/api"), location)
    assert server.requests[0].path.startswith("/api/")


def test_the_whole_url_may_be_given_where_it_is_below_the_base() -> None:
    with serving(echo) as server:
        get_data.function(asset(server, "/api"), f"{server.url}/api/x?y=1")
    assert server.requests[0].path == "/api/x?y=1"


@pytest.mark.parametrize("location", ["a\nb", "\x00"])
def test_what_is_no_part_of_a_url_is_not_asked(location: str) -> None:
    with serving(echo) as server, pytest.raises(ActionFailure) as failure:
        get_data.function(asset(server), location)
    assert str(failure.value) == f'The location "{location}" is not part of a URL'


@pytest.mark.parametrize("headers", [{"x-a": "1\r\nx-b: 2"}, {"x a": "1"}, {"x-a": "\u20ac"}])
def test_a_header_that_is_none_is_not_sent(headers: dict[str, str]) -> None:
    with serving(echo) as server, pytest.raises(ActionFailure) as failure:
        get_data.function(asset(server), "x", headers)
    assert str(failure.value) == (
        "The request cannot be sent: its address or a header is not as HTTP wants it"
    )
    assert server.requests == []


@pytest.mark.attack(
    "a header of an action that would steer the connection: host, length, transfer-encoding ...",
    "refused; nothing is sent",
)
@pytest.mark.parametrize(
    "name",
    [
        *("Host", "content-length", "Content_Length", "TRANSFER-ENCODING", "transfer_encoding"),
        *("Connection", "keep-alive", "TE", "Trailer", "Upgrade", "Expect", "HTTP2-Settings"),
        *("Proxy-Authorization", "proxy-connection", " host "),
    ],
)
def test_a_header_of_the_connection_is_not_for_callers_to_give(name: str) -> None:
    for headers in ({name: "x"}, json.dumps({name: "x"})):
        with serving(echo) as server, pytest.raises(ActionFailure) as failure:
            post_data.function(asset(server), "x", "{}", headers)
        assert str(failure.value) == f'The header "{name}" is not for callers to give'
        assert server.requests == []


@pytest.mark.parametrize("name", ["x\r\ny", "x\ny: z", "x:y", "", "\u00e9"])
def test_the_name_of_a_header_is_one_word(name: str) -> None:
    with serving(echo) as server, pytest.raises(ActionFailure, match="cannot be sent"):
        get_data.function(asset(server), "x", {name: "1"})
    assert server.requests == []


@pytest.mark.attack(
    "a server repeats the asset's secret where an answer came from, in a redirect",
    "stars in its place",
)
def test_a_secret_in_the_location_of_an_answer_is_hidden() -> None:
    def redirect(exchange: Exchange) -> None:
        if "there" in exchange.path:
            exchange.reply(200, {"correct-horse": ["correct-hors\\u0065", "correct%2Dhorse"]})
        else:
            exchange.reply(302, location="/there/correct%2dhorse?correct-horse")

    with serving(redirect) as server:
        result = get_data.function(
            asset(server, auth_token_name="x-token", auth_token="correct-horse"), "x"
        )
    (row,) = result.data
    assert row["location"] == f"{server.url}/there/********?********"
    assert row["parsed_response_body"] == {"********": ["********", "********"]}
    assert "horse" not in result.model_dump_json()


@pytest.mark.parametrize("headers", ["x", "[]", '"a"'])
def test_headers_as_a_text_are_the_json_of_an_object(headers: str) -> None:
    with serving(echo) as server, pytest.raises(ActionFailure) as failure:
        get_data.function(asset(server), "x", headers)
    assert str(failure.value) == "The headers are not the JSON text of an object"


@pytest.mark.attack(
    "a small answer to an action that unfolds to a large one", "cut off at the asset's limit"
)
def test_a_compressed_answer_is_bounded_as_it_unfolds() -> None:
    bomb = gzip.compress(b"0" * 10_000_000)
    with (
        serving(lambda it: it.reply(200, bomb, content_encoding="gzip")) as server,
        pytest.raises(ActionFailure, match="answered with more than 1000000 bytes"),
    ):
        get_data.function(asset(server, largest_answer=1_000_000), "x")
    assert server.requests[0].headers["accept-encoding"] == "identity"


def test_a_base_url_holds_no_password() -> None:
    with pytest.raises(ValidationError, match="into username and password"):
        Settings(base_url="https://analyst:pw@192.0.2.1")


def test_connectivity_is_tested_with_the_test_path() -> None:
    with serving(echo) as server:
        result = http.test_connectivity.function(asset(server, test_path="health"))
    assert result.message == f"The HTTP server at {server.url} answers: 200 OK"
    assert server.requests[0].path == "/health"
