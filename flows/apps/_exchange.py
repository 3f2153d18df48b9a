"""One request to a web server and its answer: bounded in time, size and redirects."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass
from typing import Any

import httpcore
import httpx
from pydantic import AnyHttpUrl, Field, SecretStr, ValidationError, field_validator

from flows import ActionFailure
from flows.apps._certificates import CertificateSettings, certificates, reason
from flows.apps._deadline import Deadline
from flows.apps._transport import DeadlineTransport
from flows.runtime import certificate_authorities

HIDDEN = "********"
"""What stands where a server repeated a secret."""
UNSENDABLE = "The request cannot be sent: its address or a header is not as HTTP wants it"
LONGEST_EXCERPT = 200
"""In characters: how much of what a server said stands in a sentence."""


def web_address(url: SecretStr | None) -> SecretStr | None:
    """`url`, where it is one of the web: for the settings of those whose URL is a secret.

    Raises:
        ValueError: it is another.

    """
    if url is not None:
        try:
            AnyHttpUrl(url.get_secret_value())
        except ValidationError:
            message = "it is not a URL that begins with https:// or http://"
            raise ValueError(message) from None
    return url


class WebSettings(CertificateSettings):
    """Settings of every app that speaks HTTP."""

    timeout_seconds: float = Field(
        default=30.0, gt=0, le=600, description="Seconds for one action, from first to last byte"
    )
    proxy: SecretStr | None = Field(
        default=None,
        description="An HTTP proxy to go through, with user and password where it wants them: "
        "`http://user:password@proxy.example:3128`",
    )
    largest_answer: int = Field(
        default=4 * 1024 * 1024,
        ge=1,
        le=64 * 1024 * 1024,
        description="How large an answer may be, in bytes",
    )

    _proxy_is_web_address = field_validator("proxy")(web_address)


@dataclass(frozen=True, slots=True)
class Answer:
    """What a server answered; none of the asset's secrets stands in it."""

    server: str
    """Who answered, to begin a sentence with: ``The HTTP server at https://192.0.2.1``."""
    url: str
    """Where it came from in the end, without user, password and fragment."""
    status: int
    reason: str
    headers: dict[str, str]
    body: bytes

    @property
    def succeeded(self) -> bool:
        """Whether the status says so: 200 to 299."""
        return httpx.codes.is_success(self.status)

    @property
    def status_line(self) -> str:
        """Such as ``404 Not Found``."""
        return f"{self.status} {self.reason}".rstrip()

    @property
    def text(self) -> str:
        """The body; what is not UTF-8 in it is replaced."""
        return self.body.decode(errors="replace").replace("\0", "")

    def json(self) -> Any:  # noqa: ANN401 - that is what JSON is
        """The body, read as JSON. Raises `ActionFailure` when it is none."""
        try:
            return json.loads(self.body)
        except (ValueError, RecursionError):
            raise ActionFailure(f"{self.server} did not answer in JSON: {self.excerpt}") from None

    @property
    def excerpt(self) -> str:
        """The beginning of the body on one line, or that there is none."""
        line = " ".join(self.text[: 4 * LONGEST_EXCERPT].split())
        if len(line) > LONGEST_EXCERPT:
            return line[:LONGEST_EXCERPT] + "..."
        return line or "its answer was empty"


