"""App Slack, against a server on loopback that speaks as Slack's Web API and webhooks do."""

from __future__ import annotations

import html
import json
from collections.abc import Iterator
from typing import Any

import pytest

from prefect_phantom import ActionFailure, Asset, AssetMisconfiguration
from prefect_phantom.apps import slack
from prefect_phantom.apps.slack import Settings, post_webhook, send_message
from tests.unit.web_server import Exchange, WebServer, serving

TOKEN = "xoxb-1-kept"
HOOK = "/services/T0/B0/kept"


def answer(exchange: Exchange) -> None:
    body = json.loads(exchange.body)
    if exchange.path == HOOK:
        known = body.get("text") or body.get("blocks")
        exchange.reply(200, "ok") if known else exchange.reply(400, "no_text")
    elif exchange.path.startswith("/services/"):
        exchange.reply(404, "no_service")
    elif exchange.headers["authorization"] != f"Bearer {TOKEN}":
        exchange.reply(200, {"ok": False, "error": "invalid_auth"})
    elif exchange.path == "/api/auth.test":
        exchange.reply(200, {"ok": True, "user": "soarbot", "team": "SOC"})
    elif body["channel"] == "#busy":
        exchange.reply(429, {"ok": False, "error": "ratelimited"}, retry_after="30")
    elif body["channel"] != "#soc":
        exchange.reply(200, {"ok": False, "error": "channel_not_found"})
    else:
        found = {"ok": True, "channel": "C1", "ts": "1503435956.000247", "message": body}
        exchange.reply(200, found)


@pytest.fixture
def server() -> Iterator[WebServer]:
    with serving(answer) as found:
        yield found


def asset(server: WebServer, **settings: Any) -> Asset[Settings]:
    given = {"bot_token": TOKEN, "base_url": f"{server.url}/api", **settings}
    return Asset(1, "soc", "Slack", Settings(**given))


def test_a_message_is_posted_as_the_bot(server: WebServer) -> None:
    result = send_message.function(asset(server), "#soc", "Fire *now*")
    assert result.message == "Message sent"
    assert result.summary == {"channel_id": "C1", "message_ts": "1503435956.000247"}
    assert result.data[0]["message"] == {"channel": "#soc", "text": "Fire *now*"}
    assert server.requests[0].path == "/api/chat.postMessage"


def test_a_message_may_have_blocks_and_answer_in_a_thread(server: WebServer) -> None:
    blocks = [{"type": "divider"}]
    send_message.function(
        asset(server), "#soc", "in short", json.dumps(blocks), "1.2", reply_broadcast=True
    )
    assert json.loads(server.requests[0].body) == {
        "channel": "#soc",
        "text": "in short",
        "blocks": blocks,
        "thread_ts": "1.2",
        "reply_broadcast": True,
    }


MENTIONS = "<!channel> <@U1> <#C1> <!subteam^S1> <https://evil.example|https://bank.example> a & b"


@pytest.mark.attack(
    "mentions and disguised links of Slack in a text that an action posts",
    "are text: nobody is called, nothing is a link",
)
def test_a_message_mentions_nobody_unless_it_is_markup(server: WebServer) -> None:
    given = asset(server, webhook_url=server.url + HOOK)
    blocks = json.dumps(
        [
            {"type": "section", "text": {"type": "mrkdwn", "text": f"*b* {MENTIONS}"}},
            {"type": "section", "fields": [{"type": "plain_text", "text": MENTIONS}]},
        ]
    )
    send_message.function(given, "#soc", MENTIONS, blocks)
    post_webhook.function(given, MENTIONS)
    post_webhook.function(given, MENTIONS, blocks, markup=True)
    first, second, third = (json.loads(request.body) for request in server.requests)
    assert first["text"] == second["text"] == html.escape(MENTIONS)
    assert first["blocks"][0]["text"]["text"] == (
        "*b* &lt;!channel> &lt;@U1> &lt;#C1> &lt;!subteam^S1> "
        "<https://evil.example|https://bank.example> a & b"
    )
    assert first["blocks"][1]["fields"][0]["text"] == MENTIONS
    assert (third["text"], third["blocks"]) == (MENTIONS, json.loads(blocks))


@pytest.mark.parametrize(
    ("channel", "token", "sentence"),
    [
        ("#gone", TOKEN, "Slack refuses the message: channel_not_found"),
        ("#soc", "xoxb-2", 'Slack refuses the bot token of asset "soc": invalid_auth'),
        ("#busy", TOKEN, "Slack takes no more messages for 30 seconds"),
    ],
)
def test_a_refusal_is_told_in_slacks_word(
    channel: str, token: str, sentence: str, server: WebServer
) -> None:
    with pytest.raises(ActionFailure) as failure:
        send_message.function(asset(server, bot_token=token), channel, "hello")
    assert str(failure.value) == sentence


@pytest.mark.parametrize(
    ("message", "blocks", "sentence"),
    [
        ("", "", "There is nothing to post: give a message or blocks"),
        ("", "{}", "The blocks are not the JSON text of a list"),
        ("", "[", "The blocks are not the JSON text of a list"),
    ],
)
def test_what_cannot_be_posted_is_not_sent(
    message: str, blocks: str, sentence: str, server: WebServer
) -> None:
    with pytest.raises(ActionFailure) as failure:
        send_message.function(asset(server), "#soc", message, blocks)
    assert str(failure.value) == sentence
    assert server.requests == []


def test_a_webhook_posts_to_its_channel(server: WebServer) -> None:
    given = asset(server, bot_token=None, webhook_url=server.url + HOOK)
    assert post_webhook.function(given, "hello").message == "Message sent"
    assert json.loads(server.requests[0].body) == {"text": "hello"}
    assert "authorization" not in server.requests[0].headers


def test_a_webhook_that_is_gone_is_told_without_its_url(server: WebServer) -> None:
    given = asset(server, webhook_url=f"{server.url}/services/T0/B0/gone")
    with pytest.raises(ActionFailure) as failure:
        post_webhook.function(given, "hello")
    assert str(failure.value) == "Slack refuses the message: no_service"


def test_an_asset_without_what_is_needed_says_so(server: WebServer) -> None:
    with pytest.raises(AssetMisconfiguration) as failure:
        post_webhook.function(asset(server), "hello")
    assert str(failure.value) == 'Asset "soc" has no webhook_url'
    with pytest.raises(AssetMisconfiguration) as failure:
        send_message.function(asset(server, bot_token=None), "#soc", "hello")
    assert str(failure.value) == 'Asset "soc" has no bot_token'


def test_connectivity_is_tested_with_the_token(server: WebServer) -> None:
    result = slack.test_connectivity.function(asset(server))
    assert result.message == "Slack knows the token as soarbot"
    assert server.requests[0].path == "/api/auth.test"
    with pytest.raises(ActionFailure, match="Only a post shows whether a webhook works"):
        slack.test_connectivity.function(asset(server, bot_token=None, webhook_url="http://x"))


def test_what_is_not_slack_is_told() -> None:
    with (
        serving(lambda it: it.reply(200, [])) as server,
        pytest.raises(ActionFailure) as failure,
    ):
        send_message.function(asset(server), "#soc", "hello")
    assert str(failure.value) == f"Slack at {server.url} did not answer as Slack does: []"
