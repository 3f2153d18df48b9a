"""App HTTP: get, post, put and delete what a web service has."""

from __future__ import annotations

import json
from base64 import b64encode
from typing import Annotated, Any

import httpx
from pydantic import AnyHttpUrl, Field, SecretStr, field_validator

from prefect_phantom import ActionFailure, ActionResult, Asset, action
from prefect_phantom.apps._web.exchange import Answer, WebSettings, exchange
from prefect_phantom.apps._web.headers import Headers, request_headers
from prefect_phantom.apps._web.path import climbs

APP = "HTTP"

Location = Annotated[
    str,
    Field(description="Path below the asset's base URL, with its query: `path/to/endpoint?a=b`"),
]
Body = Annotated[str, Field(description="What to send, as a text, such as JSON")]


class Settings(WebSettings):
    """Settings of an asset of this app."""

    base_url: AnyHttpUrl = Field(description="Where the service is: `https://service.example/api`")
    username: str | None = Field(default=None, description="For Basic authentication")
    password: SecretStr | None = Field(default=None, description="For Basic authentication")
    auth_token_name: str | None = Field(
        default=None, description="Header that carries the token, such as Authorization"
    )
    auth_token: SecretStr | None = Field(
        default=None, description="That header's value, such as `Bearer ...`"
    )
    test_path: str = Field(default="", description="What the connectivity test gets")
    redirects: int = Field(default=5, ge=0, le=20, description="How many are followed")

    @field_validator("base_url")
    @classmethod
    def _holds_no_user(cls, url: AnyHttpUrl) -> AnyHttpUrl:
        if url.username or url.password:
            message = "put the user and the password into username and password"
            raise ValueError(message)
        return url


@action("test connectivity", app=APP, type="test")
def test_connectivity(asset: Asset[Settings]) -> ActionResult:
    """Get the asset's test path.

    Neither data nor summary.
    """
    answer = _ask(asset.settings, "GET", asset.settings.test_path, None, None)
    return ActionResult(message=f"{answer.server} answers: {answer.status_line}")


@action("get data", app=APP, type="investigate")
def get_data(asset: Asset[Settings], location: Location, headers: Headers = None) -> ActionResult:
    """Get a resource.

    One row of data: ``location`` (where the answer came from), ``method``, ``response_headers``,
    ``response_body`` as a text, and where that is JSON ``parsed_response_body``. Summary:
    ``status_code``, ``reason``.

    Raises:
        ActionFailure: the service cannot be asked, or answers with a status from 300 on.

    """
    return _result("GET", _ask(asset.settings, "GET", location, headers, None))


@action("post data", app=APP, type="generic")
def post_data(
    asset: Asset[Settings], location: Location, body: Body = "", headers: Headers = None
) -> ActionResult:
    """Post a body; one that is JSON is sent as such unless the headers say otherwise.

    Data, summary and errors as for ``get data``.
    """
    return _result("POST", _ask(asset.settings, "POST", location, headers, body))


@action("put data", app=APP, type="generic")
def put_data(
    asset: Asset[Settings], location: Location, body: Body, headers: Headers = None
) -> ActionResult:
    """Put a body; one that is JSON is sent as such unless the headers say otherwise.

    Data, summary and errors as for ``get data``.
    """
    return _result("PUT", _ask(asset.settings, "PUT", location, headers, body))


@action("delete data", app=APP, type="generic")
def delete_data(
    asset: Asset[Settings], location: Location, body: Body = "", headers: Headers = None
) -> ActionResult:
    """Delete a resource.

    Data, summary and errors as for ``get data``.
    """
    return _result("DELETE", _ask(asset.settings, "DELETE", location, headers, body))


def _ask(
    settings: Settings,
    method: str,
    location: str,
    headers: dict[str, str] | str | None,
    body: str | None,
) -> Answer:
    sent = _json_type(body)
    if settings.username is not None:
        sent["authorization"] = f"Basic {_basic(settings.username, settings.password)}"
    if settings.auth_token and settings.auth_token_name:
        sent |= request_headers({settings.auth_token_name: settings.auth_token.get_secret_value()})
    sent |= request_headers(headers)
    answer = exchange(
        settings,
        "The HTTP server",
        method,
        _url(str(settings.base_url), location),
        headers=sent,
        content=body.encode() if body else None,
        redirects=settings.redirects,
    )
    if not answer.succeeded:
        raise ActionFailure(f"{answer.server} refused: {answer.status_line}: {answer.excerpt}")
    return answer


def _url(base: str, location: str) -> httpx.URL:
    """`location` below `base`: the asset's secrets go nowhere else."""
    try:
        root = httpx.URL(base.rstrip("/") + "/")
        if location.startswith(("http://", "https://")):
            url = httpx.URL(location)
        else:
            url = httpx.URL(str(root) + location.lstrip("/"))
    except httpx.InvalidURL:
        raise ActionFailure(f'The location "{location}" is not part of a URL') from None
    same = (url.scheme, url.host, url.port) == (root.scheme, root.host, root.port)
    if not (same and (url.path + "/").startswith(root.path)) or climbs(location):
        raise ActionFailure(f'The location "{location}" is not below {base}')
    return url


def _json_type(body: str | None) -> dict[str, str]:
    try:
        json.loads(body or "")
    except (ValueError, RecursionError):
        return {}
    return {"content-type": "application/json"}


def _basic(username: str, password: SecretStr | None) -> str:
    secret = password.get_secret_value() if password else ""
    return b64encode(f"{username}:{secret}".encode()).decode()


def _result(method: str, answer: Answer) -> ActionResult:
    row: dict[str, Any] = {
        "location": answer.url,
        "method": method,
        "response_headers": answer.headers,
        "response_body": answer.text,
    }
    if "json" in answer.headers.get("content-type", ""):
        row["parsed_response_body"] = answer.json()
    return ActionResult(
        message=f"Status code: {answer.status}, Reason: {answer.reason}",
        data=[row],
        summary={"status_code": answer.status, "reason": answer.reason},
    )
