"""What the listeners of a gateway let others on the network do, and what is refused for it."""

from __future__ import annotations

import functools
import socket
from collections.abc import Iterator
from dataclasses import dataclass
from ipaddress import IPv6Address, ip_address

from pydantic import SecretStr

from prefect_phantom.adapters.security.guessable import SHORTEST_KEY, is_blank, objection
from prefect_phantom.adapters.settings import Settings


@dataclass(frozen=True, slots=True)
class Finding:
    """One sentence about how open a gateway is; not `ok` is what somebody has to mend."""

    ok: bool
    sentence: str


@functools.cache
def is_loopback(host: str) -> bool:
    """Whether nobody but this machine reaches a listener on `host`, an address or a name.

    A name is looked up once, at the start: afterwards that would hold up whoever is served.
    """
    if host in {"", "localhost"}:
        return bool(host)  # nothing is every address
    try:
        return _is_loopback(host)
    except ValueError:
        pass
    try:
        found = socket.getaddrinfo(host, None)
    except OSError:
        return False  # nobody knows what it is, and it will not be listened on
    return all(_is_loopback(str(address[0])) for *_, address in found)


def is_open(settings: Settings) -> bool:
    """Whether one of the two listeners is reached from other machines."""
    return not (is_loopback(settings.host) and is_loopback(settings.runtime_host))


def refusals(settings: Settings) -> Iterator[str]:
    """Why a gateway with these settings must not start, whatever its database holds."""
    if _in_clear_text(settings) and not settings.clear_text:
        yield (
            f"PREFECT_PHANTOM_HTTP would send passwords and tokens in clear text, and others reach"
            f" {settings.host or 'every address'}: serve HTTPS, listen on 127.0.0.1, or set"
            " PREFECT_PHANTOM_CLEAR_TEXT=true when a proxy with TLS stands before it"
        )
    key = _text(settings.runtime_key)
    if settings.runtime_key is not None and is_blank(key):
        yield "PREFECT_PHANTOM_RUNTIME_KEY is blank: give gateway and workers the same random key"
    elif key and not is_loopback(settings.runtime_host) and (wrong := _key_objection(key)):
        yield (
            f"PREFECT_PHANTOM_RUNTIME_KEY {wrong}, and others reach the runtime API on"
            f" {settings.runtime_host or 'every address'}: give gateway and workers the same"
            " random key"
        )


def password_refusal(settings: Settings) -> str:
    """Why nobody may be given the password of `admin_password`; empty when somebody may."""
    password = _text(settings.admin_password)
    if settings.admin_password is None or not (wrong := objection(password)):
        return ""
    if is_blank(password):
        return f"PREFECT_PHANTOM_ADMIN_PASSWORD {wrong}: leave it out, or set another one"
    if is_open(settings):
        return (
            f"PREFECT_PHANTOM_ADMIN_PASSWORD {wrong}, and others reach this gateway: set another"
            " one, or listen on 127.0.0.1"
        )
    return ""


def password_warning(settings: Settings) -> str:
    """What is to be said of the password of `admin_password` where it is accepted."""
    wrong = objection(_text(settings.admin_password)) if settings.admin_password else ""
    return wrong and (
        f"PREFECT_PHANTOM_ADMIN_PASSWORD {wrong}: good enough while only this machine reaches the"
        " gateway"
    )


def findings(
    settings: Settings, *, password_in_use: bool, has_shown_password: bool = False
) -> list[Finding]:
    """How open a gateway is.

    `password_in_use`: the password of `admin_password` is admin's. `has_shown_password`: admin's is
    that of our guides, wherever it comes from.
    """
    found = list(_findings(settings, password_in_use=password_in_use))
    if has_shown_password and not password_in_use:
        found.append(
            Finding(
                ok=False,
                sentence="The user admin has the password of the guides, and others reach this"
                " gateway: give it another one.",
            )
        )
    return found


def _findings(settings: Settings, *, password_in_use: bool) -> Iterator[Finding]:
    if _in_clear_text(settings):
        yield Finding(
            settings.clear_text,
            f"The contract is served in clear text on {settings.host or 'every address'}, as"
            " PREFECT_PHANTOM_CLEAR_TEXT says: let nobody but a proxy with TLS reach it.",
        )
    if not is_loopback(settings.runtime_host) and not _behind_tls(settings):
        yield Finding(
            ok=True,
            sentence=f"The runtime API listens on {settings.runtime_host or 'every address'}"
            " without TLS: keep it to a network of workers and runs, or put a proxy before it.",
        )
    if settings.admin_password is None:
        return
    refused = password_refusal(settings)
    if password_in_use and (refused or password_warning(settings)):
        yield Finding(not refused, f"{refused or password_warning(settings)}.")
    elif refused:
        yield Finding(ok=True, sentence=f"{refused}. It is not admin's, who keeps the other one.")


def _in_clear_text(settings: Settings) -> bool:
    return settings.http and not is_loopback(settings.host)


def _behind_tls(settings: Settings) -> bool:
    return (settings.runtime_url or "").startswith("https://")


def _key_objection(key: str) -> str:
    return objection(key, SHORTEST_KEY)


def _text(secret: SecretStr | None) -> str:
    return "" if secret is None else secret.get_secret_value()


def _is_loopback(host: str) -> bool:
    address = ip_address(host.partition("%")[0])
    if isinstance(address, IPv6Address) and address.ipv4_mapped is not None:
        address = address.ipv4_mapped
    return address.is_loopback


def repository_refusals(settings: Settings) -> Iterator[str]:
    """Why a gateway with these settings must not start: what it is told cannot be read."""
    try:
        _ = settings.known_repositories.ids  # which reads it, now and then never again
    except ValueError as error:
        yield f"PREFECT_PHANTOM_PLAYBOOK_IDS: {error}"
