"""One request to a web server and its answer: bounded in time, size and redirects."""

from __future__ import annotations

import ipaddress
import json
from collections.abc import Mapping
from contextlib import closing
from dataclasses import dataclass
from typing import Any, Self

import httpcore
import httpx
from pydantic import (
    AnyHttpUrl,
    Field,
    SecretStr,
    ValidationError,
    field_validator,
    model_validator,
)

from prefect_phantom import ActionFailure
from prefect_phantom.apps._web.certificates import CertificateSettings, certificates, reason
from prefect_phantom.apps._web.deadline import Deadline
from prefect_phantom.apps._web.networks import KINDS, PUBLIC, kind_of
from prefect_phantom.apps._web.transport import DeadlineTransport
from prefect_phantom.flows.asset import secret_values
from prefect_phantom.flows.inside.runtime.client import certificate_authorities
from prefect_phantom.flows.inside.secrets.redaction import Redaction

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

    @model_validator(mode="after")
    def _connects_itself_to_its_networks(self) -> Self:
        if self.proxy is not None and self.networks is not None:
            message = "networks cannot be given beside a proxy, which connects to what it likes"
            raise ValueError(message)
        return self


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
) -> Answer:
    """Send a request and read its answer, whatever its status.

    Args:
        settings: The asset's. Where the answer repeats one of its secrets, stars stand instead.
        server: Who is asked, such as ``The RDAP server``, for sentences.
        method: ``GET``, ``POST``, ...
        url: Where to.
        headers: Go to the server of `url` alone: where that redirects to another, without them.
        content: The body.
        redirects: How many are followed. With none, an answer that redirects is the answer.

    Raises:
        ActionFailure: there is no such server, the asset may not connect to it, its certificate is
            not trusted, it answers too slowly, too much or not in HTTP, or redirects too often, to
            clear text or to an address nearer than its own.

    """
    secrets = secret_values(settings)
    try:
        request = httpx.Request(method, url, headers=_headers(headers), content=content)
        return _exchanged(settings, server, request, redirects, secrets)
    except (httpx.InvalidURL, ValueError):
        raise ActionFailure(UNSENDABLE) from None
    except ActionFailure as failure:
        raise ActionFailure(Redaction(secrets).text(str(failure))) from None


def _exchanged(
    settings: WebSettings, server: str, request: httpx.Request, redirects: int, secrets: list[str]
) -> Answer:
    proxy = httpx.Proxy(settings.proxy.get_secret_value()) if settings.proxy else None
    deadline = Deadline(settings.timeout_seconds, settings.networks)
    transport = DeadlineTransport(deadline, certificates(settings, certificate_authorities), proxy)
    through = f" by way of the proxy {_origin(proxy.url)}" if proxy else ""
    with httpx.Client(transport=transport, timeout=httpx.Timeout(None), trust_env=False) as client:
        for _ in range(redirects + 1):
            place = f"{server} at {_origin(request.url)}{through}"
            response, body = _sent(client, request, place, settings)
            if response.next_request is None or redirects == 0:
                try:
                    return _answer(response, body, place, Redaction(secrets, deadline.left))
                except TimeoutError:
                    raise ActionFailure(
                        f"The answer of {place} could not be read within "
                        f"{settings.timeout_seconds:g} seconds"
                    ) from None
            if proxy is not None:
                _look_behind(deadline, request.url.host, response.next_request.url.host, place)
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


def _answer(response: httpx.Response, body: bytes, place: str, redaction: Redaction) -> Answer:
    return Answer(
        server=redaction.text(place),
        url=redaction.text(str(response.url.copy_with(userinfo=b"", fragment=None))),
        status=response.status_code,
        reason=redaction.text(response.reason_phrase),
        headers=redaction.value(dict(response.headers)),
        body=redaction.octets(_in_utf_8(body)),
    )


def _in_utf_8(body: bytes) -> bytes:
    """`body` in the one encoding that is read here, without the octets that are left out there."""
    encoding = json.detect_encoding(body)
    if not encoding.startswith("utf-8"):
        body = body.decode(encoding, errors="replace").encode("utf-8", "replace")
    return body.replace(b"\0", b"")


def _look_behind(deadline: Deadline, before: str, after: str, place: str) -> None:
    """Refuse a redirect to nearer addresses that a proxy would follow for us."""
    try:
        kinds = [
            min(
                (kind_of(ipaddress.ip_address(each)) for each in deadline.addresses(host)),
                default=PUBLIC,
            )
            for host in (before, after)
        ]
    except TimeoutError:
        raise ActionFailure(f"{place} redirects to {after}, which is not found in time") from None
    if kinds[1] < kinds[0]:
        raise ActionFailure(f"{place} redirects to {after}, a {KINDS[kinds[1]]} address")


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
