from __future__ import annotations

import html
import json
from base64 import b64encode, urlsafe_b64encode
from typing import Any
from urllib.parse import quote, quote_plus

import pytest

from prefect_phantom.flows.inside.secrets.redaction import HIDDEN, Redaction

SECRET = "kept-to/our selves+\u00e9"
JSON_ESCAPED = "".join(f"\\u{ord(each):04x}" for each in SECRET)
ENTITIES = "".join(f"&#x{ord(each):X};" for each in SECRET)


@pytest.mark.attack(
    "a server writes the asset's secret in another way: escaped, encoded, in base64 or hexadecimal",
    "stars in its place",
)
@pytest.mark.parametrize(
    "written",
    [
        SECRET,
        json.dumps(SECRET)[1:-1],
        JSON_ESCAPED,
        JSON_ESCAPED.upper().replace("\\U", "\\u"),
        json.dumps(JSON_ESCAPED)[1:-1],
        SECRET.replace("/", "\\/"),
        repr(SECRET.encode())[2:-1],
        SECRET.replace("k", "\\153").replace("t", "\\u{74}"),
        quote(SECRET),
        quote(SECRET, safe="").lower(),
        quote_plus(SECRET, safe=""),
        quote(quote(SECRET, safe=""), safe=""),
        html.escape(SECRET),
        ENTITIES,
        html.escape(ENTITIES),
        "".join(f"&#{ord(each):05d}" for each in SECRET),
        "kept-to&sol;our&#32;selves&plus;&eacute;",
        "k\\u0065pt%2Dto\\/our&#32;selves%2b\\u00E9",
        "kept=2Dto/our selves+=C3=A9",
        SECRET.encode().hex(),
        SECRET.encode().hex().upper(),
    ],
)
def test_a_secret_is_found_however_it_is_written(written: str) -> None:
    redaction = Redaction([SECRET])
    assert redaction.text(f"before {written} after") == f"before {HIDDEN} after"
    assert redaction.octets(f"<{written}>".encode()) == f"<{HIDDEN}>".encode()


@pytest.mark.parametrize("encode", [b64encode, urlsafe_b64encode])
@pytest.mark.parametrize("before", [b"", b":", b"ab", b"abc"])
@pytest.mark.parametrize("after", [b"", b":", b"ab", b"abc"])
def test_a_secret_is_found_in_base64_with_anything_around(
    encode: Any, before: bytes, after: bytes
) -> None:
    secret = "ab>>>???~~~cd"
    said = encode(before + secret.encode() + after).decode()
    assert HIDDEN in Redaction([secret]).text(f'"{said}"')
    inside = encode(secret.encode()).decode()[4:-4]
    assert inside not in Redaction([secret]).text(said)


@pytest.mark.parametrize(
    ("secret", "part"),
    [
        ("Bearer abcdef", "abcdef"),
        ("http://user:pw12@proxy.example:3128", "pw12"),
        ("https://TOKEN@git.example/x", "TOKEN"),
        ("https://hooks.example/services/T0/B0/aBcDeFgH", "aBcDeFgH"),
        ("https://hooks.example/services/T0/B0/aBcDeFgH", "services/T0/B0/aBcDeFgH"),
        ("https://hooks.example/x?api_key=a1b2c3d4e5", "a1b2c3d4e5"),
        ("-----BEGIN KEY-----\nMIIabcdefghijk\nlmnopqrstuvw\n-----END KEY-----", "lmnopqrstuvw"),
    ],
)
def test_a_part_that_is_a_secret_by_itself_is_found_alone(secret: str, part: str) -> None:
    redacted = Redaction([secret]).text(f"before {part} and {secret} after")
    assert part not in redacted
    assert redacted.startswith(f"before {HIDDEN} and ")


def test_what_is_no_secret_stays_as_it_is() -> None:
    said = "100%25 \\u0041 &amp; a=b \\n \ud800 " + "x" * 100
    assert Redaction([SECRET]).text(said) is said
    assert Redaction([]).text(said) is said
    assert Redaction(["", "no"]).text("nothing known, no.") == f"nothing known, {HIDDEN}."
    assert Redaction(["%41%42%43"]).text("a %41%42%43 and ABC") == f"a {HIDDEN} and {HIDDEN}"


def test_keys_and_numbers_in_an_object_are_looked_at_too() -> None:
    said = {f"a{SECRET}": [SECRET, {"n": 12345, "ok": True, "none": None}], "few": 12}
    assert Redaction([SECRET, "12345", "12"]).value(said) == {
        f"a{HIDDEN}": [HIDDEN, {"n": HIDDEN, "ok": True, "none": None}],
        "few": 12,
    }


def test_several_secrets_that_overlap_leave_nothing_of_each_other() -> None:
    assert Redaction(["secret", "secret-key"]).text("a secret-key, a secret") == (
        f"a {HIDDEN}, a {HIDDEN}"
    )
    assert Redaction(["abcd", "cdef"]).text("abcdef") == HIDDEN
