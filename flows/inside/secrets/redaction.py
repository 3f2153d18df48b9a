"""Stars in the place of secrets, in whatever a server, a library or a log line says.

A secret is found however it is written: as it is, with escapes of JSON and other languages, as
percent-encoding, quoted-printable or HTML entities, in any mixture of these and several times
over, in base64 with anything before and after it, and in hexadecimal. It is not found in pieces,
turned round or changed in any other way.
"""

from __future__ import annotations

import functools
import html
import re
import traceback
from base64 import b64encode
from bisect import bisect_right
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any
from urllib.parse import parse_qsl, urlsplit

HIDDEN = "********"
SHORTEST = 4
"""In characters. A shorter secret is looked for as a word of its own, as it is."""
SHORTEST_PART = 8
"""In characters: such parts of a URL or of a key are secrets by themselves."""
SHORTEST_BASE64 = 5
TIMES = 4
"""How often escapes in escapes are followed."""
OFTEN = 10_000
"""After so many escapes it is asked whether to go on."""
_ESCAPE = re.compile(
    rb"(?:\\[uU][0-9a-fA-F]{4})+|\\u\{0*([0-9a-fA-F]{1,6})\}|\\x([0-9a-fA-F]{2})|\\([0-7]{3})"
    rb"|\\([bfnrt!-/:-@\[-`{-~])|[%=]([0-9a-fA-F]{2})|&(?:#[0-9xX][0-9a-fA-F]{0,8}|[A-Za-z]{2,31});?"
)
_CONTROLS = {b"b": b"\b", b"f": b"\f", b"n": b"\n", b"r": b"\r", b"t": b"\t"}


class Redaction:
    """Finds some secrets, and puts stars in their place.

    `go_on` is called every so often, and raises an exception when it takes too long.
    """

    def __init__(self, secrets: Iterable[str], go_on: Callable[[], object] = lambda: None) -> None:
        self._forms = _looked_for(frozenset(filter(None, secrets)))
        self._go_on = go_on

    def finds(self, said: bytes) -> bool:
        """Whether there is a secret in it."""
        for _ in range(TIMES + 1):
            if any(form in said and pattern.search(said) for form, pattern in self._forms):
                return True
            decoded = _Decoded(said, self._go_on, places=False).octets if self._forms else said
            if decoded == said:
                break
            said = decoded
        return False

    def octets(self, said: bytes) -> bytes:
        """What was said, without secrets."""
        if not self.finds(said):
            return said
        kept, at = bytearray(), 0
        for start, end in sorted(self._places(said)):
            if end > at:
                kept += said[at : max(start, at)] + (HIDDEN.encode() if start >= at else b"")
                at = end
        return bytes(kept + said[at:])

    def text(self, said: str) -> str:
        """What was said, without secrets."""
        octets = said.encode("utf-8", "surrogatepass")
        return self.octets(octets).decode("utf-8", "surrogatepass") if self.finds(octets) else said

    def value(self, said: Any) -> Any:  # noqa: ANN401 - whatever JSON holds
        """Texts, and dictionaries and lists of them, without secrets; keys of dictionaries too."""
        if not self._forms:
            return said
        match said:
            case str():
                return self.text(said)
            case bytes() | bytearray():
                return self.octets(bytes(said))
            case Mapping():
                return {self.value(key): self.value(each) for key, each in said.items()}
            case list() | tuple() | set() | frozenset():
                return [self.value(each) for each in said]
            case int() | float() if not isinstance(said, bool):
                number = str(said)
                redacted = self.text(number) if len(number) >= SHORTEST else number
                return said if redacted == number else redacted
            case _:
                return said

    def in_traceback(self, error: BaseException) -> bool:
        """Whether an exception, or one that it came of, says a secret."""
        told = "".join(traceback.format_exception(error))
        return self.finds(told.encode("utf-8", "surrogatepass"))

    def _places(self, said: bytes) -> Iterator[tuple[int, int]]:
        """Where secrets begin and end, in the octets as they came."""
        layers: list[_Decoded] = []
        for _ in range(TIMES + 1):
            for found in (each for _, pattern in self._forms for each in pattern.finditer(said)):
                start, end = found.span()
                for layer in reversed(layers):
                    start, end = layer.start(start), layer.end(end)
                yield start, end
            layer = _Decoded(said, self._go_on)
            if layer.octets == said:
                return
            layers.append(layer)
            said = layer.octets


