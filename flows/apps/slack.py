"""App Slack: messages to channels, by Slack's Web API or an incoming webhook."""

from __future__ import annotations

import html
import json
import re
from http import HTTPStatus
from typing import Annotated, Any

from pydantic import AnyHttpUrl, Field, SecretStr, field_validator

from prefect_phantom import ActionFailure, ActionResult, Asset, AssetMisconfiguration, action
from prefect_phantom.apps._web.exchange import Answer, WebSettings, exchange, web_address

APP = "Slack"
TOKEN_REFUSED = {"invalid_auth", "not_authed", "account_inactive", "token_revoked", "token_expired"}

Message = Annotated[str, Field(description="The text; `*bold*` and the like count")]
Blocks = Annotated[
    str, Field(description="The JSON text of a list of Slack's blocks, instead of plain text")
]
Markup = Annotated[
    bool,
    Field(
        description="Whether mentions and links in Slack's markup count, such as `<!channel>`; "
        "only for texts that nobody else has a part in"
    ),
]
MENTION = re.compile("<(?=[!@#])")


class Settings(WebSettings):
    """Settings of an asset of this app: a bot's token, a webhook, or both."""

    bot_token: SecretStr | None = Field(
        default=None, description="The bot's OAuth token, which may write to chats"
    )
    webhook_url: SecretStr | None = Field(
        default=None, description="URL of an incoming webhook; whoever knows it can post"
    )
    base_url: AnyHttpUrl = Field(
        default=AnyHttpUrl("https://slack.com/api"), description="Slack's Web API"
    )

    _is_web_address = field_validator("webhook_url")(web_address)


@action("test connectivity", app=APP, type="test")
def test_connectivity(asset: Asset[Settings]) -> ActionResult:
    """Ask Slack whose the bot's token is. A webhook cannot be tried without posting.

    Neither data nor summary.
    """
    if asset.settings.bot_token is None and asset.settings.webhook_url is not None:
        raise ActionFailure("Only a post shows whether a webhook works; there is no bot token")
    found = _call(asset, "auth.test", {})
    return ActionResult(message=f"Slack knows the token as {found.get('user')}")


@action("send message", app=APP, type="generic")
def send_message(
    asset: Asset[Settings],
    destination: Annotated[str, Field(description="Channel or user: #channel, @user or an id")],
    message: Message = "",
    blocks: Blocks = "",
    parent_message_ts: Annotated[
        str, Field(description="Time stamp of the message to answer in its thread")
    ] = "",
    reply_broadcast: Annotated[
        bool, Field(description="Whether an answer in a thread is shown in the channel too")
    ] = False,
    link_names: Annotated[
        bool, Field(description="Whether names of users and channels become links")
    ] = False,
    markup: Markup = False,
) -> ActionResult:
    """Post a message as the bot.

    One row of data: Slack's answer, with ``channel``, ``ts`` and ``message``. Summary:
    ``channel_id``, ``message_ts``.

    Raises:
        ActionFailure: there is nothing to post, or Slack refuses it or cannot be asked.

    """
    body: dict[str, Any] = {"channel": destination, **_content(message, blocks, markup=markup)}
    if parent_message_ts:
        body |= {"thread_ts": parent_message_ts, "reply_broadcast": reply_broadcast}
    if link_names:
        body["link_names"] = True
    found = _call(asset, "chat.postMessage", body)
    return ActionResult(
        message="Message sent",
        data=[found],
        summary={"channel_id": found.get("channel"), "message_ts": found.get("ts")},
    )


@action("post webhook", app=APP, type="generic")
def post_webhook(
    asset: Asset[Settings], message: Message = "", blocks: Blocks = "", markup: Markup = False
) -> ActionResult:
    """Post a message to the channel of the asset's incoming webhook.

    Neither data nor summary.

    Raises:
        ActionFailure: there is nothing to post, or Slack refuses it or cannot be asked.

    """
    if asset.settings.webhook_url is None:
        raise AssetMisconfiguration(f'Asset "{asset.name}" has no webhook_url')
    url = asset.settings.webhook_url.get_secret_value()
    answer = _post(asset, url, _content(message, blocks, markup=markup), {})
    if not answer.succeeded:
        raise ActionFailure(f"Slack refuses the message: {answer.excerpt}")
    return ActionResult(message="Message sent")


def _call(asset: Asset[Settings], method: str, body: dict[str, Any]) -> dict[str, Any]:
    settings = asset.settings
    if settings.bot_token is None:
        raise AssetMisconfiguration(f'Asset "{asset.name}" has no bot_token')
    authorization = {"authorization": f"Bearer {settings.bot_token.get_secret_value()}"}
    url = f"{str(settings.base_url).rstrip('/')}/{method}"
    answer = _post(asset, url, body, authorization)
    if not answer.succeeded:
        raise ActionFailure(f"{answer.server} refused: {answer.status_line}: {answer.excerpt}")
    found = answer.json()
    if not isinstance(found, dict):
        raise ActionFailure(f"{answer.server} did not answer as Slack does: {answer.excerpt}")
    if found.get("ok") is not True:
        error = str(found.get("error"))
        if error in TOKEN_REFUSED:
            raise ActionFailure(f'Slack refuses the bot token of asset "{asset.name}": {error}')
        raise ActionFailure(f"Slack refuses the message: {error}")
    return found


def _post(
    asset: Asset[Settings], url: str, body: dict[str, Any], headers: dict[str, str]
) -> Answer:
    answer = exchange(
        asset.settings,
        APP,
        "POST",
        url,
        headers={**headers, "content-type": "application/json; charset=utf-8"},
        content=json.dumps(body).encode(),
    )
    if answer.status == HTTPStatus.TOO_MANY_REQUESTS:
        pause = answer.headers.get("retry-after", "some")
        raise ActionFailure(f"Slack takes no more messages for {pause} seconds")
    return answer


def _content(message: str, blocks: str, *, markup: bool) -> dict[str, Any]:
    # What an attacker wrote must call nobody, and be no link that says it is another one.
    text = message if markup else html.escape(message, quote=False)
    if not blocks:
        if not message:
            raise ActionFailure("There is nothing to post: give a message or blocks")
        return {"text": text}
    try:
        found = json.loads(blocks)
    except (ValueError, RecursionError):
        found = None
    if not isinstance(found, list):
        raise ActionFailure("The blocks are not the JSON text of a list")
    return {"text": text, "blocks": found if markup else _without_mentions(found)}


def _without_mentions(block: Any) -> Any:  # noqa: ANN401 - whatever stands in blocks
    match block:
        case {"type": "mrkdwn" | "markdown", "text": str(text)}:
            return {**block, "text": MENTION.sub("&lt;", text)}
        case dict():
            return {name: _without_mentions(each) for name, each in block.items()}
        case list():
            return [_without_mentions(each) for each in block]
        case _:
            return block
