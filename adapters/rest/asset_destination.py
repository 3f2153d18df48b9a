"""Where an asset's secrets are sent, as far as its settings say so.

Whoever may change an asset cannot read its secrets, but could have them sent to a server of theirs:
by another address, through a proxy, in clear text, or to one whose certificate nobody looks at.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from ipaddress import ip_address

from adapters.secret_names import words_of

ADDRESSES = frozenset(
    {
        *("account", "addr", "address", "addresses", "base", "broker", "brokers", "callback"),
        *("cloud", "cluster", "controller", "destination", "domain", "endpoint", "endpoints"),
        *("environment", "forward", "fqdn", "gateway", "host", "hostname", "hosts", "instance"),
        *("ip", "location", "mirror", "nameserver", "nameservers", "node", "nodes", "origin"),
        *("port", "ports", "proxies", "proxy", "realm", "redirect", "region", "relay"),
        *("resolver", "server", "servers", "site", "socket", "subdomain", "target", "targets"),
        *("tenant", "tunnel", "upstream", "uri", "uris", "url", "urls", "workspace"),
    }
)
"""Words in names of settings that say to whom one speaks. Without one an app has its own."""
PROTECTIONS = frozenset(
    {
        *("authorities", "bundle", "ca", "cafile", "cert", "certificate", "certificates", "certs"),
        *("cipher", "ciphers", "encrypt", "encrypted", "encryption", "fingerprint", "https"),
        *("insecure", "plain", "plaintext", "protocol", "scheme", "secure", "ssl", "starttls"),
        *("thumbprint", "tls", "transport", "trust", "trusted", "unverified", "verification"),
        *("verify", "validate"),
    }
)
"""Words in names of settings that say how well it is known who that is, and who reads along."""
RUN_TOGETHER = re.compile(
    r"(?:host|hostname|servers?|[^c]url|uri|proxy|endpoint|address|domain|ssl|tls)$"
    r"|^(?:verify|ssl|tls|host|server|proxy|insecure)[a-z]"
)
"""The same in names that do not say where a word ends."""


def moved_settings(before: Mapping[str, object], after: Mapping[str, object]) -> Iterator[str]:
    """The settings by which secrets are sent elsewhere than before, or with less protection.

    One that is taken away leaves an app to its own address, which whoever did that cannot choose.
    """
    old, new = dict(_flat(before)), dict(_flat(after))
    for path in {**old, **new}:
        given = path in new
        if (given, new.get(path)) == (path in old, old.get(path)) or _is_stricter(path, new):
            continue
        if _is_protection(path) or (given and (_is_address(path) or _looks_so(new[path]))):
            yield ".".join(path)


def is_destination(name: str) -> bool:
    """Whether a setting of this name says where secrets are sent, or how safely."""
    return _is_address((name,)) or _is_protection((name,))


Path = tuple[str, ...]


def _flat(value: object, path: Path = ()) -> Iterator[tuple[Path, object]]:
    """Every text, number and so on inside of lists and objects, with the names on its way."""
    if isinstance(value, Mapping):
        for name, each in value.items():
            yield from _flat(each, (*path, name))
    elif isinstance(value, list):
        for place, each in enumerate(value):
            yield from _flat(each, (*path, str(place)))
    else:
        yield path, value


def _is_address(path: Path) -> bool:
    return _has(path, ADDRESSES) or any(RUN_TOGETHER.search(name.lower()) for name in path)


def _is_protection(path: Path) -> bool:
    return _has(path, PROTECTIONS)


def _has(path: Path, words: frozenset[str]) -> bool:
    return any(not words.isdisjoint(words_of(name)) for name in path)


def _is_stricter(path: Path, new: Mapping[Path, object]) -> bool:
    """Whether it is a check that is switched on."""
    return new.get(path) is True and not {"verify", "validate", "verification"}.isdisjoint(
        words_of(path[-1])
    )


def _looks_so(value: object) -> bool:
    """Whether it is an address, whatever its name is."""
    if not isinstance(value, str):
        return False
    text = value.strip()
    if "//" in text or "\\\\" in text:
        return True
    try:
        ip_address(text.strip("[]"))
    except ValueError:
        return False
    return True
