"""Reading what WHOIS servers answer, by asyncwhois' expressions."""

from __future__ import annotations

import re
from typing import Any

from asyncwhois.errors import NotFoundError
from asyncwhois.parse_rir import (
    AFRINICParser,
    APNICParser,
    ARINParser,
    LACNICParser,
    RIPEParser,
    RIRParser,
)
from asyncwhois.parse_tld import DomainParser

from .facts import facts


def _own(parser: type[RIRParser]) -> RIRParser:
    """Make a parser with expressions of its own.

    The library keeps one dictionary for all registries, which each parser that is made rewrites:
    after an answer of RIPE, those of ARIN would be read by RIPE's expressions.
    """
    own: type[RIRParser] = type(
        parser.__name__, (parser,), {"reg_expressions": dict(RIRParser.reg_expressions)}
    )
    return own()


# Registry, how its answers are known, and who reads them. By the answer, not by the address as in
# the library: blocks move between registries, and a server of one's own answers for all.
_REGISTRIES = [
    ("ripe", re.compile(r"^source: *RIPE", re.MULTILINE), _own(RIPEParser)),
    ("apnic", re.compile(r"^source: *APNIC", re.MULTILINE), _own(APNICParser)),
    ("afrinic", re.compile(r"^source: *AFRINIC", re.MULTILINE), _own(AFRINICParser)),
    ("lacnic", re.compile(r"^(inetrev|ownerid): ", re.MULTILINE), _own(LACNICParser)),
    ("arin", re.compile(r"^NetRange: ", re.MULTILINE), _own(ARINParser)),
]


def read_network(answer: str) -> tuple[str, dict[str, Any]]:
    """The registry that the answer comes from, and what it says; no facts when unknown."""
    for registry, mark, parser in _REGISTRIES:
        if mark.search(answer):
            return registry, facts(parser.parse(answer))
    return "", {}


def read_domain(answer: str, top_level: str) -> dict[str, Any]:
    """What the answer says of a domain below `top_level`; nothing when it is not known there."""
    try:
        return facts(DomainParser().parse(answer, top_level))
    except NotFoundError:
        return {}
