"""Reading what RDAP servers answer about a domain, by whodap."""

from __future__ import annotations

from typing import Any

from asyncwhois.parse import convert_whodap_keys
from whodap.response import DomainResponse

from .facts import facts


def read_domain(answer: str) -> dict[str, Any]:
    """What the answer says, by the names of asyncwhois. Any exception: it is none of a domain."""
    return facts(convert_whodap_keys(DomainResponse.from_json(answer).to_whois_dict()))