def exchange(
    settings: WebSettings,
    server: str,
    method: str,
    url: str | httpx.URL,
    *,
    headers: Mapping[str, str] | None = None,
    content: bytes | None = None,
    redirects: int = 0,
    secrets: Sequence[SecretStr | None] = (),
) -> Answer:
    """Send a request and read its answer, whatever its status.

    Args:
        settings: The asset's.
        server: Who is asked, such as ``The RDAP server``, for sentences.
        method: ``GET``, ``POST``, ...
        url: Where to.
        headers: Go to the server of `url` alone: where that redirects to another, without them.
        content: The body.
        redirects: How many are followed. With none, an answer that redirects is the answer.
        secrets: What must not come back: where the answer repeats one, it is replaced.

    Raises:
        ActionFailure: there is no such server, its certificate is not trusted, it answers too
            slowly, too much or not in HTTP, or redirects too often.

    """
    try:
        request = httpx.Request(method, url, headers=_headers(headers), content=content)
    except (httpx.InvalidURL, ValueError):
        raise ActionFailure(UNSENDABLE) from None
    proxy = httpx.Proxy(settings.proxy.get_secret_value()) if settings.proxy else None
    transport = DeadlineTransport(
        Deadline(settings.timeout_seconds), certificates(settings, certificate_authorities), proxy
    )
    through = f" by way of the proxy {_origin(proxy.url)}" if proxy else ""
    with httpx.Client(transport=transport, timeout=httpx.Timeout(None), trust_env=False) as client:
        for _ in range(redirects + 1):
            place = f"{server} at {_origin(request.url)}{through}"
            response, body = _sent(client, request, place, settings)
            if response.next_request is None or redirects == 0:
                hidden = [secret.get_secret_value() for secret in secrets if secret]
                return _answer(response, body, place, hidden)
            request = _redirected(request, response.next_request, place)
    raise ActionFailure(f"{place} redirects more than {redirects} times")


def _sent(
    client: httpx.Client, request: httpx.Request, place: str, settings: WebSettings
) -> tuple[httpx.Response, bytes]:
    try:
        response = client.send(request, stream=True)
        with closing(response):
            return response, _body(response, place, settings.largest_answer)
    except TimeoutError:
        what = f"did not answer within {settings.timeout_seconds:g} seconds"
    except httpcore.UnsupportedProtocol:
        what = "cannot be reached: only http and https are spoken"
    except (httpcore.LocalProtocolError, UnicodeEncodeError):
        # Without the library's reason: it would show the header, which may hold a secret.
        raise ActionFailure(UNSENDABLE) from None
    except OSError as error:
        what = f"cannot be reached: {reason(error)}"
    except UnicodeError as error:  # a host name that cannot be one
        what = f"cannot be reached: {error}"
    except httpcore.ProxyError as error:
        what = f"cannot be reached: the proxy refuses: {error}"
    except (httpcore.NetworkError, httpcore.ProtocolError, httpx.HTTPError) as error:
        what = f"did not answer in HTTP: {str(error).rstrip('.')}"
    raise ActionFailure(f"{place} {what}")


def _body(response: httpx.Response, place: str, largest: int) -> bytes:
    body = bytearray()
    for piece in response.iter_bytes():
        body += piece
        if len(body) > largest:
            raise ActionFailure(f"{place} answered with more than {largest} bytes")
    return bytes(body)


def _answer(response: httpx.Response, body: bytes, place: str, hidden: Sequence[str]) -> Answer:
    return Answer(
        server=place,
        url=str(response.url.copy_with(userinfo=b"", fragment=None)),
        status=response.status_code,
        reason=response.reason_phrase,
        headers={
            name: _without(hidden, value.encode()).decode()
            for name, value in response.headers.items()
        },
        body=_without(hidden, body),
    )


def _without(hidden: Sequence[str], said: bytes) -> bytes:
    for secret in hidden:
        said = said.replace(secret.encode(), HIDDEN.encode())
    return said


def _redirected(before: httpx.Request, after: httpx.Request, place: str) -> httpx.Request:
    if before.url.scheme == "https" and after.url.scheme != "https":
        raise ActionFailure(f"{place} redirects to a server without TLS")
    if _origin(before.url) == _origin(after.url):
        return after
    kept = {
        name: after.headers[name] for name in ("accept", "content-type") if name in after.headers
    }
    return httpx.Request(after.method, after.url, headers=_headers(kept), content=after.read())


def _headers(given: Mapping[str, str] | None) -> httpx.Headers:
    # Nothing compressed: what is small on its way may be large when it is here.
    headers = httpx.Headers({"user-agent": "prefect-phantom", "accept-encoding": "identity"})
    headers.update(given)
    return headers


def _origin(url: httpx.URL) -> str:
    return f"{url.scheme}://{url.netloc.decode('ascii')}"
