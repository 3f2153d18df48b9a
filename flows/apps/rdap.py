"""App RDAP: who holds an address or a domain, asked of an RDAP server (RFC 9082 and 9083)."""

from __future__ import annotations

from collections.abc import Iterator
from http import HTTPStatus
from typing import Any

from pydantic import AnyHttpUrl, Field

from prefect_phantom import ActionFailure, ActionResult, Asset, action
from prefect_phantom.apps._web.deadline import Deadline
from prefect_phantom.apps._web.exchange import Answer, WebSettings, exchange
from prefect_phantom.apps._whois_and_rdap import (
    Domain,
    Facts,
    IpAddress,
    address,
    domain_result,
    lines,
    registered_domain,
)
from prefect_phantom.apps._work.killable import WorkFailed, in_time

APP = "RDAP"
REDIRECTS = 5
"""How many are followed: the usual server sends on to the registry in charge."""
SMALL = 100_000
"""In bytes. Reading takes as long as an answer is large, a second for a million."""


class Settings(WebSettings):
    """Settings of an asset of this app."""

    base_url: AnyHttpUrl = Field(
        default=AnyHttpUrl("https://rdap.org"),
        description="The server to ask. The usual one redirects to the registry in charge",
    )


@action("test connectivity", app=APP, type="test")
def test_connectivity(asset: Asset[Settings]) -> ActionResult:
    """Ask the server for its help page, which RFC 9082 wants every server to have.

    Neither data nor summary.
    """
    answer = _ask(asset.settings, "help")
    return ActionResult(message=f"{answer.server} answers")


@action("whois ip", app=APP, type="investigate")
def whois_ip(asset: Asset[Settings], ip: IpAddress) -> ActionResult:
    """Ask who holds an IP address.

    One row of data: ``query``, ``network`` (``start_address``, ``end_address``, ``cidr``, ``name``,
    ``handle``, ``type``, ``country``), ``organization``, ``abuse_email``, and the answer itself as
    ``raw``. Summary: ``registry``, ``asn``, ``country_code``, ``network``.

    Raises:
        ActionFailure: `ip` is no address, the server gave no answer, or knows of no holder.

    """
    asked = address(ip)
    answer = _ask(asset.settings, f"ip/{asked}", str(asked))
    found = _object(answer, "ip network")
    try:
        return _network_result(str(asked), found)
    except (TypeError, ValueError, AttributeError, RecursionError):
        raise _not_rdap(answer) from None


@action("whois domain", app=APP, type="investigate")
def whois_domain(asset: Asset[Settings], domain: Domain) -> ActionResult:
    """Ask who holds a domain.

    One row of data: the facts of the answer by the names that app WHOIS gives them, such as
    ``registrar`` and ``created``, and the answer itself as ``raw``. Summary: ``organization``,
    ``city``, ``country``; RDAP says the last two seldom.

    Raises:
        ActionFailure: `domain` is no domain, the server gave no answer, or knows no holder.

    """
    registered = registered_domain(domain)
    answer = _ask(asset.settings, f"domain/{registered}", registered)
    found = _object(answer, "domain")
    seconds = asset.settings.timeout_seconds
    try:
        known = in_time(
            Deadline(seconds),
            "rdap_answer.read_domain",
            answer.text,
            size=len(answer.body),
            small=SMALL,
        )
    except TimeoutError:
        raise ActionFailure(
            f"The answer of {answer.server} could not be read within {seconds:g} seconds"
        ) from None
    except WorkFailed:
        raise _not_rdap(answer) from None
    return domain_result(registered, known, found)


def _ask(settings: Settings, path: str, term: str = "") -> Answer:
    answer = exchange(
        settings,
        "The RDAP server",
        "GET",
        f"{str(settings.base_url).rstrip('/')}/{path}",
        headers={"accept": "application/rdap+json"},
        redirects=REDIRECTS,
    )
    if answer.status == HTTPStatus.NOT_FOUND and term:
        raise ActionFailure(f"Nothing found: the RDAP server has no record of {term}")
    if not answer.succeeded:
        raise ActionFailure(f"{answer.server} refused: {answer.status_line}")
    return answer


def _object(answer: Answer, kind: str) -> Facts:
    found = answer.json()
    if not isinstance(found, dict) or found.get("objectClassName") != kind:
        raise _not_rdap(answer)
    return found


def _not_rdap(answer: Answer) -> ActionFailure:
    return ActionFailure(f"{answer.server} did not answer in RDAP: {answer.excerpt}")


def _network_result(asked: str, found: Facts) -> ActionResult:
    named = {
        "start_address": found.get("startAddress"),
        "end_address": found.get("endAddress"),
        "cidr": ", ".join(_cidrs(found)),
        "name": found.get("name"),
        "handle": found.get("handle"),
        "type": found.get("type"),
        "country": found.get("country"),
    }
    network = {name: str(value) for name, value in named.items() if value}
    ends = {name: network[name] for name in ("start_address", "end_address") if name in network}
    holder = _contact(found, "registrant")
    summary: dict[str, Any] = {
        # By the registry's own WHOIS server, which all five name in their answers.
        "registry": str(found.get("port43", "")).removeprefix("whois.").partition(".")[0],
        "asn": ", ".join(map(str, found.get("arin_originas0_originautnums") or [])),
        "country_code": network.get("country", ""),
        "network": [ends],
    }
    message = lines(
        ("Registry", summary["registry"]),
        ("ASN", summary["asn"]),
        ("Country", summary["country_code"]),
        ("Nets", ""),
        ("Range", " - ".join(ends.values())),
        ("Name", network.get("name")),
        ("Organization", holder.get("fn")),
    )
    row = {
        "query": asked,
        "network": network,
        "organization": holder.get("fn"),
        "abuse_email": _contact(found, "abuse").get("email"),
        "raw": found,
    }
    return ActionResult(message=message, data=[row], summary=summary)


def _cidrs(network: Facts) -> Iterator[str]:
    for block in network.get("cidr0_cidrs") or []:
        prefix = block.get("v4prefix") or block.get("v6prefix")
        yield f"{prefix}/{block.get('length')}"


def _contact(found: Facts, role: str) -> dict[str, str]:
    """The texts of the vCard of the first entity with `role`, by property."""
    for entity in found.get("entities") or []:
        if role in (entity.get("roles") or []):
            _, properties = entity.get("vcardArray") or ("vcard", [])
            return {name: value for name, _, _, value, *_ in properties if isinstance(value, str)}
        if nested := _contact(entity, role):
            return nested
    return {}