class _Decoded:
    """Octets whose escapes are decoded once, and where each came from."""

    def __init__(self, said: bytes, go_on: Callable[[], object], *, places: bool = True) -> None:
        octets, at = bytearray(), 0
        # For each stretch without escapes and for each escape: where it begins, here and there.
        self._here, self._there = [0], [0]
        for number, found in enumerate(_ESCAPE.finditer(said)):
            if not number % OFTEN:
                go_on()
            octets += said[at : found.start()]
            if places:
                self._mark(len(octets), found.start())
            octets += _meant(found)
            at = found.end()
            if places:
                self._mark(len(octets), at)
        self.octets = bytes(octets + said[at:])
        self._mark(len(self.octets), len(said))

    def _mark(self, here: int, there: int) -> None:
        self._here.append(here)
        self._there.append(there)

    def start(self, place: int) -> int:
        """Where that began of which `place` is a part."""
        number = bisect_right(self._here, place) - 1
        if number + 1 == len(self._here) or self._is_escape(number):
            return self._there[number]
        return self._there[number] + place - self._here[number]

    def end(self, place: int) -> int:
        """Where that ended of which `place` is the end."""
        number = bisect_right(self._here, place - 1) - 1
        if number + 1 < len(self._here) and self._is_escape(number):
            return self._there[number + 1]
        return self._there[number] + place - self._here[number]

    def _is_escape(self, number: int) -> bool:
        here, there = self._here, self._there
        return here[number + 1] - here[number] != there[number + 1] - there[number]


def _meant(escape: re.Match[bytes]) -> bytes:
    """The octets that an escape stands for; those that stand for none mean themselves."""
    written = escape[0]
    point, octet, octal, simple, digits = escape.groups()
    if digits or octet:
        return bytes.fromhex((digits or octet).decode())
    if octal:
        return bytes([int(octal, 8) & 0xFF])
    if simple:
        return _CONTROLS.get(simple, simple)
    if written.startswith(b"&"):
        return html.unescape(written.decode()).encode("utf-8", "surrogatepass")
    if point:
        code = int(point, 16)
        return chr(code).encode("utf-8", "surrogatepass") if code <= 0x10FFFF else written  # noqa: PLR2004
    units = bytes.fromhex(written.replace(b"\\u", b"").replace(b"\\U", b"").decode())
    return units.decode("utf-16-be", "surrogatepass").encode("utf-8", "surrogatepass")


@functools.lru_cache(maxsize=64)
def _looked_for(secrets: frozenset[str]) -> tuple[tuple[bytes, re.Pattern[bytes]], ...]:
    """What is in an answer that holds one of the secrets, each with the pattern of its place."""
    every = {part for secret in secrets for part in (secret, *_parts(secret))}
    found = dict(form for secret in every for form in _forms(secret))
    return tuple((form, re.compile(pattern)) for form, pattern in found.items())


def _parts(secret: str) -> Iterator[str]:
    """What of a secret is one by itself: a token after its scheme, parts of a URL, lines."""
    words = secret.split()
    if len(words) > 1 and len(words[-1]) >= SHORTEST:
        yield words[-1]
    lines = [line.strip() for line in secret.splitlines()]
    if len(lines) > 1:
        yield from (
            line for line in lines if len(line) >= SHORTEST_PART and not line.startswith("-----")
        )
    if "://" in secret:
        yield from _parts_of_url(secret)


def _parts_of_url(secret: str) -> Iterator[str]:
    try:
        url = urlsplit(secret)
    except ValueError:
        return
    user = url.password or url.username or ""
    if len(user) >= SHORTEST:
        yield user
    last = url.path.rstrip("/").rpartition("/")[2]
    values = [value for _, value in parse_qsl(url.query)]
    yield from (part for part in (url.path.strip("/"), last, *values) if len(part) >= SHORTEST_PART)


def _forms(secret: str) -> Iterator[tuple[bytes, bytes]]:
    """How a secret may be written, and what is looked for then."""
    octets = secret.encode("utf-8", "surrogatepass")
    if len(secret) < SHORTEST:
        yield octets, rb"(?<![0-9A-Za-z_])" + re.escape(octets) + rb"(?![0-9A-Za-z_])"
        return
    # A secret may hold what looks like an escape, and come back decoded.
    texts = {octets, octets.replace(b" ", b"+"), _ESCAPE.sub(_meant, octets)}
    for text in {*texts, octets.hex().encode(), octets.hex().upper().encode()}:
        yield text, re.escape(text)
    for before in range(3):
        # Without the characters that what stands before and after has a part in.
        encoded = b64encode(b"\0" * before + octets).rstrip(b"=")
        end = len(encoded) - (1 if (before + len(octets)) % 3 else 0)
        core = encoded[(0, 2, 3)[before] : end]
        if len(core) >= SHORTEST_BASE64:
            for text in {core, core.replace(b"+", b"-").replace(b"/", b"_")}:
                yield text, b"[A-Za-z0-9+/_-]{0,3}" + re.escape(text) + b"[A-Za-z0-9+/_-]{0,2}"
