"""App DNS: records of a domain, and names of an address."""

from __future__ import annotations

from typing import Annotated

import dns.exception
import dns.rdatatype
import dns.resolver
import dns.reversename
from pydantic import Field

from prefect_phantom import ActionFailure, ActionResult, Asset, action
from prefect_phantom.apps._web.deadline import is_address
from prefect_phantom.apps._web.networks import AddressRefused, NetworkSettings, Reach

APP = "DNS"
LONGEST = 1_000
"""In characters. A name has at most 255; the library reads much longer ones for seconds."""


class Settings(NetworkSettings):
    """Settings of an asset of this app."""

    host: str | None = Field(
        default=None,
        description="Address of the one server to ask. Without it those of the machine are asked",
    )
    port: int = Field(default=53, ge=1, le=65535, description="Port of every server asked")
    timeout_seconds: float = Field(
        default=10.0, gt=0, le=600, description="Seconds for one action, however often it asks"
    )
    test_domain: str = Field(
        default="example.com", description="What the connectivity test asks for"
    )


@action("test connectivity", app=APP, type="test")
def test_connectivity(asset: Asset[Settings]) -> ActionResult:
    """Ask for the asset's test domain; that it does not exist is an answer, too.

    Neither data nor summary.
    """
    server = _server(asset.settings)
    try:
        _resolver(asset).resolve(asset.settings.test_domain, "A", raise_on_no_answer=False)
    except dns.resolver.NXDOMAIN:
        pass
    except dns.exception.DNSException as error:
        raise ActionFailure(_sentence(error, server, asset.settings)) from None
    return ActionResult(message=f"{server} answers")


@action("lookup domain", app=APP, type="investigate")
def lookup_domain(
    asset: Asset[Settings],
    domain: Annotated[str, Field(description="A domain or host name")],
    type: Annotated[  # noqa: A002 - the parameter's name in Phantom
        str, Field(description="Kind of records: A, AAAA, CNAME, MX, NS, SOA, TXT or any other")
    ] = "A",
) -> ActionResult:
    """Ask for the records of a domain.

    One row of data: the records as ``record_infos``, and each by itself as
    ``record_info_objects.*.record_info``. Summary: ``record_info`` (the first),
    ``total_record_infos``, ``canonical_name``.

    Raises:
        ActionFailure: `domain` or `type` is none, has no such records, or no server answered.

    """
    if is_address(domain.strip()):
        raise ActionFailure(f'"{domain}" is an address, not a domain; "lookup ip" finds its name')
    records, canonical = _records(asset, domain.strip(), type.strip() or "A")
    summary = {
        "record_info": records[0],
        "total_record_infos": len(records),
        "canonical_name": canonical,
        "cannonical_name": canonical,  # as Phantom's own app has it, and playbooks read it
    }
    data = {
        "record_infos": records,
        "record_info_objects": [{"record_info": record} for record in records],
    }
    message = (
        f"Record info: {records[0]}, Total record infos: {len(records)}, "
        f"Canonical name: {canonical}"
    )
    return ActionResult(message=message, data=[data], summary=summary)


@action("lookup ip", app=APP, type="investigate")
def lookup_ip(
    asset: Asset[Settings], ip: Annotated[str, Field(description="An IPv4 or IPv6 address")]
) -> ActionResult:
    """Ask for the names of an address.

    One row of data: the names as ``hostnames``. Summary: ``ip``, ``hostname`` (the first),
    ``canonical_name``.

    Raises:
        ActionFailure: `ip` is no address or has no name, or no server answered.

    """
    if not is_address(ip.strip()):
        raise ActionFailure(f'"{ip}" is not an IP address')
    names, canonical = _records(asset, str(dns.reversename.from_address(ip.strip())), "PTR")
    summary = {
        "ip": ip.strip(),
        "hostname": names[0],
        "canonical_name": canonical,
        "cannonical_name": canonical,
    }
    message = f"Ip: {ip.strip()}\nHostname: {names[0]}\nCanonical name: {canonical}"
    return ActionResult(message=message, data=[{"hostnames": names}], summary=summary)


def _records(asset: Asset[Settings], name: str, kind: str) -> tuple[list[str], str]:
    """The records in the order of the answer, and the name that they stand at."""
    server = _server(asset.settings)
    if len(name) > LONGEST:
        raise ActionFailure(f'"{name[:50]}..." is not a domain name')
    try:
        answer = _resolver(asset).resolve(name, kind)
    except dns.rdatatype.UnknownRdatatype:
        raise ActionFailure(f'"{kind}" is not a kind of DNS records') from None
    except dns.resolver.NXDOMAIN:
        raise ActionFailure(f"The domain {name} does not exist") from None
    except dns.resolver.NoAnswer:
        raise ActionFailure(f"The domain {name} has no {kind.upper()} records") from None
    except (dns.resolver.LifetimeTimeout, dns.resolver.NoNameservers) as error:
        raise ActionFailure(_sentence(error, server, asset.settings)) from None
    except (dns.exception.DNSException, UnicodeError):
        raise ActionFailure(f'"{name}" is not a domain name') from None
    return [str(record) for record in answer], str(answer.canonical_name)


def _resolver(asset: Asset[Settings]) -> dns.resolver.Resolver:
    settings = asset.settings
    resolver = dns.resolver.Resolver(configure=settings.host is None)
    if settings.host is not None:
        if not is_address(settings.host):
            raise ActionFailure(f'The host "{settings.host}" of asset "{asset.name}" is no address')
        resolver.nameservers = [settings.host]
    reach = Reach(settings.networks)
    try:
        for server in resolver.nameservers:
            reach.check(str(server))
    except AddressRefused as refused:
        raise ActionFailure(f"The DNS server cannot be asked: {refused}") from None
    resolver.port = settings.port
    resolver.lifetime = settings.timeout_seconds
    return resolver


def _server(settings: Settings) -> str:
    if settings.host is None:
        return "The machine's DNS server"
    return f"The DNS server {settings.host}:{settings.port}"


def _sentence(error: dns.exception.DNSException, server: str, settings: Settings) -> str:
    if isinstance(error, dns.resolver.LifetimeTimeout):
        return f"{server} did not answer within {settings.timeout_seconds:g} seconds"
    # Each is server, whether by TCP, port, what went wrong, and the answer.
    reasons = dict.fromkeys(str(each[3]) for each in error.kwargs.get("errors", []))
    return f"{server} could not tell: {', '.join(reasons) or error}"
