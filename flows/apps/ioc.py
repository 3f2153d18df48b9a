"""App IoC: indicators of compromise in a text, and texts in which nobody can click on them."""

from __future__ import annotations

import importlib
import re
from collections.abc import Iterator, Mapping
from typing import Annotated, Any

from pydantic import Field

from flows import ActionFailure, ActionResult, action
from flows.apps._deadline import Deadline

APP = "IoC"
SECONDS = 60
"""How long one text is looked through."""
LARGEST_TEXT = 2_000_000
"""In characters."""
PIECE = 20_000
"""In characters. Texts are looked through piece by piece, and the time is looked at in between."""

KINDS = (
    "asns", "attack_techniques", "bitcoin_addresses", "cves", "domains", "email_addresses",
    "ipv4_cidrs", "ipv4s", "ipv6s", "mac_addresses", "md5s", "registry_key_paths", "sha1s",
    "sha256s", "sha512s", "urls",
)  # fmt: skip
"""What is looked for; the library knows more kinds, which find much that is none."""

Text = Annotated[str, Field(description="Any text, such as a report or the body of an email")]


@action("extract iocs", app=APP, type="investigate")
def extract_iocs(text: Text) -> ActionResult:
    """Find addresses, domains, URLs, hashes and other indicators, also defanged ones.

    A row of data for each kind that was found: ``type``, such as ``ipv4s``, ``domains`` or
    ``sha256s``, and its ``values``, sorted. Summary: how many there are, by type, and ``total``.

    Raises:
        ActionFailure: the text is too long, or takes too long.

    """
    finder: Any = importlib.import_module("ioc_finder")  # takes 0.4 s, so not before it is needed
    found: dict[str, set[str]] = {}
    deadline = Deadline(SECONDS)
    try:
        for piece in _pieces(text):
            deadline.left()
            for kind, value in _flat(finder.find_iocs(piece, included_ioc_types=KINDS)):
                found.setdefault(kind, set()).add(value)
    except TimeoutError:
        raise ActionFailure(f"The text takes longer than {SECONDS} seconds") from None
    counts = {kind: len(values) for kind, values in sorted(found.items())}
    total = sum(counts.values())
    told = ", ".join(f"{kind}: {number}" for kind, number in counts.items())
    return ActionResult(
        message=f"Found {total} indicators" + (f": {told}" if told else ""),
        data=[{"type": kind, "values": sorted(found[kind])} for kind in counts],
        summary={**counts, "total": total},
    )


@action("defang iocs", app=APP, type="generic")
def defang_iocs(text: Text) -> ActionResult:
    """Write indicators so that no program takes them for links: ``hXXp://example[.]com``.

    One row of data: ``text``. No summary.

    Raises:
        ActionFailure: the text is too long.

    """
    return _written("defang", text)


@action("refang iocs", app=APP, type="generic")
def refang_iocs(text: Text) -> ActionResult:
    """Write defanged indicators as they were: ``http://example.com``.

    One row of data: ``text``. No summary.

    Raises:
        ActionFailure: the text is too long.

    """
    return _written("fang", text)


def _written(how: str, text: str) -> ActionResult:
    fanger: Any = importlib.import_module("ioc_fanger")
    written = "".join(getattr(fanger, how)(piece) for piece in _pieces(text))
    changed = "changed" if written != text else "not changed"
    return ActionResult(message=f"The text is {changed}", data=[{"text": written}])


def _pieces(text: str) -> Iterator[str]:
    """The text in pieces that end between words, wherever there is a place between words."""
    if len(text) > LARGEST_TEXT:
        raise ActionFailure(f"The text has more than {LARGEST_TEXT} characters")
    start = 0
    while start < len(text):
        end = start + PIECE
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
