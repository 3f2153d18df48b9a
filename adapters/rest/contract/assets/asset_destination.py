"""Where an asset's secrets are sent, as far as its settings say so.

Whoever may change an asset cannot read its secrets, but could have them sent to a server of theirs:
by another address, through a proxy, in clear text, or to one whose certificate nobody looks at.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from contextlib import suppress
from ipaddress import IPv4Network, IPv6Network, ip_network
from socket import AF_INET6, inet_aton, inet_pton

from prefect_phantom.adapters.security.secret_names import words_of

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
        *(
            "insecure",
            "network",
            "networks",
            "plain",
            "plaintext",
            "protocol",
            "scheme",
            "secure",
            "ssl",
            "starttls",
        ),
        *("thumbprint", "tls", "transport", "trust", "trusted", "unverified", "verification"),
        *("verify", "validate"),
    }
)
"""Words in names of settings that say how well it is known who that is, and who reads along."""
NETWORKS = "networks"
"""The setting of each app that names the only networks which it may connect to."""
BETWEEN = re.compile(r"[\s,;|=<>\"'()]+")
"""What may stand between several addresses, or before one."""
HOST = re.compile(r"(?:[\w-]+\.)+(?:[^\W\d_]{2,}|xn--[\w-]+)\.?")
"""A name of more than one label, the last of letters: no number, and no version."""
ANY_HOST = re.compile(r"[\w.-]+")
LETTER = re.compile(r"[^\W\d]")
PORT = re.compile(r"[0-9]{1,5}")
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
    is_narrower = _is_narrower(before.get(NETWORKS), after.get(NETWORKS))
    for path in {**old, **new}:
        given = path in new
        if (given, new.get(path)) == (path in old, old.get(path)) or _is_stricter(path, new):
            continue
        if path[0] == NETWORKS and is_narrower:
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


def _is_narrower(before: object, after: object) -> bool:
    """Whether an app may connect to nothing that it could not connect to before."""
    if not before:
        return True
    old, new = _networks(before), _networks(after)
    return bool(new) and all(
        any(each.network_address in wide and each.prefixlen >= wide.prefixlen for wide in old)
        for each in new
    )


def _networks(value: object) -> list[IPv4Network | IPv6Network]:
    """Those that are listed; none where one is no network."""
    try:
        return [ip_network(each, strict=False) for each in value] if isinstance(value, list) else []
    except ValueError:
        return []


def _looks_so(value: object) -> bool:
    """Whether there is an address in it, whatever its name is."""
    if isinstance(value, int | float) and not isinstance(value, bool):
        return _is_number(str(value))
    return isinstance(value, str) and any(map(_is_host, BETWEEN.split(value)))


def _is_host(text: str) -> bool:
    """Whether it begins as an address does: a URL, a name or a number, perhaps with a port."""
    if "//" in text or "\\\\" in text:
        return True
    authority = re.split(r"[/?#\\]", text, maxsplit=1)[0].rpartition("@")[2]
    host, _, port = authority.rpartition(":")
    # One pattern for all of it would look at a long text again from each of its letters.
    if PORT.fullmatch(port) and ANY_HOST.fullmatch(host) and LETTER.search(host):
        return True
    bare = {authority.lstrip("[").partition("]")[0], host, authority}
    return any(map(HOST.fullmatch, authority.split(":"))) or any(map(_is_number, bare))


def _is_number(host: str) -> bool:
    """Whether it is an address of IPv4 or IPv6, in one of the forms that systems resolve."""
    address = host.partition("%")[0]
    with suppress(OSError, ValueError):
        inet_pton(AF_INET6, address)
        return True
    try:
        octets = inet_aton(address)
    except (OSError, ValueError):
        return False
    # 10, 65535 and 1.5 are numbers before they are addresses; 3405804034 and 203.29186 are not.
    dots = address.count(".")
    large = octets[0] > 0 and (dots == 0 or any(octets[1:3]))
    return large or dots > 1 or address.lower().startswith("0x")
