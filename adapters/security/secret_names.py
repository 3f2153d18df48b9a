"""What says of itself that it is secret: by its name, or by what its text looks like."""

from __future__ import annotations

import re
from collections.abc import Iterator
from urllib.parse import unquote

PARTS = re.compile(
    r"passw|pass[\W_]*(?:phrase|code|word)|secret|token|credential|authori[sz]ation|bearer|cookie|webhook"
    r"|conn(?:ection)?[\W_]*str|private[\W_]*data"
    r"|(?:api|access|private|auth|encryption|shared|signing|account|master|storage|session|license"
    r"|subscription|client|server|service|user|admin|root|ssh|ssl|tls|gpg|pgp|hmac)[\W_]*key",
    re.IGNORECASE,
)
"""Any name with one of these in it, however it is written."""
WORDS = frozenset({"cred", "creds", "dsn", "jwt", "otp", "psk", "pwd", "totp"})
"""Names with one of these words in them."""
LAST_WORDS = frozenset({"key", "keys", "pass", "pat", "pin", "sig"})
"""Names that end with one of these words, and perhaps a number: no ``pass_through``."""
OTHER_PASSES = frozenset({"band", "by", "high", "low"})
"""What stands before ``pass`` in words that are written apart."""
RUN_TOGETHER = re.compile(r"[a-z](?:pwd|psk|jwt|creds)$|^(?:user|smtp|db|ldap|my|admin|bind)pass$")
"""The same in names that do not say where a word ends."""
MEASURES = frozenset(
    {
        *("count", "days", "expiry", "hours", "interval", "length", "lifetime", "limit", "minutes"),
        *("port", "retries", "seconds", "size", "timeout", "ttl"),
    }
)
"""A number with such a name is none: ``token_lifetime``."""
WORD = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+")

PRIVATE_KEY = re.compile(r"-----BEGIN [A-Z0-9 ]*PRIVATE KEY")
SHOWN_TO_SERVERS = re.compile(
    r"\s*(?:bearer|basic|digest|token|apikey|splunk|ssws)\s+(?=\S*[\d=+/._-])\S{8,}\s*",
    re.IGNORECASE,
)
"""What stands in a header of credentials."""
ISSUED = re.compile(
    r"(?<![\w-])(?:gh[opsur]_\w{20,}|github_pat_\w{20,}|glpat-[\w-]{15,}|xox[a-z]-[\w-]{10,}"
    r"|eyJ[\w-]{8,}\.[\w-]+\.[\w-]*)"
)
"""Tokens that can be known by their beginning."""
USER_IN_URL = re.compile(
    r"(?:^|[^\w+.-])(?P<scheme>[a-z][\w+.-]*)://(?P<user>[^/@\s?#]+)@", re.IGNORECASE
)
WEB = re.compile(r"(?:\w+\+)?(?:https?|wss?)", re.IGNORECASE)
"""Schemes of which a user without a password may be a token."""
SECRET_PATH = re.compile(
    r"//(?:hooks\.slack\.com/|[\w.-]*discord(?:app)?\.com/api/webhooks/|[\w.-]+\.webhook\.office\.com/)"
    r"\w",
    re.IGNORECASE,
)
"""Addresses whose path alone lets anybody post there."""
ASSIGNED = re.compile(
    r"(?:^|[\s?&;,#{(])(?P<name>[A-Za-z][\w.-]*)=(?=[^\s&;,{}$<])"
    r"|[\"'](?P<quoted>[\w .-]+)[\"']\s*:\s*[\"'\d]"
    r"|^[ \t]*(?P<header>[A-Za-z][\w-]*):[ \t]*(?=[^\s/{$<])",
    re.MULTILINE,
)
"""Names with a value inside of a text: in a query, a connection string, JSON, a header."""


def words_of(name: str) -> list[str]:
    """The words of a name as ``base_url``, ``baseUrl`` or ``Base-URL``, in lower case."""
    return [word.lower() for word in WORD.findall(name)]


def is_secret_name(name: str) -> bool:
    """Whether what `name` names is secret."""
    if PARTS.search(name):
        return True
    words = words_of(name)
    if not WORDS.isdisjoint(words) or RUN_TOGETHER.search(name.lower()):
        return True
    before, last = ["", "", *words][-2:]
    return last in LAST_WORDS and not (last == "pass" and before in OTHER_PASSES)


def is_secret_setting(name: str, value: object) -> bool:
    """Whether a setting is secret, by its name or because all of its text is."""
    if isinstance(value, str) and is_secret_text(value):
        return True
    if isinstance(value, bool):
        return False  # whether there is one, and not which
    if isinstance(value, int | float) and not MEASURES.isdisjoint(words_of(name)[-1:]):
        return False
    return is_secret_name(name)


def is_secret_text(text: str) -> bool:
    """Whether the whole of `text` is a secret: a private key, a token, a header's credentials."""
    text = text.strip()
    return bool(
        PRIVATE_KEY.search(text) or SHOWN_TO_SERVERS.fullmatch(text) or ISSUED.fullmatch(text)
    )


def holds_secret(text: str) -> bool:
    """Whether some part of `text` is a secret, also where it is written as in URLs."""
    return any(_holds_secret(each) for each in {text, unquote(text)})


def _holds_secret(text: str) -> bool:
    return bool(
        is_secret_text(text)
        or SECRET_PATH.search(text)
        or ISSUED.search(text)
        or any(is_secret_name(name) for name in _assigned(text))
        or any(
            ":" in found["user"] or WEB.fullmatch(found["scheme"])
            for found in USER_IN_URL.finditer(text)
        )
    )


def secret_within(value: object, path: str) -> str | None:
    """The place of the first secret inside of `value`, which is at `path`; None without one.

    Lists and objects are looked through; the depth of both is that of a body, which is limited.
    """
    if isinstance(value, str):
        return path if holds_secret(value) else None
    if isinstance(value, list):
        return next(filter(None, (secret_within(each, path) for each in value)), None)
    if not isinstance(value, dict):
        return None
    for name, each in value.items():
        inner = f"{path}.{name}"
        if holds_secret(name):
            return path  # without the name, which would be repeated
        if is_secret_setting(name, each):
            return inner
        if found := secret_within(each, inner):
            return found
    return None


def _assigned(text: str) -> Iterator[str]:
    for found in ASSIGNED.finditer(text):
        yield found["name"] or found["quoted"] or found["header"]
