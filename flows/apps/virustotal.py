"""App VirusTotal: what its engines think of a file, an address, a domain or a URL (API v3)."""

from __future__ import annotations

import re
from base64 import urlsafe_b64encode
from http import HTTPStatus
from typing import Annotated, Any
from urllib.parse import quote

from pydantic import AnyHttpUrl, Field, SecretStr

from prefect_phantom import ActionFailure, ActionResult, Asset, action
from prefect_phantom.apps._web.exchange import Answer, WebSettings, exchange

APP = "VirusTotal"
VERDICTS = ("harmless", "malicious", "suspicious", "undetected")
WELL_KNOWN = "google.com"
"""Asked for to see whether the API key is taken."""
HASH = re.compile(r"[0-9a-f]{32}|[0-9a-f]{40}|[0-9a-f]{64}", re.IGNORECASE)


class Settings(WebSettings):
    """Settings of an asset of this app."""

    api_key: SecretStr = Field(description="VirusTotal's API key")
    base_url: AnyHttpUrl = Field(
        default=AnyHttpUrl("https://www.virustotal.com/api/v3"), description="VirusTotal's API"
    )


@action("test connectivity", app=APP, type="test")
def test_connectivity(asset: Asset[Settings]) -> ActionResult:
    """Ask for a well-known domain, with the API key.

    Neither data nor summary.
    """
    answer = _ask(asset, f"domains/{WELL_KNOWN}", WELL_KNOWN)
    return ActionResult(message=f"{answer.server} takes the API key")


@action("file reputation", app=APP, type="investigate")
def file_reputation(
    asset: Asset[Settings],
    hash: Annotated[  # noqa: A002 - the parameter's name in Phantom
        str, Field(description="MD5, SHA-1 or SHA-256 of the file")
    ],
) -> ActionResult:
    """Ask how many engines find a file harmless, malicious or suspicious.

    One row of data: VirusTotal's object, with ``id``, ``type`` and ``attributes``. Summary:
    ``harmless``, ``malicious``, ``suspicious``, ``undetected``.

    Raises:
        ActionFailure: `hash` is none, VirusTotal does not know the file, the API key is refused or
            used up, or there is no answer.

    """
    if not HASH.fullmatch(hash.strip()):
        raise ActionFailure(f'"{hash}" is not an MD5, SHA-1 or SHA-256')
    return _reputation(asset, f"files/{hash.strip()}", hash.strip())


@action("ip reputation", app=APP, type="investigate")
def ip_reputation(
    asset: Asset[Settings], ip: Annotated[str, Field(description="An IPv4 or IPv6 address")]
) -> ActionResult:
    """Ask how many engines find an address harmless, malicious or suspicious.

    Data, summary and errors as for ``file reputation``.
    """
    return _reputation(asset, f"ip_addresses/{quote(ip.strip(), safe='')}", ip.strip())


@action("domain reputation", app=APP, type="investigate")
def domain_reputation(
    asset: Asset[Settings], domain: Annotated[str, Field(description="A domain or host name")]
) -> ActionResult:
    """Ask how many engines find a domain harmless, malicious or suspicious.

    Data, summary and errors as for ``file reputation``.
    """
    return _reputation(asset, f"domains/{quote(domain.strip(), safe='')}", domain.strip())


@action("url reputation", app=APP, type="investigate")
def url_reputation(
    asset: Asset[Settings], url: Annotated[str, Field(description="A URL, with its scheme")]
) -> ActionResult:
    """Ask how many engines find a URL harmless, malicious or suspicious.

    Data, summary and errors as for ``file reputation``.
    """
    identifier = urlsafe_b64encode(url.strip().encode()).decode().rstrip("=")
    return _reputation(asset, f"urls/{identifier}", url.strip())


def _reputation(asset: Asset[Settings], path: str, term: str) -> ActionResult:
    if not term:
        raise ActionFailure("There is nothing to ask for: the parameter is empty")
    if term in {".", ".."}:  # which no quoting keeps from leading up
        raise ActionFailure(f'"{term}" is nothing that VirusTotal knows')
    answer = _ask(asset, path, term)
    content = answer.json()
    try:
        found: dict[str, Any] = content["data"]
        counts = found["attributes"].get("last_analysis_stats") or {}
        summary = {verdict: int(counts.get(verdict, 0)) for verdict in VERDICTS}
    except (KeyError, TypeError, ValueError, AttributeError):
        raise ActionFailure(
            f"{answer.server} did not answer as VirusTotal does: {answer.excerpt}"
        ) from None
    message = ", ".join(f"{verdict.title()}: {number}" for verdict, number in summary.items())
    return ActionResult(message=message, data=[found], summary=summary)


def _ask(asset: Asset[Settings], path: str, term: str) -> Answer:
    settings = asset.settings
    answer = exchange(
        settings,
        APP,
        "GET",
        f"{str(settings.base_url).rstrip('/')}/{path}",
        headers={"x-apikey": settings.api_key.get_secret_value()},
    )
    if answer.succeeded:
        return answer
    match answer.status:
        case HTTPStatus.UNAUTHORIZED:
            raise ActionFailure(f'VirusTotal refuses the API key of asset "{asset.name}"')
        case HTTPStatus.NOT_FOUND:
            raise ActionFailure(f"Nothing found: VirusTotal does not know {term}")
        case HTTPStatus.TOO_MANY_REQUESTS:
            raise ActionFailure(f'The quota of the API key of asset "{asset.name}" is used up')
        case _:
            raise ActionFailure(f"{answer.server} refused: {answer.status_line}: {_error(answer)}")


def _error(answer: Answer) -> str:
    """VirusTotal's own words, such as ``Invalid IP address``."""
    try:
        return str(answer.json()["error"]["message"])
    except (ActionFailure, KeyError, TypeError):
        return answer.excerpt
