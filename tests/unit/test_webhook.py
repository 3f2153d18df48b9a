from __future__ import annotations

import hashlib
import hmac
import json
import time
from base64 import b64decode, b64encode
from typing import Any

import pytest
from pydantic import ValidationError

from prefect_phantom import ActionFailure, Asset
from prefect_phantom.apps import webhook
from prefect_phantom.apps.webhook import Settings, send_webhook
from tests.unit.web_server import Exchange, WebServer, serving

KEY = b"\x00\x01 a key of bytes \xff"


def receiver(exchange: Exchange) -> None:
    """Checks the signature as standardwebhooks.com tells receivers to."""
    identifier, moment = exchange.headers["webhook-id"], exchange.headers["webhook-timestamp"]
    signed = f"{identifier}.{moment}.".encode() + exchange.body
    expected = b64encode(hmac.new(KEY, signed, hashlib.sha256).digest()).decode()
    given = exchange.headers.get("webhook-signature", "")
    fresh = abs(time.time() - int(moment)) < 300
    if fresh and hmac.compare_digest(given, f"v1,{expected}"):
        exchange.reply(202, {"taken": identifier})
    else:
        exchange.reply(401, "the signature does not fit")


def asset(server: WebServer, **settings: Any) -> Asset[Settings]:
    given = {"url": f"{server.url}/hooks/kept", "secret": f"whsec_{b64encode(KEY).decode()}"}
    return Asset(1, "hook", "Webhook", Settings(**{**given, **settings}))


def test_a_signed_event_is_taken_by_a_receiver_that_checks() -> None:
    with serving(receiver) as server:
        result = send_webhook.function(asset(server), {"id": 7, "who": "Zo\u00eb"}, "run.ended")
    (request,) = server.requests
    body = json.loads(request.body)
    assert (body["type"], body["data"]) == ("run.ended", {"id": 7, "who": "Zo\u00eb"})
    assert (request.path, request.headers["content-type"]) == ("/hooks/kept", "application/json")
    assert result.message == "Status code: 202, Reason: Accepted"
    assert result.summary == {"status_code": 202, "reason": "Accepted"}
    assert json.loads(result.data[0]["response_body"]) == {"taken": request.headers["webhook-id"]}


def test_two_events_have_two_ids() -> None:
    with serving(receiver) as server:
        for _ in range(2):
            send_webhook.function(asset(server), {})
    first, second = (request.headers["webhook-id"] for request in server.requests)
    assert first != second


def test_a_wrong_secret_is_refused_and_not_told() -> None:
    with serving(receiver) as server, pytest.raises(ActionFailure) as failure:
        send_webhook.function(asset(server, secret="another secret"), {})
    assert str(failure.value) == (
        f"The webhook's server at {server.url} refused: 401 Unauthorized: "
        "the signature does not fit"
    )


def test_without_a_secret_nothing_is_signed() -> None:
    with serving(lambda it: it.reply(204)) as server:
        send_webhook.function(asset(server, secret=None), {})
    assert "webhook-signature" not in server.requests[0].headers


def test_a_secret_as_a_text_signs_too() -> None:
    with serving(lambda it: it.reply(204)) as server:
        send_webhook.function(asset(server, secret="a text"), {})
    (request,) = server.requests
    signed = f"{request.headers['webhook-id']}.{request.headers['webhook-timestamp']}.".encode()
    expected = hmac.new(b"a text", signed + request.body, hashlib.sha256).digest()
    version, _, given = request.headers["webhook-signature"].partition(",")
    assert (version, b64decode(given)) == ("v1", expected)


@pytest.mark.parametrize("payload", [{"a": object()}, {"a": float("nan")}, {"a": {1, 2}}])
def test_what_is_not_json_is_not_sent(payload: dict[str, Any]) -> None:
    with (
        serving(receiver) as server,
        pytest.raises(ActionFailure, match=r"^The payload is not JSON"),
    ):
        send_webhook.function(asset(server), payload)
    assert server.requests == []


def test_a_secret_that_says_base64_must_be_it() -> None:
    with pytest.raises(ValidationError, match="what follows whsec_ is not base64"):
        Settings(url="https://hook.example", secret="whsec_%%%")


def test_connectivity_is_tested_with_an_event() -> None:
    with serving(receiver) as server:
        result = webhook.test_connectivity.function(asset(server))
    assert result.message == f"The webhook's server at {server.url} took the test: 202 Accepted"
    assert json.loads(server.requests[0].body)["type"] == "test"


@pytest.mark.parametrize("url", ["kept/secret", "ftp://h/kept", "https://", "http://[kept", ""])
def test_a_url_that_is_none_of_the_web_is_no_setting(url: str) -> None:
    with pytest.raises(ValidationError, match="not a URL that begins with https://") as failure:
        Settings(url=url)
    assert "kept" not in failure.value.errors()[0]["msg"]
