"""Sample WHOIS responder: answers RFC 3912 queries about documentation addresses and domains.

Run it as a module with ``--port N``; it prints ``ready`` when it listens, and ends at SIGTERM.
Everything in its answers is made up.
"""

from __future__ import annotations

import argparse
import asyncio
import ipaddress
from contextlib import suppress

from prefect_phantom.adapters.process.parent import Parent
from prefect_phantom.adapters.process.stop_signals import stop_event

QUERY_SECONDS = 10.0
"""A client that has not sent its line by then is hung up on."""
QUERY_LIMIT = 1024
"""In bytes; the longest domain name has 253."""
NOTICE = "Sample data of prefect-phantom. None of it is true."

_ARIN = """\
#
# {notice}
#

NetRange:       {first} - {last}
CIDR:           {network}
NetName:        {name}
NetHandle:      NET-{handle}
NetType:        Direct Allocation
OriginAS:       AS{asn}
Organization:   {organization} ({id})
RegDate:        2009-11-02
Updated:        2024-03-18

OrgName:        {organization}
OrgId:          {id}
Address:        {street}
City:           {city}
StateProv:      {state}
PostalCode:     {postal_code}
Country:        {country}
RegDate:        2009-10-26
Updated:        2024-03-18

OrgAbuseHandle: ABUSE-{id}
OrgAbuseName:   Abuse Desk
OrgAbusePhone:  +1-555-0100
OrgAbuseEmail:  abuse@{domain}
"""

_REGISTRY = """\
Domain Name: {name}
Registry Domain ID: {id}_DOMAIN_SAMPLE
Registrar URL: http://registrar.example
Updated Date: 2024-08-14T07:01:34Z
Creation Date: {created}
Registry Expiry Date: 2030-08-13T04:00:00Z
Registrar: Sample Registrar
Registrar IANA ID: 9999
Registrar Abuse Contact Email: abuse@registrar.example
Registrar Abuse Contact Phone: +1.5550100
Domain Status: clientDeleteProhibited https://icann.org/epp#clientDeleteProhibited
Domain Status: clientTransferProhibited https://icann.org/epp#clientTransferProhibited
Registrant Name: {contact}
Registrant Organization: {organization}
Registrant Street: {street}
Registrant City: {city}
Registrant State/Province: {state}
Registrant Postal Code: {postal_code}
Registrant Country: {country}
Name Server: A.IANA-SERVERS.NET
Name Server: B.IANA-SERVERS.NET
DNSSEC: signedDelegation
>>> Last update of whois database: 2024-11-20T00:00:00Z <<<

NOTICE: {notice}
"""

_HOLDERS: list[dict[str, str]] = [
    {
        "network": "192.0.2.0/24",
        "domain": "example.com",
        "organization": "Example Widgets, Inc.",
        "id": "EXWI",
        "asn": "64496",
        "contact": "Hostmaster, Example Widgets",
        "street": "12 Sample Way",
        "city": "Reno",
        "state": "NV",
        "postal_code": "89501",
        "country": "US",
        "created": "1995-08-14T04:00:00Z",
    },
    {
        "network": "198.51.100.0/24",
        "domain": "example.net",
        "organization": "Northern Sample Hosting",
        "id": "NOSH",
        "asn": "64497",
        "contact": "Domain Administrator",
        "street": "400 Placeholder Street",
        "city": "Toronto",
        "state": "ON",
        "postal_code": "M5H 2N2",
        "country": "CA",
        "created": "1995-08-14T04:00:00Z",
    },
    {
        "network": "203.0.113.0/24",
        "domain": "example.org",
        "organization": "Specimen Cloud Services",
        "id": "SPCS",
        "asn": "64498",
        "contact": "Specimen Registry Team",
        "street": "One Specimen Plaza",
        "city": "Seattle",
        "state": "WA",
        "postal_code": "98101",
        "country": "US",
        "created": "1995-08-31T04:00:00Z",
    },
]


def answer(query: str) -> str:
    """Return the answer to a query: the record of an address or domain, or that there is none."""
    term = query.strip().lower().rstrip(".")
    for holder in _HOLDERS:
        if term == holder["domain"]:
            return _REGISTRY.format(**holder, name=term.upper(), notice=NOTICE)
        network = ipaddress.ip_network(holder["network"])
        with suppress(ValueError):
            if ipaddress.ip_address(term) in network:
                return _ARIN.format(
                    **holder,
                    name=f"{holder['id']}-NET",
                    handle="-".join(str(network.network_address).split(".")) + "-1",
                    first=network[0],
                    last=network[-1],
                    notice=NOTICE,
                )
    return f'No match for "{term.upper()}".\n\n{NOTICE}\n'


async def start(host: str, port: int) -> asyncio.Server:
    """Listen, and answer until the server is closed. Port 0 picks a free one."""
    return await asyncio.start_server(_serve, host, port, limit=QUERY_LIMIT)


async def _serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    # A client that is slow, long-winded or gone is no concern of the others; one that is still
    # connected when the server stops (CancelledError) is hung up on without a word.
    with suppress(TimeoutError, ValueError, ConnectionError, asyncio.CancelledError):
        async with asyncio.timeout(QUERY_SECONDS):
            query = (await reader.readline()).decode(errors="replace")
            writer.write(answer(query).replace("\n", "\r\n").encode())
            await writer.drain()
    writer.close()


async def _run(host: str, port: int) -> None:
    stop = stop_event()
    parent = Parent()
    parent.stop_after()
    server = await start(host, port)
    parent.say_ready()
    await stop.wait()
    server.close()


def main() -> None:
    """Run the responder until SIGTERM or Ctrl-C."""
    parser = argparse.ArgumentParser(description="Sample WHOIS responder; its answers are made up.")
    parser.add_argument("--host", default="127.0.0.1", help="address to listen on")
    parser.add_argument("--port", type=int, required=True, help="port to listen on")
    arguments = parser.parse_args()
    asyncio.run(_run(arguments.host, arguments.port))


if __name__ == "__main__":
    main()
