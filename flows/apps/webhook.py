"""App Webhook: posts JSON to a URL, signed as Standard Webhooks (standardwebhooks.com) say."""

from __future__ import annotations

import hashlib
import hmac
import json
import time
from base64 import b64decode, b64encode
from typing import Annotated, Any
from uuid import uuid4

from pydantic import Field, SecretStr, field_validator

from prefect_phantom import ActionFailure, ActionResult, Asset, action
from prefect_phantom.apps._web.exchange import Answer, WebSettings, exchange, web_address

APP = "Webhook"
PREFIX = "whsec_"
"""Before a secret that is written in base64."""


class Settings(WebSettings):
    """Settings of an asset of this app."""

    url: SecretStr = Field(description="Where to post; a secret, since many hold a token")
    secret: SecretStr | None = Field(
        default=None,
        description="What requests are signed with: any text, or `whsec_` and base64. Without it "
        "they are not signed",
    )

    _is_web_address = field_validator("url")(web_address)

    @field_validator("secret")
    @classmethod
    def _is_base64_where_it_says_so(cls, secret: SecretStr | None) -> SecretStr | None:
        if secret is not None:
            _key(secret)
        return secret


@action("test connectivity", app=APP, type="test")
def test_connectivity(asset: Asset[Settings]) -> ActionResult:
    """Post an event of type ``test``, with no data.

    Neither data nor summary.
    """
    answer = _post(asset.settings, "test", {})
    return ActionResult(message=f"{answer.server} took the test: {answer.status_line}")


@action("send webhook", app=APP, type="generic")
def send_webhook(
    asset: Asset[Settings],
    payload: Annotated[dict[str, Any], Field(description="What to tell, as an object")],
    event: Annotated[
        str, Field(description="Type of the event, such as container.closed")
    ] = "playbook",
) -> ActionResult:
    """Post ``{"type": event, "timestamp": ..., "data": payload}`` as JSON.

    One row of data: the answer, as ``response_body`` and ``response_headers``. Summary:
    ``status_code``, ``reason``.

    Raises:
        ActionFailure: the payload is not JSON, or the receiver refuses it or cannot be asked.

    """
    answer = _post(asset.settings, event, payload)
    return ActionResult(
        message=f"Status code: {answer.status}, Reason: {answer.reason}",
        data=[{"response_body": answer.text, "response_headers": answer.headers}],
        summary={"status_code": answer.status, "reason": answer.reason},
    )


def _post(settings: Settings, event: str, payload: dict[str, Any]) -> Answer:
    now = int(time.time())
    moment = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(now))
    try:
        body = json.dumps({"type": event, "timestamp": moment, "data": payload}, allow_nan=False)
    except (TypeError, ValueError) as error:
        raise ActionFailure(f"The payload is not JSON: {error}") from None
    identifier = f"msg_{uuid4().hex}"
    headers = {
        "content-type": "application/json",
        "webhook-id": identifier,
        "webhook-timestamp": str(now),
    }
    if settings.secret:
        signed = f"{identifier}.{now}.{body}".encode()
        digest = hmac.new(_key(settings.secret), signed, hashlib.sha256).digest()
        headers["webhook-signature"] = f"v1,{b64encode(digest).decode()}"
    answer = exchange(
        settings,
        "The webhook's server",
        "POST",
        settings.url.get_secret_value(),
        headers=headers,
        content=body.encode(),
    )
    if not answer.succeeded:
        raise ActionFailure(f"{answer.server} refused: {answer.status_line}: {answer.excerpt}")
    return answer


def _key(secret: SecretStr) -> bytes:
    text = secret.get_secret_value()
    if not text.startswith(PREFIX):
        return text.encode()
    try:
        return b64decode(text.removeprefix(PREFIX), validate=True)
    except ValueError:
        message = f"what follows {PREFIX} is not base64"
        raise ValueError(message) from None
