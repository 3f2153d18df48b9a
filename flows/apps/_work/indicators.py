"""Finding and writing indicators of compromise, by ioc-finder and ioc-fanger."""

from __future__ import annotations

import importlib
import re
from collections.abc import Iterator, Mapping
from typing import Any

# Neither says what types it has.
ioc_fanger: Any = importlib.import_module("ioc_fanger")
ioc_finder: Any = importlib.import_module("ioc_finder")

KINDS = (
    "asns", "attack_techniques", "bitcoin_addresses", "cves", "domains", "email_addresses",
    "ipv4_cidrs", "ipv4s", "ipv6s", "mac_addresses", "md5s", "registry_key_paths", "sha1s",
    "sha256s", "sha512s", "urls",
)  # fmt: skip
"""What is looked for; the library knows more kinds, which find much that is none."""


def find(text: str, piece: int) -> dict[str, list[str]]:
    """The indicators in a text by kind, sorted; looked for in pieces of so many characters."""
    found: dict[str, set[str]] = {}
    for part in _pieces(text, piece):
        for kind, value in _flat(ioc_finder.find_iocs(part, included_ioc_types=KINDS)):
            found.setdefault(kind, set()).add(value)
    return {kind: sorted(found[kind]) for kind in sorted(found)}


def defang(text: str, piece: int) -> str:
    """The text with indicators that no program takes for links."""
    return "".join(map(ioc_fanger.defang, _pieces(text, piece)))


def refang(text: str, piece: int) -> str:
    """The text with indicators as they were."""
    return "".join(map(ioc_fanger.fang, _pieces(text, piece)))


def _pieces(text: str, length: int) -> Iterator[str]:
    """The text in pieces that end between words, wherever there is a place between words."""
    start = 0
    while start < len(text):
        end = start + length
        if end < len(text):
            gaps = list(re.finditer(r"\s", text[start:end]))
            end = start + gaps[-1].end() if gaps else end
        yield text[start:end]
        start = end


def _flat(found: Mapping[str, Any], above: str = "") -> Iterator[tuple[str, str]]:
    """Kinds and values; a kind that has kinds of its own becomes one with both names."""
    for kind, values in found.items():
        name = f"{above}{kind}"
        if isinstance(values, Mapping):
            yield from _flat(values, f"{name}_")
        else:
            yield from ((name, value) for value in values)
